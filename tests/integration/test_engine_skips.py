"""What a write may skip: a single span takes what it takes, many in one request do not hold everybody up."""

import pytest
from loopback import service

from emotional_ai import Client, InvalidArgument, Signals, Stimulus
from emotional_ai.v1 import engine_pb2 as pb

MOODY = pb.SessionConfig(dynamics=pb.DynamicsConfig(mood=pb.MoodConfig()))
LONG = 1e6
"""Simulated minutes, about two years."""


def pairs(count: int) -> list[Stimulus]:
    """An event and a long skip, so many times: each skip is integrated anew."""
    return [one for _ in range(count) for one in (Stimulus(event=Signals(threat=0.9)), Stimulus(skip_minutes=LONG))]


def test_many_long_skips_are_refused_in_one_request_and_taken_one_by_one() -> None:
    with service() as address, Client(address) as client:
        client.create_session("ada", config=MOODY)
        client.apply_stimuli("ada", [Stimulus(sustained=pb.SustainedSignals(signals=Signals(reward=0.3)))])
        with pytest.raises(InvalidArgument, match="send it in the next") as refused:
            client.apply_stimuli("ada", pairs(64))
        assert client.state("ada").version == 2
        assert refused.value.violations[0].field.endswith(".skip_minutes")
        for _ in range(3):
            client.apply_stimuli("ada", pairs(1))
        assert client.state("ada").simulated_minutes >= 3 * LONG
