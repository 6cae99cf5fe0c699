"""The streams of `Client`. Each is a context manager that cancels its call on exit: gRPC never collects one left open."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack

import grpc

from emotional_ai.ahead import Ahead
from emotional_ai.backoff import Attempts, Backoff
from emotional_ai.calls.call import bounded
from emotional_ai.calls.watching import Watching
from emotional_ai.errors import Cancelled, DeadlineExceeded, Details, EmotionalAIError, Unavailable, raised
from emotional_ai.flow import Flow
from emotional_ai.replies import Event, ReplySoFar
from emotional_ai.stimuli import Happening, Intensities, Moment, happenings
from emotional_ai.v1 import engine_pb2 as pb

Item = TypeVar("Item")
Outbox = queue.SimpleQueue[pb.StreamStateRequest | None]

ENDED = "the service ended the stream"


class StateStream:
    """Stimuli one way, the latest state the other, over as many connections as it takes.

    A thread of its own reads, acknowledges, reconnects and sends again what was not yet stored; the service recognises a batch
    it has already. Iterating gives the latest state whenever there is a newer one. A clean exit waits until everything sent is
    stored. What ends the stream for good is raised by whichever method is used next.
    """

    def __init__(
        self,
        start: "Callable[[Iterator[pb.StreamStateRequest]], grpc.CallIterator[pb.StreamStateResponse]]",
        flow: Flow,
        backoff: Backoff,
        flush_seconds: float,
    ) -> None:
        self._start = start
        self._flow = flow
        self._backoff = backoff
        self._flush_seconds = flush_seconds
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._failure: Exception | None = None
        self._outbox: Outbox = queue.SimpleQueue()
        self._call: grpc.CallIterator[pb.StreamStateResponse] | None = None
        self._thread = threading.Thread(target=self._run, name="emotional-ai state stream", daemon=True)

    @property
    def acknowledged(self) -> int:
        """Number of the last batch that is stored; every batch up to it is."""
        return self._flow.acknowledged

    @property
    def coalesced(self) -> int:
        """Changes folded into the state taken last, beyond the first."""
        return self._flow.coalesced

    def send(
        self,
        *what: Happening,
        note: str = "",
        occurred_at: Moment | None = None,
        **signals: Unpack[Intensities],
    ) -> int:
        """Sends 1..128 stimuli as one batch and returns its number: `send(reward=0.8)`.

        It is stored once `acknowledged` has reached that number. Waits while too many batches are not yet stored.
        """
        stimuli = happenings(what, signals, note=note, occurred_at=occurred_at)
        with self._changed:
            self._changed.wait_for(lambda: self._over or not self._flow.full)
            self._check()
            message = self._flow.batch(stimuli)
            if message is not None:
                self._outbox.put(message)
            return self._flow.sent

    def flush(self, within: float | None = None) -> None:
        """Waits until everything sent is stored, at most `within` seconds. Raises DeadlineExceeded."""
        seconds = bounded("`within`", self._flush_seconds if within is None else within)
        with self._changed:
            in_time = self._changed.wait_for(lambda: self._over or self._flow.settled, seconds)
            if self._flow.settled:
                return
            self._check()
            if not in_time:
                raise not_stored(self._flow, seconds)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> pb.EmotionalState:
        self._check_opened()
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._flow.news)
            if self._flow.news:
                return self._flow.take()
            if self._failure is not None:
                raise self._failure
            raise StopIteration

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self._closed.is_set():
                self.flush()
        finally:
            self.close()

    def close(self) -> None:
        """Ends the stream at once; safe from any thread, and twice."""
        with self._changed:
            self._closed.set()
            self._changed.notify_all()
            if self._call is not None:
                _cancel(self._call)
        if self._opened and self._thread is not threading.current_thread():
            self._thread.join()

    @property
    def _opened(self) -> bool:
        return self._thread.ident is not None

    @property
    def _over(self) -> bool:
        return self._failure is not None or self._closed.is_set()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closed.is_set():
            raise ValueError("the stream is closed")
        self._check_opened()

    def _check_opened(self) -> None:
        if not self._opened:
            raise ValueError("the stream is not open; use it inside its `with` block")

    def _run(self) -> None:
        attempts = Attempts(self._backoff)
        try:
            while not self._closed.is_set():
                attempts.began()
                error = self._connection(attempts)
                if self._closed.is_set() or self._closed.wait(attempts.wait_after(error)):
                    return
        except Exception as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _connection(self, attempts: Attempts) -> EmotionalAIError:
        """One call, from its opening to its end. Returns why to make another; raises why not to."""
        outbox: Outbox = queue.SimpleQueue()
        outbox.put(self._flow.opening())
        call = self._start(iter(outbox.get, None))
        with self._changed:
            self._outbox, self._call = outbox, call
            if self._closed.is_set():
                _cancel(call)
        try:
            for response in call:
                attempts.worked()
                self._receive(response, outbox)
                if response.draining:
                    break
            return Unavailable(ENDED)
        except grpc.RpcError as error:
            return resumable(error, closed=self._closed.is_set())
        finally:
            with self._changed:
                self._flow.disconnected()
            outbox.put(None)
            _cancel(call)

    def _receive(self, response: pb.StreamStateResponse, outbox: Outbox) -> None:
        with self._changed:
            for message in self._flow.receive(response):
                outbox.put(message)
            self._changed.notify_all()


class Watch(Generic[Item]):
    """Follows something the service publishes; takes it up again where it broke off."""

    def __init__(
        self,
        start: "Callable[[Any], grpc.CallIterator[Any]]",
        watching: Watching[Item],
        backoff: Backoff,
    ) -> None:
        self._start = start
        self._watching = watching
        self._request = watching.request
        self._attempts = Attempts(backoff)
        self._closed = threading.Event()
        self._call: grpc.CallIterator[Any] | None = None
        self._heard: Any = None
        self.coalesced = 0
        """Changes folded into the item taken last, beyond the first."""

    def __iter__(self) -> Iterator[Item]:
        while not self._closed.is_set():
            call = self._opened()
            try:
                for response, changes in self._read(call):
                    self._attempts.worked()
                    self.coalesced = max(changes - 1, 0)
                    self._request = self._watching.after(response)
                    yield self._watching.item(response)
                    if self._watching.draining(response):
                        break
                else:
                    if self._watching.ends:
                        return
                error: EmotionalAIError = Unavailable(ENDED)
            except grpc.RpcError as failure:
                error = resumable(failure, closed=self._closed.is_set())
            finally:
                _cancel(call)
            if self._closed.is_set() or self._closed.wait(self._attempts.wait_after(error)):
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the watch; safe from any thread, and twice."""
        self._closed.set()
        if self._call is not None:
            _cancel(self._call)

    def _read(self, call: "grpc.CallIterator[Any]") -> Iterable[tuple[Any, int]]:
        """Responses with the changes they tell of."""
        if self._watching.newest:
            return Ahead(call, self._count)
        return ((response, self._count(response)) for response in call)

    def _count(self, response: Any) -> int:
        before, self._heard = self._heard, response
        return self._watching.changes(response, before)

    def _opened(self) -> "grpc.CallIterator[Any]":
        self._attempts.began()
        self._call = self._start(self._request)
        if self._closed.is_set():
            _cancel(self._call)
        return self._call


class Reply(ReplySoFar[Event]):
    """A reply as it is spoken: iterate its events, or its `pieces`, or `read` it whole."""

    def __init__(self, start: "Callable[[], grpc.CallIterator[Event]]") -> None:
        super().__init__()
        self._start: Callable[[], grpc.CallIterator[Event]] = start
        self._call: grpc.CallIterator[Event] | None = None

    def __enter__(self) -> Self:
        self._call = self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops the reply; the service then stops decoding."""
        if self._call is not None:
            _cancel(self._call)

    def __iter__(self) -> Iterator[Event]:
        if self._call is None:
            raise ValueError("a reply is used in a `with` block")
        try:
            for event in self._call:
                yield self._take(event)
        except grpc.RpcError as error:
            raise raised(error) from error

    def pieces(self) -> Iterator[str]:
        """The text of the reply, piece by piece."""
        for event in self:
            if event.WhichOneof("event") == "text":
                yield event.text.text

    def read(self) -> str:
        """The whole text, once the reply is complete."""
        for _ in self:
            pass
        return self.text


def _cancel(call: "grpc.CallIterator[Any]") -> None:
    call.cancel()  # type: ignore[no-untyped-call]


def resumable(error: grpc.RpcError, *, closed: bool) -> EmotionalAIError:
    """The error of a lost connection. Raises any other, unless the stream is being closed anyway.

    A call that its own client did not cancel was cancelled by a service on its way down.
    """
    failure = raised(error)
    if closed or isinstance(failure, Unavailable | Cancelled):
        return failure
    raise failure from error


def not_stored(flow: Flow, seconds: float) -> DeadlineExceeded:
    """The error of batches that were not stored in time."""
    return DeadlineExceeded(
        f"batches {flow.acknowledged + 1}..{flow.sent} were not stored within {seconds:g} s, and may be yet; wait longer "
        "with `flush(seconds)`, or read the session's history",
        Details("NOT_STORED_IN_TIME"),
    )
