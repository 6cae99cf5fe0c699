"""simulate, conformance: trajectories without a session, computed by the service."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from emotional_ai import names
from emotional_ai.cli.files import Input, named_file, parse_message, read_text
from emotional_ai.cli.output import CommandFailed, Record, aligned, emit, note, say
from emotional_ai.cli.reach import AsJson, Target, connected
from emotional_ai.cli.reference import Case, read_reference
from emotional_ai.client import Client
from emotional_ai.errors import RequestRejected
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb

TOLERANCE: Final = 1e-9
"""Greatest error of a level or a mood in a trajectory that counts as reproduced."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(simulate)
    app.command()(conformance)


def simulate(
    ctx: typer.Context,
    file: Input,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw the trajectory.", callback=named_file)
    ] = None,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Compute a trajectory without a session; nothing is stored.

    FILE is a SimulateRequest as protobuf JSON; times are simulated minutes:

    \b
    {"config": {"mood": {}, "timeScale": 10},
     "initial": {"dopamine": 0.5, "serotonin": 0.6, "cortisol": 0.3, "oxytocin": 0.5},
     "events": [{"time": 5, "signals": {"reward": 0.8}}],
     "sustained": [{"start": 30, "end": 60, "signals": {"threat": 0.05}}],
     "times": [0, 5, 30, 60, 120]}
    """
    request = parse_message(read_text(file), pb.SimulateRequest(), file)
    with connected(ctx, target) as client:
        samples = simulated(client, request)
    if plot is not None:
        from emotional_ai.cli.plot import draw_simulation

        baseline = request.config.baseline if request.config.HasField("baseline") else None
        draw_simulation(request, samples, baseline, plot)
        note(f"drawn in {plot}")
    if json:
        for sample in samples:
            emit(_sample(request, sample))
    elif plot is None:
        rows = [
            (f"{one.time:g}", *(f"{level:.6f}" for level in names.levels(one.chemistry).values())) for one in samples
        ]
        say(aligned([("minutes", *CHEMICALS), *rows]))


def simulated(client: Client, request: pb.SimulateRequest) -> Sequence[pb.SimulatedSample]:
    """The samples of a request."""
    return client.simulate(
        request.times,
        config=request.config,
        initial=request.initial if request.HasField("initial") else None,
        initial_mood=request.initial_mood if request.HasField("initial_mood") else None,
        events=request.events,
        sustained=request.sustained,
        start_hour=request.start_hour if request.HasField("start_hour") else None,
    )


def _sample(request: pb.SimulateRequest, sample: pb.SimulatedSample) -> Record:
    told: Record = {"time": sample.time, "state": names.levels(sample.chemistry)}
    return told | {"mood": names.levels(sample.mood)} if request.config.HasField("mood") else told


@dataclass(frozen=True, slots=True)
class Outcome:
    """How well the service reproduces a case."""

    name: str
    error: float
    """Greatest absolute difference of a level or a mood; infinite if a sample is missing or not a number."""


def conformance(
    ctx: typer.Context,
    file: Input,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also print the error of each case.")] = False,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Have the service compute reference trajectories and compare: status 0 only if every value is within 1e-9.

    FILE is {"defaults": {parameters}, "cases": [{"name", "overrides": {parameters}, "x0": [4 levels], "events": [{"t",
    "signals"}], "sustained": [{"t0", "t1", "signals"}], "t": [minutes], "x": [4 expected levels per time]}]}; parameters are
    baseline, half_life_min, W, beta, G and so on. tests/data/reference_trajectories.json is one.
    """
    cases = read_reference(read_text(file), file)
    with connected(ctx, target) as client:
        outcomes = [outcome(client, case) for case in cases]
    worst = max(outcomes, key=lambda one: one.error)
    passed = worst.error <= TOLERANCE
    if verbose:
        _show_cases(outcomes, json)
    if json:
        emit({"cases": len(cases), "max_abs_error": _finite(worst.error), "tolerance": TOLERANCE, "passed": passed})
    else:
        say(f"cases: {len(cases)}")
        say(f"max_abs_error: {worst.error:.3e}")
    if not passed:
        raise CommandFailed(f"case {worst.name!r} is off by {worst.error:.3e}, more than {TOLERANCE:g}")


def outcome(client: Client, case: Case) -> Outcome:
    """Computes a case and compares. Raises CommandFailed if the service refuses it."""
    try:
        samples = simulated(client, case.request)
    except RequestRejected as error:
        raise CommandFailed(f"case {case.name!r} was refused: {error.message}") from error
    if len(samples) != len(case.levels):
        return Outcome(case.name, math.inf)
    errors = _differences([list(names.levels(one.chemistry).values()) for one in samples], case.levels)
    if case.mood is not None:
        errors += _differences([list(names.levels(one.mood).values()) for one in samples], case.mood)
    return Outcome(case.name, max((error if math.isfinite(error) else math.inf for error in errors), default=0.0))


def _differences(computed: Sequence[Sequence[float]], expected: Sequence[Sequence[float]]) -> list[float]:
    rows = zip(computed, expected, strict=True)
    return [abs(a - b) for row, reference in rows for a, b in zip(row, reference, strict=True)]


def _show_cases(outcomes: Sequence[Outcome], json: bool) -> None:
    if json:
        for one in outcomes:
            emit({"case": one.name, "max_abs_error": _finite(one.error), "passed": one.error <= TOLERANCE})
    else:
        say(aligned([(one.name, f"{one.error:.3e}") for one in outcomes]))


def _finite(error: float) -> float | None:
    return error if math.isfinite(error) else None
