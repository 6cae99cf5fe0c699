"""What a session at rest costs: thousands of people are away at any time."""

from memory_at_rest import taken

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.wire import agent_from, config_to

AT_REST = 2_048
"""Bytes a session may take that is in memory and has been written to once."""


def test_a_session_at_rest_takes_two_kilobytes_at_most() -> None:
    assert taken("sqlite") <= AT_REST


def test_a_session_of_a_shared_store_takes_little_more() -> None:
    # The store is in memory here, and what it keeps of a session is as much as that again.
    assert taken("shared") - taken("memory") <= AT_REST / 8


def test_those_who_have_one_configuration_share_its_equations() -> None:
    def config(optimism: float) -> pb.SessionConfig:
        return pb.SessionConfig(dynamics=pb.DynamicsConfig(baseline=pb.Chemistry(dopamine=optimism)))

    config_a, config_b = config(0.5), config(0.6)
    for each in (config_a, config_b):
        each.dynamics.baseline.serotonin = each.dynamics.baseline.cortisol = each.dynamics.baseline.oxytocin = 0.5
    one, other, same = agent_from(config_a), agent_from(config_b), agent_from(config_a)
    assert one is same
    assert one != other
    assert agent_from(config_to(one)) == one
