"""The parent's side of a worker: many requests over one pipe, and a supervisor that keeps a process alive.

    async with Worker(spec) as worker:
        async with aclosing(worker.request(message)) as events:
            async for event in events: ...

Leaving a request early cancels it in the child within one step. When the process dies, every request under way fails at once
with WorkerUnavailable, and a new process is started after a delay that doubles with each failure in a row.
"""

import asyncio
import logging
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from emotional_ai_service.workers.errors import Overloaded, WorkerStartFailed, WorkerUnavailable
from emotional_ai_service.workers.load import Load
from emotional_ai_service.workers.messages import (
    Begin,
    Cancel,
    Ended,
    Outcome,
    Raised,
    Ready,
    StartFailed,
    ToTarget,
    Update,
    frame,
    read_from_child,
)
from emotional_ai_service.workers.spec import WorkerSpec

FIRST_DELAY: Final = 0.25
"""Seconds before a dead process is replaced."""
LONGEST_DELAY: Final = 30.0
"""Where the doubling of that delay ends, in seconds."""
STABLE_AFTER: Final = 60.0
"""Seconds a process must have lived for its death to count as the first again."""
STOP_GRACE: Final = 2.0
"""Seconds a child has to leave after its pipe closed; then it is killed."""

RequestT = TypeVar("RequestT")
EventT = TypeVar("EventT")
log = logging.getLogger(__name__)


class Worker(Generic[RequestT, EventT]):
    """One supervised process. `start` before use and `close` after, or `async with`."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.spec = spec
        self.description: object = None
        """What the target last said of itself; None until it stood once."""
        self.load = Load()
        """What the target last said is under way; nothing while there is no process."""
        self.restarts = 0
        """Times a process that had come up was replaced."""
        self._process: Process | None = None
        self._ready = False
        self._delay = FIRST_DELAY
        self._start_seconds = 0.0
        """How long the process took to come up last."""
        self._died = 0.0
        """When the last process ended, on the loop's clock."""
        self._tickets = 0
        self._pending: dict[int, asyncio.Queue[Outcome | Exception]] = {}
        self._typical_seconds = 1.0
        self._supervisor: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether a request would be taken on now."""
        return self._ready and len(self._pending) < self.spec.capacity

    @property
    def pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Starts the process and returns once its target stands. Raises WorkerStartFailed if it does not come up."""
        if self._supervisor is not None:
            raise RuntimeError("a worker is started once")
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._supervisor = asyncio.create_task(self._supervise(first), name=f"supervise {self.spec.name}")
        try:
            await first
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Ends the process and fails whatever is under way. Nothing is left behind."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await self._supervisor

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def request(
        self, request: RequestT, updates: AsyncIterator[object] | None = None
    ) -> AsyncGenerator[EventT, None]:
        """The events of one request. Closing the generator early cancels the request.

        Each of `updates` is passed to the target as it comes; they may end before the request and are not awaited beyond
        its end. Raises WorkerUnavailable, Overloaded, WorkerFault, the ServiceError the target raised, or what `updates`
        raised.
        """
        process = self._admit()
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._tickets += 1
        ticket = self._tickets
        outcomes: asyncio.Queue[Outcome | Exception] = asyncio.Queue()
        self._pending[ticket] = outcomes
        self._tell(process, Begin(ticket, request))
        passing = None if updates is None else asyncio.create_task(self._pass_on(process, ticket, updates))
        try:
            while not isinstance(outcome := await outcomes.get(), Ended):
                if isinstance(outcome, Exception):
                    raise outcome
                if isinstance(outcome, Raised):
                    raise outcome.error
                yield outcome.value  # type: ignore[misc]  # the target's promise, see EventT
            self._typical_seconds += 0.1 * (loop.time() - began - self._typical_seconds)
        finally:
            if self._pending.pop(ticket, None) is not None and self._process is process:
                self._tell(process, Cancel(ticket))  # the child ignores it if the request has ended
            if passing is not None:
                passing.cancel()
                await asyncio.wait((passing,))

    async def _pass_on(self, process: Process, ticket: int, updates: AsyncIterator[object]) -> None:
        try:
            async for value in updates:
                self._tell(process, Update(ticket, value))
        except Exception as error:
            if (outcomes := self._pending.get(ticket)) is not None:
                outcomes.put_nowait(error)

    def _admit(self) -> Process:
        if not self._ready or self._process is None:
            raise WorkerUnavailable(self.spec.name, "is not running", self._comes_back())
        if len(self._pending) >= self.spec.capacity:
            raise Overloaded(self.spec.name, self.spec.capacity, max(self._typical_seconds, 0.1))
        return self._process

    def _comes_back(self) -> float:
        """Seconds until a process may be up again: as long as the last one took, less what has passed."""
        passed = asyncio.get_running_loop().time() - self._died
        return max(self._delay, self._delay + self._start_seconds - passed)

    @staticmethod
    def _tell(process: Process, message: ToTarget) -> None:
        assert process.stdin is not None
        if not process.stdin.is_closing():  # a closing pipe means a dead child, which the supervisor is about to see
            process.stdin.write(frame(message))

    async def _supervise(self, first: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                began = loop.time()
                try:
                    problem = await self._live(first)
                except OSError as error:
                    problem = f"could not be started: {error}"
                if not first.done():
                    first.set_exception(WorkerStartFailed(f"the {self.spec.name} did not start: {problem}"))
                    return
                if loop.time() - began > STABLE_AFTER:
                    self._delay = FIRST_DELAY
                log.warning("the %s %s; starting it again in %.2f s", self.spec.name, problem, self._delay)
                await asyncio.sleep(self._delay)
                self.restarts += 1
                self._delay = min(2 * self._delay, LONGEST_DELAY)
        finally:
            self._fail_pending("was closed")

    async def _live(self, first: asyncio.Future[None]) -> str:
        """The life of one process, from spawn to death; returns what ended it."""
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "emotional_ai_service.workers.child", stdin=PIPE, stdout=PIPE
        )
        began = asyncio.get_running_loop().time()
        problem = "died while starting"
        try:
            assert process.stdin is not None
            process.stdin.write(frame(self.spec))
            problem = await self._read(process, first, began)
        except (asyncio.IncompleteReadError, ConnectionError):
            if self._ready:
                problem = "died"
        except (pickle.UnpicklingError, EOFError, AttributeError) as error:
            problem = f"said something that cannot be read ({type(error).__name__})"
        except asyncio.CancelledError:
            problem = "was closed"
            raise
        finally:
            self._ready = False
            self._process = None
            self.load = Load()
            self._died = asyncio.get_running_loop().time()
            self._fail_pending(problem)
            await _reap(process)
        return f"{problem} (exit status {process.returncode})"

    async def _read(self, process: Process, first: asyncio.Future[None], began: float) -> str:
        assert process.stdout is not None
        while True:
            message = await read_from_child(process.stdout)
            if isinstance(message, StartFailed):
                return message.problem
            if isinstance(message, Ready):
                self.description = message.description
                self._ready = True
                self._start_seconds = asyncio.get_running_loop().time() - began
                if not first.done():
                    first.set_result(None)
            elif isinstance(message, Load):
                self.load = message
            elif (outcomes := self._pending.get(message.ticket)) is not None:
                outcomes.put_nowait(message)

    def _fail_pending(self, problem: str) -> None:
        for outcomes in self._pending.values():
            outcomes.put_nowait(WorkerUnavailable(self.spec.name, problem, self._comes_back()))
        self._pending.clear()


async def _reap(process: Process) -> None:
    """Closes the pipe, which ends the child, and waits; kills it if it does not leave in time."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(STOP_GRACE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
