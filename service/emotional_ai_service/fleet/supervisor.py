"""All processes of a fleet: their start, what signals ask of them, their end.

SIGTERM, SIGINT   the workers drain and end one after another, so that streams go on at those left; once more: all at once
SIGHUP            each is replaced by a new one, and no two at a time
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final, final

from emotional_ai.parent import end_with
from emotional_ai_service.fleet.plan import Plan
from emotional_ai_service.fleet.replica import Replica
from emotional_ai_service.launch import READY

log = logging.getLogger(__name__)

REJOIN_SECONDS: Final = 6.0
"""Between two replacements: a client tries a worker it could not reach again after 5 s and a fifth at most, and until then it
has only the others."""


class FleetStartFailed(RuntimeError):
    """A worker ended before it took calls; what it said stands on standard error."""


async def run(plans: Sequence[Plan], say: Callable[[str], None], parent: BinaryIO | None = None) -> None:
    """Serves until SIGTERM or SIGINT, or until `parent`, a pipe held by another process, ends.

    Says `ready ADDRESS,ADDRESS...`, which is a target, once every worker takes calls. Raises FleetStartFailed.
    """
    supervisor = Supervisor(plans, say)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.stop)
    loop.add_signal_handler(signal.SIGHUP, supervisor.renew)
    if parent is not None:
        end_with(parent, supervisor.stop)
    await supervisor.serve()


@final
class Supervisor:
    """Its methods belong to the event loop that made it."""

    def __init__(self, plans: Sequence[Plan], say: Callable[[str], None]) -> None:
        self.replicas = [Replica(plan, say) for plan in plans]
        self._say = say
        self._stopped = asyncio.Event()
        self._hurried = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Has the workers end one after another; called again, all at once."""
        (self._hurried if self._stopped.is_set() else self._stopped).set()

    def renew(self) -> None:
        """Has every worker replaced in turn; while that is under way it changes nothing."""
        if self._stopped.is_set() or (self._renewing is not None and not self._renewing.done()):
            return
        self._renewing = asyncio.create_task(self._renew(), name="rolling restart")

    async def serve(self) -> None:
        """Starts the workers, keeps them, and ends them. Raises FleetStartFailed."""
        async with asyncio.TaskGroup() as group:
            keeping: list[asyncio.Task[None]] = []
            try:
                # The first alone, so that what is wrong with all of them is told once.
                for some in (self.replicas[:1], self.replicas[1:]):
                    keeping += [group.create_task(replica.keep()) for replica in some]
                    for replica, kept in zip(some, keeping[-len(some) :], strict=True):
                        await self._started(replica, kept)
                if not self._stopped.is_set():
                    self._say(READY + ",".join(replica.address for replica in self.replicas))
                await self._stopped.wait()
            finally:
                if self._renewing is not None:
                    self._renewing.cancel()
                await self._end()
                for kept in keeping:
                    kept.cancel()

    async def _started(self, replica: Replica, kept: asyncio.Task[None]) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (replica.ready, self._stopped)]
        try:
            await asyncio.wait((kept, *waits), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if kept.done():
            raise FleetStartFailed("a worker ended before it took calls; its own message says why")

    async def _renew(self) -> None:
        for replica in self.replicas:
            if replica is not self.replicas[0]:
                await asyncio.sleep(REJOIN_SECONDS)
            await replica.renew()
            log.info("the worker at %s is a new one", replica.address)

    async def _end(self) -> None:
        hurried = asyncio.create_task(self._hurried.wait())
        ends: list[asyncio.Task[None]] = []
        for replica in self.replicas:
            ends.append(asyncio.create_task(replica.stop()))
            await asyncio.wait((ends[-1], hurried), return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        await asyncio.gather(*ends)
