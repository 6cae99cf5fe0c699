"""The streams of `AsyncClient`. Each is a context manager that cancels its call on exit: gRPC never collects one left open."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, Unpack

import grpc
from grpc.aio import StreamStreamCall, UnaryStreamCall

from emotional_ai.ahead import AsyncAhead
from emotional_ai.backoff import Attempts, Backoff
from emotional_ai.calls.call import bounded
from emotional_ai.calls.watching import Watching
from emotional_ai.errors import Cancelled, EmotionalAIError, Unavailable, raised
from emotional_ai.flow import Flow
from emotional_ai.replies import Event, ReplySoFar
from emotional_ai.stimuli import Happening, Intensities, Moment, happenings
from emotional_ai.streams import ENDED, not_stored, resumable
from emotional_ai.v1 import engine_pb2 as pb

Item = TypeVar("Item")
Outbox = asyncio.Queue[pb.StreamStateRequest]
Duplex = StreamStreamCall[pb.StreamStateRequest, pb.StreamStateResponse]

NOT_OPEN = "the stream is not open; use it inside its `async with` block"


class AsyncStateStream:
    """Stimuli one way, the latest state the other, over as many connections as it takes.

    A task of its own reads, acknowledges, reconnects and sends again what was not yet stored; the service recognises a batch
    it has already. Iterating gives the latest state whenever there is a newer one. A clean exit waits until everything sent is
    stored. What ends the stream for good is raised by whichever method is used next.
    """

    def __init__(
        self,
        start: Callable[[], Duplex],
        flow: Flow,
        backoff: Backoff,
        flush_seconds: float,
    ) -> None:
        self._start = start
        self._flow = flow
        self._backoff = backoff
        self._flush_seconds = flush_seconds
        self._changed = asyncio.Event()
        self._failure: Exception | None = None
        self._outbox: Outbox = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def acknowledged(self) -> int:
        """Number of the last batch that is stored; every batch up to it is."""
        return self._flow.acknowledged

    @property
    def coalesced(self) -> int:
        """Changes folded into the state taken last, beyond the first."""
        return self._flow.coalesced

    async def send(
        self,
        *what: Happening,
        note: str = "",
        occurred_at: Moment | None = None,
        **signals: Unpack[Intensities],
    ) -> int:
        """Sends 1..128 stimuli as one batch and returns its number: `await stream.send(reward=0.8)`.

        It is stored once `acknowledged` has reached that number. Waits while too many batches are not yet stored.
        """
        stimuli = happenings(what, signals, note=note, occurred_at=occurred_at)
        await self._until(lambda: not self._flow.full)
        self._check()
        message = self._flow.batch(stimuli)
        if message is not None:
            self._outbox.put_nowait(message)
        return self._flow.sent

    async def flush(self, within: float | None = None) -> None:
        """Waits until everything sent is stored, at most `within` seconds. Raises DeadlineExceeded."""
        seconds = bounded("`within`", self._flush_seconds if within is None else within)
        try:
            async with asyncio.timeout(seconds):
                await self._until(lambda: self._flow.settled)
        except TimeoutError:
            raise not_stored(self._flow, seconds) from None
        if not self._flow.settled:
            self._check()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> pb.EmotionalState:
        if self._task is None:
            raise ValueError(NOT_OPEN)
        await self._until(lambda: self._flow.news)
        if self._flow.news:
            return self._flow.take()
        if self._failure is not None:
            raise self._failure
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="emotional-ai state stream")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and not self._closed:
                await self.flush()
        finally:
            await self.close()

    async def close(self) -> None:
        """Ends the stream at once."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    @property
    def _over(self) -> bool:
        return self._task is None or self._task.done()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._over:
            raise ValueError(NOT_OPEN)

    async def _until(self, condition: Callable[[], bool]) -> None:
        """Waits for the condition, or the end of the stream."""
        while not (condition() or self._over or self._failure):
            self._changed.clear()
            await self._changed.wait()

    async def _run(self) -> None:
        attempts = Attempts(self._backoff)
        try:
            while True:
                attempts.began()
                error = await self._connection(attempts)
                await asyncio.sleep(attempts.wait_after(error))
        except Exception as error:
            self._failure = error
        finally:
            self._changed.set()

    async def _connection(self, attempts: Attempts) -> EmotionalAIError:
        """One call, from its opening to its end. Returns why to make another; raises why not to."""
        self._outbox = outbox = Outbox()
        outbox.put_nowait(self._flow.opening())
        call = self._start()
        # Handed the outbox, gRPC would leave a task behind that waits for a request after the call has ended.
        writing = asyncio.create_task(write(_taken_from(outbox), call), name="emotional-ai requests of a state stream")
        try:
            async for response in call:
                attempts.worked()
                for message in self._flow.receive(response):
                    outbox.put_nowait(message)
                self._changed.set()
                if response.draining:
                    break
            return Unavailable(ENDED)
        except grpc.RpcError as error:
            return Unavailable(ENDED) if _written_too_late(error) else resumable(error, closed=False)
        finally:
            self._flow.disconnected()
            call.cancel()
            writing.cancel()
            await asyncio.wait([writing])


def _written_too_late(error: grpc.RpcError) -> bool:
    """Whether a request was being written as the call ended: grpc.aio then hides how it ended behind a status of its own."""
    return (
        isinstance(error, grpc.aio.AioRpcError)
        and error.code() is grpc.StatusCode.INTERNAL
        and error.details() == "Internal error from Core"
    )


async def _taken_from(outbox: Outbox) -> AsyncIterator[pb.StreamStateRequest]:
    while True:
        yield await outbox.get()


async def write(requests: AsyncIterator[Item], call: StreamStreamCall[Item, Any]) -> None:
    """Writes requests until they or the call end. Raises what is wrong with them, once the call is cancelled."""
    try:
        async for request in requests:
            await call.write(request)
        await call.done_writing()
    except (grpc.RpcError, asyncio.InvalidStateError):
        return  # How the call itself ends is told to its reader.
    except Exception:
        call.cancel()
        raise


class AsyncWatch(Generic[Item]):
    """Follows something the service publishes; takes it up again where it broke off."""

    def __init__(
        self,
        start: Callable[[Any], UnaryStreamCall[Any, Any]],
        watching: Watching[Item],
        backoff: Backoff,
    ) -> None:
        self._start = start
        self._watching = watching
        self._request = watching.request
        self._attempts = Attempts(backoff)
        self._closed = False
        self._call: UnaryStreamCall[Any, Any] | None = None
        self._heard: Any = None
        self.coalesced = 0
        """Changes folded into the item taken last, beyond the first."""

    async def __aiter__(self) -> AsyncIterator[Item]:
        while not self._closed:
            call = self._opened()
            try:
                async for response, changes in self._read(call):
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
                error = resumable(failure, closed=self._closed)
            finally:
                call.cancel()
            if not self._closed:
                await asyncio.sleep(self._attempts.wait_after(error))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the watch."""
        self._closed = True
        if self._call is not None:
            self._call.cancel()

    def _read(self, call: UnaryStreamCall[Any, Any]) -> AsyncIterable[tuple[Any, int]]:
        """Responses with the changes they tell of."""
        if self._watching.newest:
            return AsyncAhead(call, self._count)
        return self._counted(call)

    async def _counted(self, call: UnaryStreamCall[Any, Any]) -> AsyncIterator[tuple[Any, int]]:
        async for response in call:
            yield response, self._count(response)

    def _count(self, response: Any) -> int:
        before, self._heard = self._heard, response
        return self._watching.changes(response, before)

    def _opened(self) -> UnaryStreamCall[Any, Any]:
        self._attempts.began()
        self._call = self._start(self._request)
        return self._call


class AsyncReply(ReplySoFar[Event]):
    """A reply as it is spoken: iterate its events, or its `pieces`, or `read` it whole."""

    def __init__(self, start: Callable[[], UnaryStreamCall[Any, Event]]) -> None:
        super().__init__()
        self._start: Callable[[], UnaryStreamCall[Any, Event]] = start
        self._call: UnaryStreamCall[Any, Event] | None = None

    async def __aenter__(self) -> Self:
        self._call = self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops the reply; the service then stops decoding."""
        if self._call is not None:
            self._call.cancel()

    async def __aiter__(self) -> AsyncIterator[Event]:
        if self._call is None:
            raise ValueError("a reply is used in an `async with` block")
        try:
            async for event in self._call:
                yield self._take(event)
        except grpc.RpcError as error:
            raise raised(error) from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise Cancelled("the reply was stopped: its client was closed") from error  # the caller itself was not

    async def pieces(self) -> AsyncIterator[str]:
        """The text of the reply, piece by piece."""
        async for event in self:
            if event.WhichOneof("event") == "text":
                yield event.text.text

    async def read(self) -> str:
        """The whole text, once the reply is complete."""
        async for _ in self:
            pass
        return self.text
