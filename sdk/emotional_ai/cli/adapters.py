"""adapters: what replies can be blended of."""

import typer

from emotional_ai import names
from emotional_ai.cli import records
from emotional_ai.cli.output import aligned, emit, say
from emotional_ai.cli.reach import AsJson, Target, connected
from emotional_ai.v1.inference_pb2 import Adapter


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(adapters)


def adapters(ctx: typer.Context, json: AsJson = False, target: Target = None) -> None:
    """List the adapters on the service's machine, in the order blends use.

    A prototype is the state in which an adapter speaks alone: dopamine, serotonin, cortisol, oxytocin. The scale is what
    weight 1 stands for; (c) marks one that is a convention, not measured. One that cannot be blended is listed with the reason.
    """
    with connected(ctx, target) as client:
        found = client.list_adapters()
    if json:
        for one in found:
            emit(records.adapter(one))
    elif found:
        say(aligned([("adapter", "prototype", "scale", "rank", "digest"), *map(_row, found)]))
        for one in found:
            if one.refused:
                say(f"{one.name} cannot be blended: {one.refused}")
    else:
        say("there are no adapters; `emotional-ai train adapters` makes them")


def _row(one: Adapter) -> tuple[str, ...]:
    prototype = " ".join(f"{level:.2f}" for level in names.levels(one.prototype).values())
    scale = f"{one.scale:.2f}" if one.scale_calibrated else f"{one.scale:.2f} (c)"
    return (one.name, prototype, scale, str(one.rank), one.digest[:12])
