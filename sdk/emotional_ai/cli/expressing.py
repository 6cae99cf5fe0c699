"""How much of what a session feels shows: --intensity, --cap, and what changes them in force."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import typer

from emotional_ai.client import Client
from emotional_ai.errors import Aborted
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1.engine_pb2 import ExpressionConfig, Session, SessionConfig

TRIES: Final = 8
"""A session this often moved between reading and writing is left alone."""

Intensity = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="How much of what is felt is expressed; 0 speaks as at rest.", show_default="1"),
]
Caps = Annotated[
    list[str] | None,
    typer.Option(
        "--cap",
        metavar="CHEMICAL=LEVEL",
        help="Greatest level expressed, from the baseline to 1, such as cortisol=0.5; can be given several times.",
        show_default="none",
    ),
]


def caps_of(pairs: Sequence[str] | None) -> Mapping[str, float]:
    """Caps by chemical from `name=level`. Raises BadParameter saying which there are."""
    caps: dict[str, float] = {}
    for pair in pairs or ():
        name, _, value = pair.partition("=")
        if name not in CHEMICALS:
            raise typer.BadParameter(
                f"{name!r} is not a chemical; there are {', '.join(CHEMICALS)}", param_hint="--cap"
            )
        if name in caps:
            raise typer.BadParameter(f"{name} is given twice", param_hint="--cap")
        try:
            caps[name] = float(value)
        except ValueError as error:
            raise typer.BadParameter(
                f"{name} needs a level in [0, 1], such as {name}=0.5, got {value!r}", param_hint="--cap"
            ) from error
        if not 0 <= caps[name] <= 1:
            raise typer.BadParameter(f"{name} must be in [0, 1], got {value}", param_hint="--cap")
    return caps


def dial(config: SessionConfig, intensity: float | None, caps: Mapping[str, float]) -> SessionConfig:
    """The configuration with an intensity, if given, and these caps beside those it has."""
    changed = SessionConfig()
    changed.CopyFrom(config)
    if intensity is not None:
        changed.expression.intensity = intensity
    for name, cap in caps.items():
        setattr(changed.expression.caps, name, cap)
    return changed


def redialled(client: Client, session_id: str, intensity: float | None, caps: Mapping[str, float]) -> Session:
    """Changes what a session expresses, and nothing else of its configuration, though others write to it meanwhile.

    Raises what the calls raise, Aborted once the session was moved TRIES times in between.
    """
    for left in reversed(range(TRIES)):
        session = client.get_session(session_id)
        changed = dial(session.config, intensity, caps)
        try:
            return client.update_session(session_id, changed, expected_version=session.state.version)
        except Aborted:
            if not left:
                raise
    raise AssertionError("the last try returns or raises")


def shown(expression: ExpressionConfig) -> str:
    """Intensity and caps in words."""
    held = [f"{name} {cap:g}" for name in CHEMICALS if (cap := getattr(expression.caps, name)) < 1]
    caps = f", at most {', '.join(held)}" if held else ""
    return f"expresses {expression.intensity:g} of what it feels{caps}"
