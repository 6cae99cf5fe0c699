"""Contract messages to core values and back: the only place that knows both.

Reading a message raises the core's errors, whose paths are those of the contract; writing never fails.
"""

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Final
from weakref import WeakValueDictionary

from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.unknown_fields import UnknownFieldSet

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.configuration import Circadian, Dynamics, Habituation, Mood
from emotional_ai_service.core.errors import CoreError, InvalidConfiguration, InvalidInput
from emotional_ai_service.core.expression import NO_CAPS, ExpressionRule, TemperatureLaw, affect
from emotional_ai_service.core.flow import check_speeds
from emotional_ai_service.core.names import CHEMICALS, NO_SIGNALS, SIGNALS, Matrix4, SignalVector, Vector4
from emotional_ai_service.core.personality import BigFive, baseline_of
from emotional_ai_service.core.timeline import (
    Agent,
    Configured,
    Entry,
    Happened,
    Moment,
    Restored,
    Skipped,
    Sustained,
)

_chemicals: Callable[[object], Vector4] = attrgetter(*CHEMICALS)
_signals: Callable[[object], SignalVector] = attrgetter(*SIGNALS)

LAWS: Final = {
    pb.TEMPERATURE_LAW_UNSPECIFIED: TemperatureLaw.MONOTONE,
    pb.TEMPERATURE_LAW_MONOTONE: TemperatureLaw.MONOTONE,
    pb.TEMPERATURE_LAW_INVERTED_U: TemperatureLaw.INVERTED_U,
}


_AGENTS: Final[WeakValueDictionary[bytes, Agent]] = WeakValueDictionary()
"""Those alive, by the digest of their configuration."""

_LABELS: Final = tuple(pb.EmotionLabel.ValueType(number) for number in sorted(pb.EmotionLabel.values())[1:])


def label_of(index: int) -> pb.EmotionLabel.ValueType:
    """The contract's label for an index into core.labels.LABELS; the enum follows the same order, from 1."""
    return _LABELS[index]


# ---- time

FIRST_SECOND: Final = -62_135_596_800
LAST_SECOND: Final = 253_402_300_799
"""What a timestamp can hold, in seconds since the epoch."""


def check_time(message: Timestamp, path: str) -> None:
    """Raises InvalidInput, naming `path`, unless a timestamp is a moment: one that can be written, and read, anywhere."""
    if not (FIRST_SECOND <= message.seconds <= LAST_SECOND and 0 <= message.nanos < 1_000_000_000):
        raise InvalidInput(path, "must be set to a moment of the years 1 to 9999, with nanos in [0, 999999999]")


def microseconds(time: Timestamp) -> int:
    """Microseconds since the epoch."""
    return time.seconds * 1_000_000 + time.nanos // 1000


def timestamp(time_us: int) -> Timestamp:
    """The same moment as a protobuf timestamp."""
    seconds, rest = divmod(time_us, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


# ---- vectors


def signals_from(message: pb.Signals, path: str) -> SignalVector:
    """Twelve intensities. Raises InvalidInput for a signal this version does not know, so that nothing is lost in silence."""
    fields = UnknownFieldSet(message)
    if len(fields):
        unknown = ", ".join(str(fields[index].field_number) for index in range(len(fields)))
        raise InvalidInput(path, f"unknown signal (field {unknown}); known signals are {', '.join(SIGNALS)}")
    return _signals(message)


def signals_to(signals: SignalVector) -> pb.Signals:
    """The contract's form of twelve intensities."""
    return pb.Signals(**{name: value for name, value in zip(SIGNALS, signals, strict=True) if value})


def vector_to(values: Sequence[float]) -> pb.ChemicalVector:
    """The contract's form of one number per chemical."""
    da, se, co, ox = values
    return pb.ChemicalVector(dopamine=da, serotonin=se, cortisol=co, oxytocin=ox)


def levels_from(message: pb.Chemistry) -> Vector4:
    """Four levels, unchecked."""
    return _chemicals(message)


def levels_to(levels: Vector4) -> pb.Chemistry:
    """The contract's form of four levels."""
    da, se, co, ox = levels
    return pb.Chemistry(dopamine=da, serotonin=se, cortisol=co, oxytocin=ox)


GREATEST_MOOD: Final = 100.0
"""Log-odds beyond which no coupling leads, by far."""


def check_mood(message: pb.ChemicalVector, path: str) -> None:
    """Raises InvalidInput, naming the chemical below `path`, for a mood no session can have come to."""
    for name, value in zip(CHEMICALS, _chemicals(message), strict=True):
        if not abs(value) <= GREATEST_MOOD:
            raise InvalidInput(f"{path}.{name}", f"must be in [-{GREATEST_MOOD:g}, {GREATEST_MOOD:g}], got {value:g}")


# ---- configuration


def agent_from(config: pb.SessionConfig, path: str = "config", *, new: bool = False) -> Agent:
    """The agent a configuration describes, defaults filled in. Raises InvalidConfiguration, its path below `path`.

    One that is `new` here must be readable in bounded time, too; one that was stored before that was asked is still read.
    """
    try:
        agent = _shared(config)
        if new:
            check_speeds(agent.model)
        return agent
    except CoreError as error:
        raise type(error)(f"{path}.{_section(error.field)}{error.field}", error.description) from error


def _shared(config: pb.SessionConfig) -> Agent:
    """The agent of a configuration, the same for all who have that configuration: its equations outweigh a session."""
    key = blake2b(config.SerializeToString(deterministic=True), digest_size=16).digest()
    agent = _AGENTS.get(key)
    if agent is None:
        agent = _AGENTS.setdefault(key, Agent(dynamics_from(config.dynamics), _rule_from(config.expression)))
    return agent


def _section(field: str) -> str:
    return "" if field.startswith("expression.") else "dynamics."


def dynamics_from(config: pb.DynamicsConfig) -> Dynamics:
    """Parameters of the equations, defaults filled in. Raises InvalidConfiguration."""
    if config.HasField("baseline") and config.HasField("personality"):
        raise InvalidConfiguration(
            "personality", "cannot be given beside `baseline`: both say where the chemicals rest"
        )
    standard = Dynamics()
    baseline = standard.baseline
    if config.HasField("baseline"):
        baseline = _chemicals(config.baseline)
    if config.HasField("personality"):
        baseline = baseline_of(_big_five(config.personality))
    return Dynamics(
        baseline=baseline,
        half_life_minutes=(
            _chemicals(config.half_life_minutes) if config.HasField("half_life_minutes") else standard.half_life_minutes
        ),
        coupling=_matrix(config.coupling) if config.HasField("coupling") else standard.coupling,
        buffering=_matrix(config.buffering) if config.HasField("buffering") else standard.buffering,
        gains=_gains(config, standard.gains),
        tau_u_minutes=config.tau_u_minutes if config.HasField("tau_u_minutes") else standard.tau_u_minutes,
        mood=_mood(config.mood) if config.HasField("mood") else None,
        circadian=_circadian(config.circadian) if config.HasField("circadian") else None,
        habituation=_habituation(config.habituation) if config.HasField("habituation") else None,
        time_scale=config.time_scale if config.HasField("time_scale") else standard.time_scale,
    )


def _big_five(message: pb.BigFive) -> BigFive:
    return BigFive(
        openness=message.openness,
        conscientiousness=message.conscientiousness,
        extraversion=message.extraversion,
        agreeableness=message.agreeableness,
        neuroticism=message.neuroticism,
    )


def _matrix(message: pb.ChemicalMatrix) -> Matrix4:
    da, se, co, ox = (_chemicals(getattr(message, name)) for name in CHEMICALS)
    return da, se, co, ox


def _gains(config: pb.DynamicsConfig, standard: tuple[Vector4, ...]) -> tuple[Vector4, ...]:
    gains, seen = list(standard), set()
    for row in config.gains:
        if row.signal in seen:
            raise InvalidConfiguration("gains", f"names {SIGNALS[row.signal - 1]} twice; give each signal once")
        seen.add(row.signal)
        gains[row.signal - 1] = _chemicals(row.gain)
    return tuple(gains)


def _mood(message: pb.MoodConfig) -> Mood:
    standard = Mood()
    return Mood(
        kappa=_chemicals(message.kappa) if message.HasField("kappa") else standard.kappa,
        tau_minutes=message.tau_minutes if message.HasField("tau_minutes") else standard.tau_minutes,
    )


def _circadian(message: pb.CircadianConfig) -> Circadian:
    standard = Circadian()
    return Circadian(
        amplitude=_chemicals(message.amplitude) if message.HasField("amplitude") else standard.amplitude,
        peak_hour=message.peak_hour if message.HasField("peak_hour") else standard.peak_hour,
        utc_offset_hours=message.utc_offset_hours,
    )


def _habituation(message: pb.HabituationConfig) -> Habituation:
    standard = Habituation()
    return Habituation(
        eta=message.eta if message.HasField("eta") else standard.eta,
        rho=message.rho if message.HasField("rho") else standard.rho,
        tau_minutes=message.tau_minutes if message.HasField("tau_minutes") else standard.tau_minutes,
    )


def _rule_from(message: pb.ExpressionConfig) -> ExpressionRule:
    standard = ExpressionRule()
    return ExpressionRule(
        temperature_law=LAWS[message.temperature_law],
        base_temperature=(
            message.base_temperature if message.HasField("base_temperature") else standard.base_temperature
        ),
        base_top_p=message.base_top_p if message.HasField("base_top_p") else standard.base_top_p,
        label_hysteresis=(
            message.label_hysteresis if message.HasField("label_hysteresis") else standard.label_hysteresis
        ),
        intensity=message.intensity if message.HasField("intensity") else standard.intensity,
        caps=_caps_from(message.caps) if message.HasField("caps") else standard.caps,
    )


def _caps_from(message: pb.ExpressionCaps) -> Vector4:
    given: dict[str, float] = {field.name: cap for field, cap in message.ListFields()}
    da, se, co, ox = (given.get(name, none) for name, none in zip(CHEMICALS, NO_CAPS, strict=True))
    return da, se, co, ox


def config_to(agent: Agent) -> pb.SessionConfig:
    """The configuration of an agent with every field filled in."""
    return pb.SessionConfig(dynamics=_dynamics_to(agent.dynamics), expression=_rule_to(agent.expression))


def _dynamics_to(dynamics: Dynamics) -> pb.DynamicsConfig:
    message = pb.DynamicsConfig(
        baseline=levels_to(dynamics.baseline),
        half_life_minutes=vector_to(dynamics.half_life_minutes),
        coupling=_matrix_to(dynamics.coupling),
        buffering=_matrix_to(dynamics.buffering),
        gains=[
            pb.SignalGain(signal=pb.Signal.ValueType(index), gain=vector_to(gain))
            for index, gain in enumerate(dynamics.gains, start=1)
        ],
        tau_u_minutes=dynamics.tau_u_minutes,
        time_scale=dynamics.time_scale,
    )
    if dynamics.mood:
        message.mood.kappa.CopyFrom(vector_to(dynamics.mood.kappa))
        message.mood.tau_minutes = dynamics.mood.tau_minutes
    if dynamics.circadian:
        message.circadian.amplitude.CopyFrom(vector_to(dynamics.circadian.amplitude))
        message.circadian.peak_hour = dynamics.circadian.peak_hour
        message.circadian.utc_offset_hours = dynamics.circadian.utc_offset_hours
    if dynamics.habituation:
        rule = dynamics.habituation
        message.habituation.eta, message.habituation.rho = rule.eta, rule.rho
        message.habituation.tau_minutes = rule.tau_minutes
    return message


def _matrix_to(matrix: Matrix4) -> pb.ChemicalMatrix:
    rows = [vector_to(row) for row in matrix]
    return pb.ChemicalMatrix(dopamine=rows[0], serotonin=rows[1], cortisol=rows[2], oxytocin=rows[3])


def _rule_to(rule: ExpressionRule) -> pb.ExpressionConfig:
    law = pb.TEMPERATURE_LAW_MONOTONE
    if rule.temperature_law is TemperatureLaw.INVERTED_U:
        law = pb.TEMPERATURE_LAW_INVERTED_U
    return pb.ExpressionConfig(
        temperature_law=law,
        base_temperature=rule.base_temperature,
        base_top_p=rule.base_top_p,
        label_hysteresis=rule.label_hysteresis,
        intensity=rule.intensity,
        caps=pb.ExpressionCaps(**dict(zip(CHEMICALS, rule.caps, strict=True))),
    )


# ---- entries of a log


def stimulus_from(message: pb.Stimulus, path: str) -> Entry:
    """What a stimulus does. Raises InvalidInput, its path below `path`."""
    try:
        match message.WhichOneof("effect"):
            case "event":
                return Happened(signals_from(message.event, "event"))
            case "sustained":
                minutes = message.sustained.duration_minutes or math.inf
                return Sustained(signals_from(message.sustained.signals, "sustained.signals"), minutes)
            case "skip_minutes":
                return Skipped(message.skip_minutes)
            case _:
                raise InvalidInput("effect", "one of `event`, `sustained`, `skip_minutes` must be set")
    except CoreError as error:
        raise type(error)(f"{path}.{error.field}", error.description) from error


def entry_from(message: pb.LogEntry) -> Entry:
    """What a log entry after the first does. Raises CoreError for one that cannot be."""
    match message.WhichOneof("effect"):
        case "stimulus":
            return stimulus_from(message.stimulus, "stimulus")
        case "configured":
            return Configured(agent_from(message.configured, "configured"))
        case "reset":
            return Restored(levels_from(message.reset.levels) if message.reset.HasField("levels") else None)
        case _:
            raise InvalidInput("effect", "one of `stimulus`, `configured`, `reset` must be set")


# ---- states


def state_to(session_id: str, moment: Moment) -> pb.EmotionalState:
    """The contract's form of a moment."""
    message = pb.EmotionalState()
    write_state(message, session_id, moment)
    return message


def write_state(message: pb.EmotionalState, session_id: str, moment: Moment) -> None:
    """Fills a fresh message in place, which costs half of building one and copying it."""
    levels, baseline = moment.levels, moment.agent.dynamics.baseline
    message.session_id = session_id
    chemistry, time = message.chemistry, message.time
    chemistry.dopamine, chemistry.serotonin, chemistry.cortisol, chemistry.oxytocin = levels
    time.seconds, rest = divmod(moment.time_us, 1_000_000)
    time.nanos = rest * 1000
    message.simulated_minutes = moment.minutes
    message.version = moment.version
    message.label = label_of(moment.label)
    message.valence, message.arousal = affect(levels, baseline)
    if len(moment.flow) > 4:
        message.mood.CopyFrom(vector_to(moment.flow[4:]))
    if moment.sustained is not NO_SIGNALS and any(moment.sustained):
        message.sustained.CopyFrom(signals_to(moment.sustained))
