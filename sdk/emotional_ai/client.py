"""The blocking client.

Every method of one response, every list, watch and reply is described once in `emotional_ai.calls`; here is how the blocking
stack carries them out.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Concatenate, ParamSpec, Self, TypeVar

import grpc

from emotional_ai.backoff import Backoff
from emotional_ai.calls import (
    Deadlines,
    Effort,
    Paged,
    Stubs,
    Unary,
    UnaryStream,
    engine,
    inference,
    timeline,
    training,
    watching,
)
from emotional_ai.calls.methods import as_method
from emotional_ai.calls.watching import Watching
from emotional_ai.connection import (
    DEFAULT_TARGET,
    Metadata,
    call_metadata,
    channel,
    channel_options,
    watch_options,
)
from emotional_ai.errors import raised
from emotional_ai.flow import Flow
from emotional_ai.replies import Event
from emotional_ai.streams import Reply, StateStream, Watch
from emotional_ai.targets import joined
from emotional_ai.tracing import trace_metadata
from emotional_ai.training_job import TrainingJob
from emotional_ai.v1 import training_pb2
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub
from emotional_ai.v1.inference_pb2_grpc import InferenceStub
from emotional_ai.v1.training_pb2_grpc import TrainingStub

P = ParamSpec("P")
Result = TypeVar("Result")


def _call(build: Callable[P, Unary[Result]]) -> "Callable[Concatenate[Client, P], Result]":
    def method(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Result:
        return client._result(build(*args, **kwargs))

    return as_method(method, build)


def _list(build: Callable[P, Paged[Result]]) -> "Callable[Concatenate[Client, P], Iterator[Result]]":
    def method(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Result]:
        return client._items(build(*args, **kwargs))

    return as_method(method, build, Iterator)


def _reply(build: Callable[P, UnaryStream[Event]]) -> "Callable[Concatenate[Client, P], Reply[Event]]":
    def method(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Reply[Event]:
        return client._reply(build(*args, **kwargs))

    return as_method(method, build, Reply)


def _watch(
    build: Callable[P, Watching[Result]],
) -> "Callable[Concatenate[Client, P], Watch[Result]]":
    def method(client: "Client", /, *args: P.args, **kwargs: P.kwargs) -> Watch[Result]:
        return client._watch(build(*args, **kwargs))

    return as_method(method, build, Watch)


class Client:
    """Speaks to the service, one call after another; safe to share between threads.

        with Client() as client:
            client.create_session("ada")
            client.apply("ada", reward=0.8)
            print(client.state("ada").chemistry)

    `target` is HOST:PORT, or several numeric ones: "10.0.0.1:50051,10.0.0.2:50051", or a list of them. Calls go to one replica
    after another, and to none that is shutting down; so they do with the addresses of one name. Streams go on at another where
    theirs ends. Over TLS each shows a certificate for the first. ValueError tells of addresses that do not fit together.

    `token` is sent as a bearer token with every call, over an encrypted or local connection only. `deadlines` apply to calls
    without their own `timeout` in seconds; streams of states have none. `backoff` says how patiently streams reconnect, and
    how long the connection waits at most before it is tried again. With `tracing` each call goes on the trace of OpenTelemetry
    that is current where it is made (ModuleNotFoundError without that package). Methods raise the errors of
    `emotional_ai.errors`.
    """

    def __init__(
        self,
        target: str | Sequence[str] = DEFAULT_TARGET,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        deadlines: Deadlines | None = None,
        backoff: Backoff | None = None,
        tracing: bool = False,
    ) -> None:
        target = joined(target)
        self._own_metadata = call_metadata(target, credentials, token)
        self._trace = trace_metadata() if tracing else None
        self._deadlines = deadlines or Deadlines()
        self._backoff = backoff or Backoff()
        self._closed = False
        patience = self._backoff.longest_seconds
        self._channel = channel(target, credentials, channel_options(target, patience))
        self._watch_channel = channel(target, credentials, watch_options(target, patience))
        self._stubs = Stubs(
            EmotionEngineStub(self._channel),
            InferenceStub(self._channel),
            TrainingStub(self._channel),
            EmotionEngineStub(self._watch_channel),
        )

    create_session = _call(engine.create_session)
    get_session = _call(engine.get_session)
    list_sessions = _list(engine.list_sessions)
    update_session = _call(engine.update_session)
    delete_session = _call(engine.delete_session)
    reset_session = _call(engine.reset_session)
    state = _call(engine.state)
    apply = _call(engine.apply)
    apply_stimuli = _call(engine.apply_stimuli)
    sustain = _call(engine.sustain)
    skip = _call(engine.skip)
    watch = _watch(watching.watch)

    history = _call(timeline.history)
    explain = _call(timeline.explain)
    counterfactual = _call(timeline.counterfactual)
    export_session = _call(timeline.export_session)
    export_json = _call(timeline.export_json)
    import_session = _call(timeline.import_session)
    import_json = _call(timeline.import_json)
    simulate = _call(timeline.simulate)

    converse = _reply(inference.converse)
    generate = _reply(inference.generate)
    replay = _reply(inference.replay)
    appraise = _call(inference.appraise)
    preview_expression = _call(inference.preview_expression)
    get_model = _call(inference.get_model)
    get_load = _call(inference.get_load)
    list_adapters = _call(inference.list_adapters)

    start_job = _call(training.start_job)
    get_job = _call(training.get_job)
    list_jobs = _list(training.list_jobs)
    cancel_job = _call(training.cancel_job)
    watch_job = _watch(watching.watch_job)

    def train(
        self,
        recipe: training_pb2.Recipe.ValueType,
        *,
        config: training_pb2.TrainingConfig | None = None,
        max_cost_usd: float = 0.0,
        request_id: str = "",
        timeout: float | None = None,
    ) -> TrainingJob:
        """Starts a job, as `start_job`, and returns its handle: `client.train(Recipe.RECIPE_ALL).result()`."""
        job = self.start_job(recipe, config=config, max_cost_usd=max_cost_usd, request_id=request_id, timeout=timeout)
        return TrainingJob(self, job.job_id)

    def training_job(self, job_id: str) -> TrainingJob:
        """The handle of a job by its id; asks the service nothing."""
        return TrainingJob(self, job_id)

    def stream(self, session_id: str, *, credit: int = 0, interval_ms: int = 0) -> StateStream:
        """Applies stimuli and follows the state over one stream: `with client.stream("ada") as stream: ...`.

        `credit` responses (1..64, 4 if 0) may be on their way at once. A state comes on each change, and at least each
        `interval_ms` (1..3600000) of wall time if not 0.
        """
        return StateStream(
            lambda requests: self._stubs.engine.StreamState(requests, metadata=self._metadata),
            Flow(session_id, credit=credit, interval_ms=interval_ms),
            self._backoff,
            self._deadlines.seconds(Effort.UPDATE, None),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections; calls still open are cancelled, and none can be made any more."""
        self._closed = True
        self._channel.close()
        self._watch_channel.close()

    @property
    def _metadata(self) -> Metadata:
        """Metadata of a call about to be made. Raises ValueError once the client is closed."""
        if self._closed:
            raise ValueError("the client is closed")
        return self._own_metadata if self._trace is None else (*self._own_metadata, *self._trace())

    def _result(self, call: Unary[Result]) -> Result:
        method, seconds = call.method(self._stubs), self._deadlines.seconds(call.effort, call.timeout)
        try:
            return call.result(method(call.request, timeout=seconds, metadata=self._metadata))
        except grpc.RpcError as error:
            raise raised(error) from error

    def _items(self, paged: Paged[Result]) -> Iterator[Result]:
        token = ""
        while True:
            items, token = self._result(paged.page(token))
            yield from items
            if not token:
                return

    def _reply(self, call: UnaryStream[Event]) -> Reply[Event]:
        method, seconds = call.method(self._stubs), self._deadlines.seconds(Effort.REPLY, call.timeout)
        return Reply(lambda: method(call.request, timeout=seconds, metadata=self._metadata))

    def _watch(self, what: Watching[Result]) -> Watch[Result]:
        method = what.method(self._stubs)
        return Watch(lambda request: method(request, metadata=self._metadata), what, self._backoff)
