"""The file format of `conformance`: reference trajectories of an independent solver.

    {"schema": "affect-ode-reference/1",
     "defaults": {"baseline": [4], "half_life_min": [4], "W": [4][4], "beta": [4][4], "G": {signal: [4]}, "tau_u_min": 1,
                  "kappa": [4], "tau_mood_min": 1440, "circadian_amp": [4], "circadian_peak_h": 6.8, "clock0_h": 12,
                  "time_scale": 10},
     "cases": [{"name": "...", "overrides": {as defaults}, "x0": [4], "z0": [4],
                "events": [{"t": 0, "signals": {"reward": 1}}],
                "sustained": [{"t0": 0, "t1": 120, "signals": {"threat": 0.02}}],
                "t": [n], "x": [n][4], "z": [n][4]}]}

Times are simulated minutes. A parameter left out takes the contract's default; an unknown one is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotional_ai.cli.output import CommandFailed
from emotional_ai.cli.shapes import Malformed, Node, parsed
from emotional_ai.stimuli import CHEMICALS, SIGNALS
from emotional_ai.v1 import engine_pb2 as pb

PARAMETERS: Final = frozenset(
    (
        "baseline",
        "half_life_min",
        "W",
        "beta",
        "G",
        "tau_u_min",
        "kappa",
        "tau_mood_min",
        "circadian_amp",
        "circadian_peak_h",
        "clock0_h",
        "time_scale",
    )
)


@dataclass(frozen=True, slots=True)
class Case:
    """A trajectory to reproduce."""

    name: str
    request: pb.SimulateRequest
    levels: Sequence[Sequence[float]]
    """Expected levels, n x 4."""
    mood: Sequence[Sequence[float]] | None
    """Expected mood in log-odds, n x 4; None if the file does not say."""


def read_reference(text: str, path: Path) -> list[Case]:
    """The cases of a file. Raises CommandFailed, naming the place, for one that is not of this form."""
    try:
        return _cases(parsed(text))
    except (Malformed, RecursionError) as error:
        raise CommandFailed(f"{path} is not a file of reference trajectories: {error}") from error


def _cases(root: Node) -> list[Case]:
    defaults = _parameters(root.get("defaults"))
    cases = [_case(case, defaults) for case in root["cases"].items()]
    if not cases:
        raise Malformed("cases", "must hold at least one")
    return cases


def _parameters(node: Node | None) -> Mapping[str, Node]:
    if node is None:
        return {}
    given = node.fields()
    for name in given:
        if name not in PARAMETERS:
            raise Malformed(f"{node.path}.{name}", f"is not a parameter; those are {', '.join(sorted(PARAMETERS))}")
    return given


def _case(node: Node, defaults: Mapping[str, Node]) -> Case:
    given = {**defaults, **_parameters(node.get("overrides"))}
    times = node["t"].numbers()
    mood = node.get("z")
    request = pb.SimulateRequest(
        config=_config(given), initial=_chemistry(node["x0"]), events=_events(node), sustained=_spans(node), times=times
    )
    if "clock0_h" in given:
        request.start_hour = given["clock0_h"].number()
    start = node.get("z0")
    if start is not None:
        request.initial_mood.CopyFrom(_vector(start))
    return Case(
        node["name"].text(), request, node["x"].rows(len(times), 4), None if mood is None else mood.rows(len(times), 4)
    )


def _config(given: Mapping[str, Node]) -> pb.DynamicsConfig:
    config = pb.DynamicsConfig(gains=_gains(given["G"]) if "G" in given else ())
    if "baseline" in given:
        config.baseline.CopyFrom(_chemistry(given["baseline"]))
    if "half_life_min" in given:
        config.half_life_minutes.CopyFrom(_vector(given["half_life_min"]))
    if "W" in given:
        config.coupling.CopyFrom(_matrix(given["W"]))
    if "beta" in given:
        config.buffering.CopyFrom(_matrix(given["beta"]))
    if "tau_u_min" in given:
        config.tau_u_minutes = given["tau_u_min"].number()
    if "time_scale" in given:
        config.time_scale = given["time_scale"].number()
    _add_mood(config, given)
    _add_circadian(config, given)
    return config


def _add_mood(config: pb.DynamicsConfig, given: Mapping[str, Node]) -> None:
    if "kappa" in given and any(given["kappa"].numbers()):
        config.mood.kappa.CopyFrom(_vector(given["kappa"]))
        if "tau_mood_min" in given:
            config.mood.tau_minutes = given["tau_mood_min"].number()


def _add_circadian(config: pb.DynamicsConfig, given: Mapping[str, Node]) -> None:
    if "circadian_amp" in given and any(given["circadian_amp"].numbers()):
        config.circadian.amplitude.CopyFrom(_vector(given["circadian_amp"]))
        if "circadian_peak_h" in given:
            config.circadian.peak_hour = given["circadian_peak_h"].number()


def _events(node: Node) -> list[pb.SimulatedEvent]:
    return [
        pb.SimulatedEvent(time=one["t"].number(), signals=_signals(one["signals"])) for one in node.listed("events")
    ]


def _spans(node: Node) -> list[pb.SimulatedSpan]:
    return [
        pb.SimulatedSpan(start=one["t0"].number(), end=one["t1"].number(), signals=_signals(one["signals"]))
        for one in node.listed("sustained")
    ]


def _signals(node: Node) -> pb.Signals:
    return pb.Signals(**{name: value.number() for name, value in _by_signal(node).items()})


def _gains(node: Node) -> list[pb.SignalGain]:
    return [
        pb.SignalGain(signal=pb.Signal.ValueType(SIGNALS.index(name) + 1), gain=_vector(row))
        for name, row in _by_signal(node).items()
    ]


def _by_signal(node: Node) -> Mapping[str, Node]:
    fields = node.fields()
    for name in fields:
        if name not in SIGNALS:
            raise Malformed(f"{node.path}.{name}", f"is not a signal; the signals are {', '.join(SIGNALS)}")
    return fields


def _matrix(node: Node) -> pb.ChemicalMatrix:
    rows = node.items()
    if len(rows) != len(CHEMICALS):
        raise Malformed(node.path, f"must be {len(CHEMICALS)} rows, got {len(rows)}")
    return pb.ChemicalMatrix(**{name: _vector(row) for name, row in zip(CHEMICALS, rows, strict=True)})


def _vector(node: Node) -> pb.ChemicalVector:
    return pb.ChemicalVector(**_by_chemical(node))


def _chemistry(node: Node) -> pb.Chemistry:
    return pb.Chemistry(**_by_chemical(node))


def _by_chemical(node: Node) -> dict[str, float]:
    return dict(zip(CHEMICALS, node.numbers(len(CHEMICALS)), strict=True))
