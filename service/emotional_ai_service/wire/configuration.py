"""The configuration of a session."""

from hashlib import blake2b
from typing import Final
from weakref import WeakValueDictionary

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.configuration import Circadian, Dynamics, Habituation, Mood
from emotional_ai_service.core.errors import CoreError, InvalidConfiguration
from emotional_ai_service.core.expression import NO_CAPS, ExpressionRule, TemperatureLaw
from emotional_ai_service.core.flow import check_speeds
from emotional_ai_service.core.names import CHEMICALS, SIGNALS, Matrix4, Vector4
from emotional_ai_service.core.personality import BigFive, baseline_of
from emotional_ai_service.core.timeline import Agent
from emotional_ai_service.wire.values import levels_to, vector_from, vector_to

LAWS: Final = {
    pb.TEMPERATURE_LAW_UNSPECIFIED: TemperatureLaw.MONOTONE,
    pb.TEMPERATURE_LAW_MONOTONE: TemperatureLaw.MONOTONE,
    pb.TEMPERATURE_LAW_INVERTED_U: TemperatureLaw.INVERTED_U,
}
_AGENTS: Final[WeakValueDictionary[bytes, Agent]] = WeakValueDictionary()
"""Those alive, by the digest of their configuration."""


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
        baseline = vector_from(config.baseline)
    if config.HasField("personality"):
        baseline = baseline_of(_big_five(config.personality))
    return Dynamics(
        baseline=baseline,
        half_life_minutes=(
            vector_from(config.half_life_minutes)
            if config.HasField("half_life_minutes")
            else standard.half_life_minutes
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
    da, se, co, ox = (vector_from(getattr(message, name)) for name in CHEMICALS)
    return da, se, co, ox


def _gains(config: pb.DynamicsConfig, standard: tuple[Vector4, ...]) -> tuple[Vector4, ...]:
    gains, seen = list(standard), set()
    for row in config.gains:
        if row.signal in seen:
            raise InvalidConfiguration("gains", f"names {SIGNALS[row.signal - 1]} twice; give each signal once")
        seen.add(row.signal)
        gains[row.signal - 1] = vector_from(row.gain)
    return tuple(gains)


def _mood(message: pb.MoodConfig) -> Mood:
    standard = Mood()
    return Mood(
        kappa=vector_from(message.kappa) if message.HasField("kappa") else standard.kappa,
        tau_minutes=message.tau_minutes if message.HasField("tau_minutes") else standard.tau_minutes,
    )


def _circadian(message: pb.CircadianConfig) -> Circadian:
    standard = Circadian()
    return Circadian(
        amplitude=vector_from(message.amplitude) if message.HasField("amplitude") else standard.amplitude,
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
