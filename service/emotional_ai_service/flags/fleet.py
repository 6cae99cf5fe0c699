"""The flag of the command line that asks for several workers, and what it cannot be given with."""

import os
import sys
from typing import Annotated, Any, Final

import typer

from emotional_ai_service.fleet.plan import Plan, arguments, planned
from emotional_ai_service.settings import LocalBackend, Settings, StoreKind

MOST: Final = 256

Workers = Annotated[
    int,
    typer.Option(
        min=1,
        max=MOST,
        help="Processes, each pinned to its share of the processors and listening on a port of its own, from --port on. More "
        "than one need --store redis. SIGHUP renews them one after another.",
    ),
]


def fleet_of(workers: int, settings: Settings, ctx: typer.Context) -> list[Plan]:
    """The processes that were asked for; none where the one that was started is to serve itself.

    Raises typer.BadParameter for what several processes cannot share.
    """
    if workers == 1:
        return []
    if settings.store.kind is not StoreKind.REDIS:
        raise typer.BadParameter(
            f"{workers} workers share their sessions in Redis: emotional-ai serve --workers {workers} --store redis "
            "--redis-url redis://127.0.0.1:6379",
            param_hint="--workers",
        )
    if settings.language is not None and isinstance(settings.language.backend, LocalBackend):
        raise typer.BadParameter(
            f"{workers} workers would load {workers} models, and none could batch the replies of another; give "
            "--engine-only and start one service with language on the same Redis, or --backend vllm, which all of them share",
            param_hint="--workers",
        )
    if sys.platform != "linux":
        raise typer.BadParameter("pins processes, which this system cannot; use Linux", param_hint="--workers")
    try:
        return planned(
            arguments(ctx.command.params, _given(ctx)),
            workers=workers,
            port=settings.port,
            metrics=ctx.params.get("metrics"),
            usage=None if settings.limits is None else str(settings.limits.usage),
            cpus=os.sched_getaffinity(0),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--workers") from error


def _given(ctx: Any) -> list[tuple[str, object]]:
    """What stood on the command line; what the environment says, the workers read for themselves."""
    return [(name, value) for name, value in ctx.params.items() if ctx.get_parameter_source(name).name == "COMMANDLINE"]
