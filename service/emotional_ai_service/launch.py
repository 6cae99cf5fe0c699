"""A process that serves until it is told to stop: by itself, or over workers of its own; what it says when it is ready.

What serving takes is imported when it begins, so that commands that do not serve start at once.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from emotional_ai_service.failure import fail
from emotional_ai_service.settings import Settings

if TYPE_CHECKING:
    from emotional_ai_service.fleet import Plan
    from emotional_ai_service.server import Running

READY: Final = "ready "
"""What is printed, followed by the address, once calls are taken."""


def serve_here(settings: Settings, *, with_parent: bool) -> None:
    """Serves in this process; `with_parent` ends it when standard input ends. What keeps it from serving ends the command."""
    import uvloop

    from emotional_ai_service.access import AccessUnusable
    from emotional_ai_service.decoding.tinker.errors import TinkerStartFailed
    from emotional_ai_service.listening import AddressInUse
    from emotional_ai_service.observing.bare import log_bare
    from emotional_ai_service.observing.endpoint import MetricsUnservable
    from emotional_ai_service.observing.logs import log_to_stderr
    from emotional_ai_service.server import run
    from emotional_ai_service.stores import StoreError
    from emotional_ai_service.tenants.errors import TenantsUnusable
    from emotional_ai_service.workers import WorkerStartFailed

    if settings.observing.log is None:
        log_bare()
    else:
        log_to_stderr(settings.observing.log)
    try:
        uvloop.run(run(settings, _tell_ready, sys.stdin.buffer if with_parent else None))
    except (
        AccessUnusable,
        AddressInUse,
        MetricsUnservable,
        StoreError,
        TenantsUnusable,
        TinkerStartFailed,
        WorkerStartFailed,
    ) as error:
        fail(error)
    except asyncio.CancelledError:
        fail("stopped before it took calls")


def serve_fleet(plans: "Sequence[Plan]", settings: Settings, *, with_parent: bool) -> None:
    """Serves in the processes that were planned, which are started and kept; else as `serve_here`."""
    import uvloop

    from emotional_ai_service.fleet import FleetStartFailed, run
    from emotional_ai_service.observing.logs import log_to_stderr

    if settings.observing.log is not None:
        log_to_stderr(settings.observing.log)
    try:
        uvloop.run(run(plans, _say, sys.stdin.buffer if with_parent else None))
    except* FleetStartFailed as group:
        fail(group.exceptions[0])


def _tell_ready(running: "Running") -> None:
    _say(READY + running.address)
    if running.metrics:
        _say(f"metrics {running.metrics}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201
