"""A configuration that cannot be is refused with the field, the reason and the bound, and nothing is made or changed."""

import math
from collections.abc import Iterator

import pytest
from loopback import service
from wire_client import fields, refused, refused_without_a_trace

from emotional_ai import BigFive, ChemicalVector, Chemistry, Client, DynamicsConfig, InvalidArgument, SessionConfig
from emotional_ai.v1 import engine_pb2 as pb


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with service() as address, Client(address) as client:
        client.create_session("ada")
        client.apply("ada", reward=0.4)
        yield client


UNSTABLE = pb.ChemicalMatrix(cortisol=ChemicalVector(dopamine=-3.0, oxytocin=1.5))
STRONG = pb.ChemicalMatrix(serotonin=ChemicalVector(cortisol=0.6))
CONFIGURATIONS: dict[str, tuple[DynamicsConfig, str, str, str]] = {
    "coupling": (DynamicsConfig(coupling=UNSTABLE), "UNSTABLE_CONFIGURATION", "coupling.cortisol", "below 4"),
    "mood": (
        DynamicsConfig(mood=pb.MoodConfig(kappa=ChemicalVector(dopamine=3.9))),
        "UNSTABLE_CONFIGURATION",
        "coupling.dopamine",
        "below 4",
    ),
    "buffering": (DynamicsConfig(buffering=STRONG), "UNSTABLE_CONFIGURATION", "buffering.serotonin", "at most 0.5"),
    "negative buffering": (
        DynamicsConfig(buffering=pb.ChemicalMatrix(dopamine=ChemicalVector(cortisol=-0.1))),
        "UNSTABLE_CONFIGURATION",
        "buffering.dopamine",
        ">= 0",
    ),
    "baseline at the edge": (
        DynamicsConfig(baseline=Chemistry(dopamine=1, serotonin=0.5, cortisol=0.5, oxytocin=0.5)),
        "INVALID_CONFIGURATION",
        "baseline.dopamine",
        "must be in [1e-06, 0.999999]",
    ),
    "half-life": (
        DynamicsConfig(half_life_minutes=ChemicalVector(dopamine=0.01, serotonin=1, cortisol=1, oxytocin=1)),
        "INVALID_CONFIGURATION",
        "half_life_minutes.dopamine",
        "[0.1, 100000]",
    ),
    "baseline and personality": (
        DynamicsConfig(baseline=Chemistry(dopamine=0.5), personality=BigFive(openness=0.5)),
        "INVALID_CONFIGURATION",
        "personality",
        "baseline",
    ),
    "gain twice": (
        DynamicsConfig(gains=[pb.SignalGain(signal=pb.SIGNAL_LOSS, gain=ChemicalVector(dopamine=0.1))] * 2),
        "INVALID_CONFIGURATION",
        "gains",
        "loss twice",
    ),
    "gain too great": (
        DynamicsConfig(gains=[pb.SignalGain(signal=pb.SIGNAL_LOSS, gain=ChemicalVector(oxytocin=11))]),
        "INVALID_CONFIGURATION",
        "gains.loss.oxytocin",
        "[-10, 10]",
    ),
    "time scale": (DynamicsConfig(time_scale=-1), "INVALID_REQUEST", "time_scale", "0"),
    "not a number": (
        DynamicsConfig(half_life_minutes=ChemicalVector(dopamine=math.nan)),
        "INVALID_REQUEST",
        "half_life_minutes.dopamine",
        "finite",
    ),
    "gain of no signal": (
        DynamicsConfig(gains=[pb.SignalGain(signal=pb.SIGNAL_UNSPECIFIED, gain=ChemicalVector())]),
        "INVALID_REQUEST",
        "gains[0].signal",
        "0",
    ),
}


@pytest.mark.parametrize("what", CONFIGURATIONS)
def test_a_configuration_that_cannot_be_is_refused_by_field(client: Client, what: str) -> None:
    dynamics, reason, field, allowed = CONFIGURATIONS[what]
    config = SessionConfig(dynamics=dynamics)
    for call in (
        lambda: client.create_session("grace", config=config),
        lambda: client.update_session("ada", config),
    ):
        error = refused_without_a_trace(client, call)
        assert isinstance(error, InvalidArgument)
        assert error.reason == reason
        assert fields(error) == [f"config.dynamics.{field}"]
        assert allowed in error.violations[0].description


def test_a_simulation_is_refused_by_field_as_well(client: Client) -> None:
    error = refused(lambda: client.simulate([0.0], config=DynamicsConfig(coupling=UNSTABLE)))
    assert error.reason == "UNSTABLE_CONFIGURATION"
    assert fields(error) == ["config.coupling.cortisol"]
    for what in ("baseline at the edge", "time scale", "gain too great", "baseline and personality"):
        dynamics, reason, field, _ = CONFIGURATIONS[what]
        error = refused(lambda: client.simulate([0.0], config=dynamics))  # noqa: B023
        assert (error.reason, fields(error)) == (reason, [f"config.{field}"])
    apart = DynamicsConfig(half_life_minutes=ChemicalVector(dopamine=1e5, serotonin=0.1, cortisol=0.1, oxytocin=0.1))
    assert fields(refused(lambda: client.simulate([0.0], config=apart))) == ["config.half_life_minutes"]
    assert fields(refused(lambda: client.simulate([2.0, 1.0]))) == ["times[1]"]
    backwards = pb.SimulatedSpan(start=5, end=5, signals=pb.Signals(loss=0.1))
    assert fields(refused(lambda: client.simulate([2.0], sustained=[backwards]))) == ["sustained[0].end"]


@pytest.mark.parametrize("value", [math.nan, -0.1, 1.1])
def test_levels_outside_their_range_are_refused(client: Client, value: float) -> None:
    levels = Chemistry(dopamine=0.5, serotonin=0.5, cortisol=value, oxytocin=0.5)
    assert fields(refused_without_a_trace(client, lambda: client.create_session("x", initial=levels))) == [
        "initial.cortisol"
    ]
    assert fields(refused_without_a_trace(client, lambda: client.reset_session("ada", levels=levels))) == [
        "levels.cortisol"
    ]
