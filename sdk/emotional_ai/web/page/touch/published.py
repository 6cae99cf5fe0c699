"""The published defaults, which the service fills in for what a configuration leaves out.

The editor needs them before the service is asked: for a file that leaves something out, and for what is switched on.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

from google.protobuf.message import Message

from emotional_ai.errors import InvalidArgument
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb

Four = tuple[float, float, float, float]
M = TypeVar("M", pb.Chemistry, pb.ChemicalVector)

BASELINE: Final[Four] = (0.5, 0.6, 0.3, 0.5)
HALF_LIFE: Final[Four] = (10, 120, 66, 20)
COUPLING: Final[tuple[Four, ...]] = (
    (0, -0.4, -0.6, 0.4),
    (-0.3, 0, -0.8, 0.3),
    (-0.3, -0.6, 0, -1),
    (0.2, 0.3, -0.5, 0),
)
BUFFERING: Final[tuple[Four, ...]] = ((0, 0, 0.3, 0), (0, 0, 0, 0), (0, 0, 0, 0.5), (0, 0, 0, 0))
GAINS: Final[tuple[Four, ...]] = (
    (0.6, 0.15, -0.1, 0),
    (0.45, 0, 0.05, 0),
    (0.5, 0.3, -0.2, 0.05),
    (0.15, 0.2, -0.25, 0.6),
    (0.3, 0.25, -0.1, 0.25),
    (-0.05, 0.35, -0.45, 0.1),
    (-0.1, -0.2, 0.7, -0.1),
    (0.1, -0.15, 0.35, 0),
    (-0.2, -0.3, 0.45, -0.45),
    (-0.5, -0.25, 0.3, 0),
    (0, -0.3, 0.5, -0.3),
    (-0.3, -0.05, 0.05, -0.05),
)
"""By signal, in order of the contract."""


def everything() -> pb.SessionConfig:
    """Every default, with mood, daily rhythm and habituation switched on."""
    return pb.SessionConfig(
        dynamics=pb.DynamicsConfig(
            baseline=_named(pb.Chemistry(), BASELINE),
            half_life_minutes=_named(pb.ChemicalVector(), HALF_LIFE),
            coupling=_matrix(COUPLING),
            buffering=_matrix(BUFFERING),
            gains=[_gain(index, gain) for index, gain in enumerate(GAINS, start=1)],
            tau_u_minutes=1,
            mood=pb.MoodConfig(kappa=_named(pb.ChemicalVector(), (1.2, 1.2, 1.2, 1.2)), tau_minutes=360),
            circadian=pb.CircadianConfig(amplitude=_named(pb.ChemicalVector(), (0, 0, 0.8, 0)), peak_hour=6.8),
            habituation=pb.HabituationConfig(eta=0.6, rho=0.35, tau_minutes=60),
            time_scale=10,
        ),
        expression=pb.ExpressionConfig(
            temperature_law=pb.TEMPERATURE_LAW_MONOTONE,
            base_temperature=0.8,
            base_top_p=0.92,
            label_hysteresis=0.1,
            intensity=1,
            caps=pb.ExpressionCaps(dopamine=1, serotonin=1, cortisol=1, oxytocin=1),
        ),
    )


def filled(config: pb.SessionConfig) -> pb.SessionConfig:
    """A configuration with what it leaves out, as the service fills it in; what is switched off stays off.

    Raises InvalidArgument for gains of no signal, or of one twice.
    """
    whole = everything()
    dynamics, given = whole.dynamics, config.dynamics
    for switch in ("mood", "circadian", "habituation"):
        if not given.HasField(switch):
            dynamics.ClearField(switch)
    if given.HasField("personality"):
        dynamics.ClearField("baseline")
    _fill(given, dynamics, but=("gains",))
    for matrix in (dynamics.coupling, dynamics.buffering):
        for name in CHEMICALS:
            getattr(matrix, name).SetInParent()  # a row left out of a matrix is all zero
    _replace(given.gains, dynamics.gains)
    _fill(config.expression, whole.expression)
    return whole


def _fill(given: Message, into: Message, but: tuple[str, ...] = ()) -> None:
    """Puts what is given in the place of defaults; of a part with optional fields only those given."""
    for field, value in given.ListFields():
        if field.name in but:
            continue
        if field.name in ("mood", "circadian", "habituation", "caps"):
            _fill(value, getattr(into, field.name))
        elif isinstance(value, Message):
            getattr(into, field.name).CopyFrom(value)
        else:
            setattr(into, field.name, value)


def _replace(given: Sequence[pb.SignalGain], gains: Sequence[pb.SignalGain]) -> None:
    seen = set()
    for index, row in enumerate(given):
        path = f"dynamics.gains[{index}].signal"
        if not 1 <= row.signal <= len(gains):
            raise InvalidArgument.of("INVALID_CONFIGURATION", path, "must name one of the twelve signals")
        if row.signal in seen:
            raise InvalidArgument.of("INVALID_CONFIGURATION", path, "names a signal twice; give each once")
        seen.add(row.signal)
        gains[row.signal - 1].gain.CopyFrom(row.gain)


def _named(message: M, four: Four) -> M:
    for name, value in zip(CHEMICALS, four, strict=True):
        setattr(message, name, value)
    return message


def _matrix(rows: tuple[Four, ...]) -> pb.ChemicalMatrix:
    return pb.ChemicalMatrix(
        **{name: _named(pb.ChemicalVector(), row) for name, row in zip(CHEMICALS, rows, strict=True)}
    )


def _gain(signal: int, gain: Four) -> pb.SignalGain:
    return pb.SignalGain(signal=pb.Signal.ValueType(signal), gain=_named(pb.ChemicalVector(), gain))
