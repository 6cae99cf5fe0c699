"""state, signal: the present of a session."""

from collections.abc import Sequence
from typing import Annotated

import typer

from emotional_ai import names
from emotional_ai.cli import figures, records
from emotional_ai.cli.output import emit, note, say
from emotional_ai.cli.reach import (
    AsJson,
    NamedSession,
    SessionId,
    SessionOption,
    Target,
    chosen_session,
    connected,
    ensured,
)
from emotional_ai.names import DEFAULT_SESSION
from emotional_ai.stimuli import SIGNALS
from emotional_ai.v1.engine_pb2 import Signals, Stimulus, SustainedSignals


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(state)
    app.command()(signal)


def state(
    ctx: typer.Context,
    named: NamedSession = None,
    session: SessionOption = None,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Show how a session feels now and how it would speak."""
    with connected(ctx, target) as client:
        whole = client.get_session(chosen_session(named, session))
        expression = client.preview_expression(whole.state.chemistry, config=whole.config)
    baseline = whole.config.dynamics.baseline
    if json:
        voice = records.expression(expression)
        spoken = {key: voice[key] for key in ("blend", "temperature", "top_p", "tokens")}
        emit(records.state(whole.state) | {"baseline": names.levels(baseline)} | spoken)
        return
    say(f"{whole.session_id}: {figures.feeling(whole.state)}")
    say(figures.state_table(whole.state, baseline))
    say(figures.voice(expression))


def signal(
    ctx: typer.Context,
    signals: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE...", help="Signals with intensities in [0, 1].")
    ] = None,
    session: SessionId = DEFAULT_SESSION,
    sustained: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES", help="Hold the signals for simulated minutes; 0 until replaced; no signals end it."
        ),
    ] = None,
    text: Annotated[str, typer.Option("--note", metavar="TEXT", help="Note kept in the log.")] = "",
    request_id: Annotated[str, typer.Option(metavar="ID", help="Applies once, however often it is sent.")] = "",
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Let something happen to a session, created if it does not exist: `emotional-ai signal reward=0.8 praise=0.2`.

    The signals are reward, novelty, achievement, social_warmth, praise, relaxation, threat, uncertainty, rejection, loss,
    conflict and boredom.
    """
    heard = Signals(**intensities(signals or []))
    if not signals and sustained is None:
        raise typer.BadParameter(f"give at least one, such as reward=0.8; the signals are {', '.join(SIGNALS)}")
    stimulus = Stimulus(note=text)
    if sustained is None:
        stimulus.event.CopyFrom(heard)
    else:
        stimulus.sustained.CopyFrom(SustainedSignals(signals=heard, duration_minutes=sustained))
    with connected(ctx, target) as client:
        baseline = ensured(client, session).config.dynamics.baseline
        response = client.apply_stimuli(session, [stimulus], request_id=request_id)
    if response.duplicate:
        note(f"request id {request_id!r} had been applied before; nothing was applied now")
    if json:
        emit(records.state(response.state) | {"duplicate": response.duplicate})
        return
    say(f"{session}: {figures.feeling(response.state)}")
    say(figures.state_table(response.state, baseline))


def intensities(pairs: Sequence[str]) -> dict[str, float]:
    """Signals by name from `name=value`. Raises BadParameter, which lists the names there are."""
    given: dict[str, float] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in SIGNALS:
            raise typer.BadParameter(f"{name!r} is not a signal; the signals are {', '.join(SIGNALS)}")
        if name in given:
            raise typer.BadParameter(f"{name} is given twice")
        given[name] = _intensity(name, value)
    return given


def _intensity(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError as error:
        raise typer.BadParameter(f"{name} needs a number in [0, 1], such as {name}=0.8, got {value!r}") from error
    if not 0 <= number <= 1:
        raise typer.BadParameter(f"{name} must be in [0, 1], got {value}")
    return number
