"""One process of a fleet: started, pinned, and started again when it dies."""

import asyncio
import logging
import os
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from typing import Final, final

from emotional_ai_service.fleet.plan import Plan
from emotional_ai_service.launch import READY

FIRST_DELAY: Final = 0.25
"""Seconds before a dead process is started again."""
LONGEST_DELAY: Final = 30.0
"""Where the doubling of that delay ends, in seconds."""
STABLE_AFTER: Final = 60.0
"""Seconds a process must have lived for its death to count as the first again."""
GRACE: Final = 20.0
"""Seconds a process has to drain and end; then it is killed. Twice what the service takes at most, with room to spare."""

log = logging.getLogger(__name__)


@final
class Replica:
    """Keeps a process alive from `keep` to `stop`. `say` gets what it prints beside its address."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        self.address = ""
        """Where it takes calls, once it was ready."""
        self.ready = asyncio.Event()
        """Set while it takes calls."""
        self._plan = plan
        self._say = say
        self._port = plan.port
        self._process: Process | None = None
        self._stopping = False
        self._renewing = False

    async def keep(self) -> None:
        """Runs the process until it is told to stop. Returns as well where it ends before it was ever ready."""
        failures = 0
        while not self._stopping:
            began = asyncio.get_running_loop().time()
            status = await self._run()
            if self._stopping or not self.address:
                return
            if self._renewing:
                self._renewing = False
                continue
            if asyncio.get_running_loop().time() - began > STABLE_AFTER:
                failures = 0
            delay = min(FIRST_DELAY * 2**failures, LONGEST_DELAY)
            failures += 1
            log.error("the worker at %s ended with status %d; another starts in %g s", self.address, status, delay)
            await asyncio.sleep(delay)

    async def renew(self) -> None:
        """Drains the process and starts another in its place; returns once that takes calls, however long it takes."""
        await self.ready.wait()
        self._renewing = True
        self.ready.clear()
        self._terminate()
        await self.ready.wait()

    async def stop(self) -> None:
        """Drains the process, and returns once it has ended; kills it if it takes too long."""
        self._stopping = True
        process = self._process
        if process is None:
            return
        self._terminate()
        try:
            async with asyncio.timeout(GRACE):
                await process.wait()
        except TimeoutError:
            log.error("the worker at %s did not end within %g s and is killed", self.address, GRACE)
            process.kill()
            await process.wait()

    def _terminate(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    async def _run(self) -> int:
        """One process, from its start to its end; returns its exit status."""
        # A session of its own: Ctrl-C is for the supervisor, which ends the workers in turn. The pipe tells the worker when
        # the supervisor is gone.
        command = self._plan.at(self._port)
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, start_new_session=True)
        self._process = process
        # The interpreter has one thread yet, and the others inherit where it may run.
        with suppress(ProcessLookupError):
            os.sched_setaffinity(process.pid, self._plan.cpus)
        if self._stopping:
            self._terminate()
        assert process.stdout is not None
        async for line in process.stdout:
            self._heard(line.decode().rstrip())
        self.ready.clear()
        return await process.wait()

    def _heard(self, line: str) -> None:
        if not line.startswith(READY):
            self._say(line)
            return
        self.address = line.removeprefix(READY)
        self._port = int(self.address.rpartition(":")[2])
        self.ready.set()
