"""The clients' streams over a real connection to a scripted service that drops, drains, refuses and forgets."""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum

import grpc
import pytest

from emotional_ai import (
    AsyncClient,
    Backoff,
    Client,
    DataLoss,
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Signals,
    Unavailable,
    Watch,
)
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineServicer, add_EmotionEngineServicer_to_server

PATIENCE = 20.0
"""Seconds a test waits for what must come."""
QUICK = Backoff(first_seconds=0.01, longest_seconds=0.2, attempts=30)


class Fault(Enum):
    """What happens to one connection."""

    REFUSED = "unavailable at once"
    LOST_BEFORE_APPLYING = "lost as the second batch arrives"
    LOST_AFTER_APPLYING = "lost when the second batch is applied, unanswered"
    DRAINED = "said goodbye after the first batch"
    ENDED = "ended without a word after the first batch"
    FORGETS = "lost as the second batch arrives, with everything stored before"
    SILENT = "takes batches and never answers them"


class Scripted(EmotionEngineServicer):
    """Applies numbered batches once per resume token; each new connection meets the next fault of the script."""

    def __init__(self) -> None:
        self.script: deque[Fault] = deque()
        self.opened: list[pb.StreamOpen] = []
        self.applied: list[int] = []
        self.received: list[int] = []
        self.acks: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.watched: list[int] = []
        self.versions: deque[int | Fault] = deque()
        self.hung_up = threading.Event()
        self.release = threading.Event()

    def StreamState(self, requests, context):
        opened = next(requests).open
        self.opened.append(opened)
        fault = self.script.popleft() if self.script else None
        if opened.session_id == "unknown":
            context.abort(grpc.StatusCode.NOT_FOUND, "no session 'unknown'")
        if fault is Fault.REFUSED:
            context.abort(grpc.StatusCode.UNAVAILABLE, "draining")
        context.add_callback(self.hung_up.set)
        yield self._state(1, resume_token=opened.resume_token or "token")
        sequence, batches = 1, 0
        for request in requests:
            if request.WhichOneof("message") == "ack":
                self.acks.put(request.ack.sequence)
                continue
            batches += 1
            if request.batch.stimuli[0].event.reward > 1:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "batch.stimuli[0].event.reward: must be in [0, 1]")
            if fault is Fault.LOST_BEFORE_APPLYING and batches == 2:
                context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
            if fault is Fault.FORGETS and batches == 2:
                self.applied.clear()
                context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
            self._apply(request.batch)
            if fault is Fault.LOST_AFTER_APPLYING and batches == 2:
                context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
            if fault is Fault.SILENT:
                continue
            if fault is Fault.ENDED:
                return
            sequence += 1
            yield self._state(sequence, draining=fault is Fault.DRAINED)
            if fault is Fault.DRAINED:
                return

    def _apply(self, batch):
        self.received.append(batch.number)
        last = self.applied[-1] if self.applied else 0
        assert batch.number <= last + 1
        if batch.number > last:
            self.applied.append(batch.number)

    def _state(self, sequence, **more):
        last = self.applied[-1] if self.applied else 0
        return pb.StreamStateResponse(
            sequence=sequence, state=pb.EmotionalState(version=last), acknowledged_batch=last, **more
        )

    def WatchState(self, request, context):
        self.watched.append(request.after_version)
        context.add_callback(self.hung_up.set)
        last = request.after_version
        while self.versions:
            match self.versions.popleft():
                case Fault.REFUSED:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "draining")
                case Fault.DRAINED:
                    yield pb.WatchStateResponse(state=pb.EmotionalState(version=last), draining=True)
                    return
                case Fault.ENDED:
                    return
                case version:
                    last = version
                    yield pb.WatchStateResponse(state=pb.EmotionalState(version=version), coalesced=version * 10)
        if request.session_id == "unknown":
            context.abort(grpc.StatusCode.NOT_FOUND, "no session 'unknown'")
        self.release.wait(PATIENCE)


def serve(service: Scripted, address: str = "127.0.0.1:0") -> tuple[grpc.Server, str]:
    server = grpc.server(ThreadPoolExecutor(8))
    add_EmotionEngineServicer_to_server(service, server)
    port = server.add_insecure_port(address)
    server.start()
    return server, f"127.0.0.1:{port}"


@pytest.fixture
def service() -> Scripted:
    return Scripted()


@pytest.fixture
def target(service: Scripted) -> Iterator[str]:
    server, target = serve(service)
    yield target
    service.release.set()
    server.stop(None).wait(PATIENCE)


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    with Client(target, backoff=QUICK) as client:
        yield client


# ---- state streams, blocking


def test_batches_are_numbered_stored_and_acknowledged(client: Client, service: Scripted) -> None:
    with client.stream("ada") as stream:
        assert [stream.send(reward=0.1), stream.send(Signals(threat=0.2)), stream.send(loss=0.3)] == [1, 2, 3]
        stream.flush(PATIENCE)
        assert stream.acknowledged == 3
    assert service.applied == [1, 2, 3]


def test_a_clean_exit_waits_until_everything_sent_is_stored(client: Client, service: Scripted) -> None:
    with client.stream("ada") as stream:
        for _ in range(300):
            stream.send(reward=0.1)
    assert service.applied == list(range(1, 301))


def test_iterating_gives_the_latest_state(client: Client) -> None:
    with client.stream("ada") as stream:
        stream.send(reward=0.1)
        versions = []
        for state in stream:
            versions.append(state.version)
            if state.version == 1:
                break
    assert versions in ([0, 1], [1])


def test_every_response_is_acknowledged_by_itself(client: Client, service: Scripted) -> None:
    with client.stream("ada") as stream:
        stream.send(reward=0.1)
        assert [service.acks.get(timeout=PATIENCE) for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE_APPLYING, Fault.LOST_AFTER_APPLYING, Fault.DRAINED, Fault.ENDED])
def test_whatever_interrupts_a_stream_no_batch_is_lost_or_doubled(
    client: Client, service: Scripted, fault: Fault
) -> None:
    service.script.extend([fault, Fault.REFUSED, fault])
    with client.stream("ada") as stream:
        for _ in range(6):
            stream.send(reward=0.1)
        stream.flush(PATIENCE)
    assert service.applied == [1, 2, 3, 4, 5, 6]
    assert [opened.resume_token for opened in service.opened] == ["", *["token"] * (len(service.opened) - 1)]
    assert len(service.opened) > 3


def test_a_batch_applied_but_unanswered_is_sent_again_and_recognised(client: Client, service: Scripted) -> None:
    service.script.append(Fault.LOST_AFTER_APPLYING)
    with client.stream("ada") as stream:
        stream.send(reward=0.1)
        stream.flush(PATIENCE)
        stream.send(reward=0.2)
    assert service.received == [1, 2] or service.received == [1, 2, 2]
    assert service.applied == [1, 2]


def test_a_stream_outlives_a_restart_of_the_service(service: Scripted) -> None:
    server, target = serve(service)
    with Client(target, backoff=QUICK) as client, client.stream("ada") as stream:
        stream.send(reward=0.1)
        stream.flush(PATIENCE)
        server.stop(None).wait(PATIENCE)
        stream.send(reward=0.2)
        server, _ = serve(service, target)
        stream.flush(PATIENCE)
        assert service.applied == [1, 2]
    server.stop(None).wait(PATIENCE)


def test_a_service_that_stays_away_ends_the_stream_after_bounded_attempts(target: str, service: Scripted) -> None:
    service.script.extend([Fault.REFUSED] * 100)
    with (
        Client(target, backoff=Backoff(first_seconds=0.01, longest_seconds=5.0, attempts=3)) as client,
        client.stream("ada") as stream,
        pytest.raises(Unavailable, match="draining") as caught,
    ):
        next(stream)
    assert len(service.opened) == 4
    assert caught.value.__notes__ == ["gave up after 4 attempts to connect in a row"]


def test_an_unknown_session_ends_the_stream_at_once(client: Client, service: Scripted) -> None:
    with client.stream("unknown") as stream, pytest.raises(NotFound):
        next(stream)
    assert len(service.opened) == 1


def test_a_refused_batch_is_raised_on_exit_if_nowhere_else(client: Client) -> None:
    with pytest.raises(InvalidArgument, match="must be in"), client.stream("ada") as stream:
        stream.send(reward=1.5)


def test_an_error_inside_the_block_is_not_hidden_by_a_batch_still_under_way(client: Client, service: Scripted) -> None:
    service.script.append(Fault.SILENT)

    def use() -> None:
        with client.stream("ada") as stream:
            stream.send(reward=0.1)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        use()


def test_a_batch_that_is_never_acknowledged_ends_in_a_deadline(client: Client, service: Scripted) -> None:
    service.script.append(Fault.SILENT)
    with client.stream("ada") as stream:
        stream.send(reward=0.1)
        with pytest.raises(DeadlineExceeded, match=r"batches 1\.\.1 were not stored within 0.1 s"):
            stream.flush(0.1)
        stream.close()


def test_a_service_that_forgot_what_it_acknowledged_is_data_loss(client: Client, service: Scripted) -> None:
    service.script.append(Fault.FORGETS)
    with client.stream("ada") as stream:
        stream.send(reward=0.1)
        stream.flush(PATIENCE)
        stream.send(reward=0.1)
        with pytest.raises(DataLoss, match="up to 0 only, though it had acknowledged 1"):
            stream.flush(PATIENCE)
        stream.close()


def test_leaving_the_block_cancels_the_call_at_the_service(client: Client, service: Scripted) -> None:
    with client.stream("ada") as stream:
        next(stream)
    assert service.hung_up.wait(PATIENCE)


def test_closing_from_another_thread_ends_the_iteration(client: Client) -> None:
    with client.stream("ada") as stream:
        next(stream)
        closer = threading.Thread(target=stream.close)
        closer.start()
        assert list(stream) == []
        closer.join(PATIENCE)
        with pytest.raises(ValueError, match="closed"):
            stream.send(reward=0.1)


def test_a_stream_outside_its_block_takes_nothing_and_says_so(client: Client, service: Scripted) -> None:
    stream = client.stream("ada")
    with pytest.raises(ValueError, match="not open; use it inside its `with` block"):
        stream.send(reward=0.1)
    with pytest.raises(ValueError, match="not open"):
        next(stream)
    stream.flush(PATIENCE)
    stream.close()
    with pytest.raises(ValueError, match="the stream is closed"):
        stream.send(reward=0.1)
    assert not service.opened


def test_a_flush_may_wait_without_an_end(client: Client, service: Scripted) -> None:
    with client.stream("ada") as stream:
        stream.send(reward=0.1)
        stream.flush(float("inf"))
        assert service.applied == [1]
        for seconds in (float("nan"), -1.0):
            with pytest.raises(ValueError, match="`within` must be a number of seconds, 0 or more; got"):
                stream.flush(seconds)


# ---- watches, blocking


def until(watch: Watch[pb.EmotionalState], last: int) -> list[int]:
    """Versions taken up to the one named."""
    seen: list[int] = []
    for state in watch:
        seen.append(state.version)
        if state.version == last:
            break
    return seen


def test_a_watch_goes_on_after_the_last_version_seen(client: Client, service: Scripted) -> None:
    service.versions.extend([1, 2, Fault.REFUSED, 3, Fault.ENDED, 4])
    with client.watch("ada") as watch:
        seen = until(watch, 4)
    assert seen == sorted(seen)
    assert {2, 3} <= set(seen), "what was newest as a connection broke off is taken before the next one"
    assert service.watched == [0, 2, 3]


def test_a_watch_says_how_much_was_folded_into_a_state(client: Client, service: Scripted) -> None:
    service.versions.append(7)
    with client.watch("ada") as watch:
        next(iter(watch))
        assert watch.coalesced == 70


def test_a_draining_service_is_watched_again(client: Client, service: Scripted) -> None:
    service.versions.extend([5, Fault.DRAINED, 6])
    with client.watch("ada", after_version=4) as watch:
        seen = until(watch, 6)
    assert seen in ([5, 6], [5, 5, 6])
    assert service.watched == [4, 5]


def test_a_watch_of_an_unknown_session_is_not_found(client: Client) -> None:
    with client.watch("unknown") as watch, pytest.raises(NotFound):
        next(iter(watch))


def test_leaving_a_watch_cancels_it_at_the_service(client: Client, service: Scripted) -> None:
    service.versions.append(1)
    with client.watch("ada") as watch:
        next(iter(watch))
    assert service.hung_up.wait(PATIENCE)


def test_closing_a_watch_from_another_thread_ends_its_iteration(client: Client, service: Scripted) -> None:
    service.versions.append(1)
    with client.watch("ada") as watch:
        states = iter(watch)
        next(states)
        closer = threading.Thread(target=watch.close)
        closer.start()
        assert list(states) == []
        closer.join(PATIENCE)


# ---- both, by asyncio


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE_APPLYING, Fault.LOST_AFTER_APPLYING, Fault.DRAINED, Fault.ENDED])
async def test_by_asyncio_no_batch_is_lost_or_doubled_either(target: str, service: Scripted, fault: Fault) -> None:
    service.script.extend([fault, Fault.REFUSED, fault])
    async with AsyncClient(target, backoff=QUICK) as client, client.stream("ada") as stream:
        for _ in range(6):
            await stream.send(reward=0.1)
        await stream.flush(PATIENCE)
    assert service.applied == [1, 2, 3, 4, 5, 6]


async def test_by_asyncio_a_clean_exit_waits_until_everything_is_stored(target: str, service: Scripted) -> None:
    async with AsyncClient(target) as client, client.stream("ada") as stream:
        for _ in range(300):
            await stream.send(reward=0.1)
    assert service.applied == list(range(1, 301))


async def test_by_asyncio_states_arrive_while_batches_are_sent(target: str) -> None:
    async with AsyncClient(target) as client, client.stream("ada") as stream, asyncio.timeout(PATIENCE):
        async for state in stream:
            if state.version == 20:
                break
            await stream.send(reward=0.1)


async def test_by_asyncio_a_fatal_error_is_raised_where_the_stream_is_used(target: str) -> None:
    async with AsyncClient(target) as client:
        async with client.stream("unknown") as stream:
            with pytest.raises(NotFound):
                await anext(stream)
        with pytest.raises(InvalidArgument, match="must be in"):
            async with client.stream("ada") as stream:
                await stream.send(reward=1.5)


async def test_by_asyncio_a_stream_outside_its_block_says_so_and_one_that_ended_ends(target: str) -> None:
    async with AsyncClient(target) as client:
        stream = client.stream("ada")
        with pytest.raises(ValueError, match="not open; use it inside its `async with` block"):
            await stream.send(reward=0.1)
        with pytest.raises(ValueError, match="not open"):
            await anext(stream)
        await stream.close()
        async with asyncio.timeout(PATIENCE), client.stream("ada") as opened:
            await anext(opened)
            await opened.close()
            assert [state async for state in opened] == []


async def test_by_asyncio_cancelling_the_task_cancels_the_call_and_is_not_swallowed(
    target: str, service: Scripted
) -> None:
    async with AsyncClient(target) as client:
        reading = asyncio.Event()

        async def read() -> None:
            async with client.stream("ada") as stream:
                async for _ in stream:
                    reading.set()

        task = asyncio.create_task(read())
        async with asyncio.timeout(PATIENCE):
            await reading.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert await asyncio.to_thread(service.hung_up.wait, PATIENCE)


async def test_by_asyncio_a_watch_resumes_and_is_cancelled_on_exit(target: str, service: Scripted) -> None:
    service.versions.extend([1, Fault.REFUSED, 2, Fault.DRAINED, 3])
    async with AsyncClient(target, backoff=QUICK) as client:
        async with client.watch("ada") as watch, asyncio.timeout(PATIENCE):
            seen = []
            async for state in watch:
                seen.append(state.version)
                if state.version == 3:
                    break
        assert await asyncio.to_thread(service.hung_up.wait, PATIENCE)
    assert seen in ([1, 2, 3], [1, 2, 2, 3])
    assert service.watched == [0, 1, 2]
