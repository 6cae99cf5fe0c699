"""Intensity and caps of a session, through the service: kept, copied, refused, and nothing of them in what is felt."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import in_file, service
from wire_client import event

from emotional_ai import Client, ExpressionConfig, InvalidArgument, SessionConfig
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import inference_pb2
from emotional_ai_service.core.timeline import Agent
from emotional_ai_service.engine import SNAPSHOT_EVERY
from emotional_ai_service.wire import agent_from, config_to

HALF = ExpressionConfig(intensity=0.5, caps=pb.ExpressionCaps(cortisol=0.4))
STILL = pb.DynamicsConfig(time_scale=0)
"""Nothing fades while the test runs."""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with service() as address, Client(address) as client:
        yield client


def made(client: Client, session_id: str, expression: ExpressionConfig | None = None) -> pb.Session:
    return client.create_session(session_id, config=SessionConfig(dynamics=STILL, expression=expression))


def spoken(client: Client, session_id: str) -> inference_pb2.Expression:
    return client.preview_expression(session_id)


def levels(message: pb.Chemistry) -> list[float]:
    return [message.dopamine, message.serotonin, message.cortisol, message.oxytocin]


def test_a_session_expresses_its_share_of_what_it_feels_and_no_more_than_its_cap(client: Client) -> None:
    made(client, "plain")
    made(client, "half", HALF)
    felt = [client.apply_stimuli(one, [event(threat=1), event(loss=1)]).state for one in ("plain", "half")]
    assert levels(felt[0].chemistry) == levels(felt[1].chemistry)
    assert felt[0].label == felt[1].label
    baseline = levels(client.get_session("plain").config.dynamics.baseline)
    expected = [b + 0.5 * (x - b) for x, b in zip(levels(felt[1].chemistry), baseline, strict=True)]
    assert expected[2] > 0.4
    expected[2] = 0.4
    whole, lowered = spoken(client, "plain"), spoken(client, "half")
    assert levels(whole.chemistry) == levels(felt[0].chemistry)
    assert levels(lowered.chemistry) == pytest.approx(expected, abs=1e-12)
    assert lowered.conditioning != whole.conditioning
    assert abs(lowered.arousal) < abs(whole.arousal)
    assert lowered.label != felt[1].label


def test_at_no_intensity_a_session_in_distress_speaks_as_at_rest(client: Client) -> None:
    made(client, "rest")
    made(client, "muted", ExpressionConfig(intensity=0))
    felt = client.apply_stimuli("muted", [event(threat=1), event(loss=1)]).state
    assert felt.label not in (pb.EMOTION_LABEL_NEUTRAL, pb.EMOTION_LABEL_UNSPECIFIED)
    assert spoken(client, "muted") == spoken(client, "rest")


def test_what_is_left_out_is_filled_in_as_full_intensity_without_caps(client: Client) -> None:
    expression = made(client, "filled").config.expression
    assert expression.intensity == 1
    assert expression.caps == pb.ExpressionCaps(dopamine=1, serotonin=1, cortisol=1, oxytocin=1)
    assert made(client, "half-filled", HALF).config.expression.caps == pb.ExpressionCaps(
        dopamine=1, serotonin=1, cortisol=0.4, oxytocin=1
    )


@pytest.mark.parametrize(
    ("expression", "field", "allowed"),
    [
        (ExpressionConfig(intensity=1.1), "config.expression.intensity", "1"),
        (ExpressionConfig(caps=pb.ExpressionCaps(oxytocin=-0.1)), "config.expression.caps.oxytocin", "0"),
        (
            ExpressionConfig(caps=pb.ExpressionCaps(cortisol=0.2)),
            "config.expression.caps.cortisol",
            "must be at least the baseline, 0.3, and at most 1, got 0.2",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_field_with_what_is_allowed(
    client: Client, expression: ExpressionConfig, field: str, allowed: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        made(client, "refused", expression)
    (violation,) = refused.value.violations
    assert violation.field == field
    assert allowed in violation.description


def test_a_baseline_raised_above_a_cap_by_an_update_is_refused_and_nothing_changes(client: Client) -> None:
    before = made(client, "raised", HALF)
    anxious = pb.DynamicsConfig(personality=pb.BigFive(neuroticism=1, extraversion=0.5))
    with pytest.raises(InvalidArgument, match=r"caps.cortisol: must be at least the baseline, 0\.\d+") as refused:
        client.update_session("raised", SessionConfig(dynamics=anxious, expression=HALF))
    assert refused.value.reason == "INVALID_CONFIGURATION"
    assert client.get_session("raised").config == before.config


def test_copies_and_sessions_brought_back_from_a_snapshot_express_the_same(tmp_path: Path) -> None:
    settings = in_file(tmp_path / "sessions.db")
    with service(settings) as address, Client(address) as client:
        made(client, "ada", HALF)
        for _ in range(SNAPSHOT_EVERY // 100 + 1):
            client.apply_stimuli("ada", [event(threat=0.02)] * 100)
        client.import_json(client.export_json("ada"), session_id="copy")
        expressed = spoken(client, "ada")
    with service(settings) as address, Client(address) as client:
        assert client.get_session("ada").config.expression == client.get_session("copy").config.expression
        for session_id in ("ada", "copy"):
            again = spoken(client, session_id)
            assert again == expressed
            assert again.chemistry.cortisol == 0.4


def test_a_log_written_before_there_was_an_intensity_means_all_of_it_to_the_bit() -> None:
    before = config_to(Agent())
    before.expression.ClearField("intensity")
    before.expression.ClearField("caps")
    assert agent_from(before) == Agent()
    assert config_to(agent_from(before)) == config_to(Agent())
    with service() as address, Client(address) as client:
        made(client, "ada")
        client.apply_stimuli("ada", [event(praise=0.7, threat=0.3)])
        old = client.export_session("ada")
        old.entries[0].created.config.expression.ClearField("intensity")
        old.entries[0].created.config.expression.ClearField("caps")
        client.import_session(old, session_id="old")
        assert spoken(client, "old") == spoken(client, "ada")
