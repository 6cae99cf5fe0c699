"""When a state is news to who was told of another, and how states are addressed."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from emotional_ai.mcp_bridge import uris
from emotional_ai.mcp_bridge.subscriptions import LEAST_MOVE, moved
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2 as pb

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", fullmatch=True)
STEPS = st.floats(-1, 1).filter(lambda step: abs(abs(step) - LEAST_MOVE) > 1e-9)


def state(
    version: int = 3, label: pb.EmotionLabel.ValueType = pb.EMOTION_LABEL_JOY, **levels: float
) -> pb.EmotionalState:
    return pb.EmotionalState(version=version, label=label, chemistry=pb.Chemistry(**levels))


def test_any_state_is_news_to_who_knows_none() -> None:
    assert moved(None, state())


def test_the_same_state_is_no_news() -> None:
    assert not moved(state(dopamine=0.5), state(dopamine=0.5))


def test_whatever_happens_is_news_even_if_it_moves_nothing() -> None:
    assert moved(state(version=3), state(version=4))


def test_another_emotion_is_news_however_small_the_step_to_it() -> None:
    assert moved(state(label=pb.EMOTION_LABEL_JOY), state(label=pb.EMOTION_LABEL_NEUTRAL))


@given(name=st.sampled_from(CHEMICALS), step=STEPS)
def test_time_is_news_once_it_has_moved_one_level_far_enough(name: str, step: float) -> None:
    assert moved(state(**{name: 0.0}), state(**{name: step})) == (abs(step) >= LEAST_MOVE)


@given(IDS)
def test_the_address_of_a_state_names_its_session(session_id: str) -> None:
    assert uris.watched(uris.state_of(session_id)) == session_id
    assert uris.of_session(uris.state_of(session_id)) == (session_id, "state")


@given(IDS)
def test_an_address_names_the_same_session_however_it_is_escaped(session_id: str) -> None:
    everything = "".join(f"%{ord(character):02X}" for character in session_id)
    for spelled in (session_id, everything, quote(session_id, safe=":")):
        assert uris.watched(f"emotion://sessions/{spelled}/state") == session_id


@given(st.text(max_size=60))
def test_no_other_text_is_the_address_of_a_state(text: str) -> None:
    assert uris.watched(text) is None
    assert uris.watched(f"emotion://sessions/{text}/history") is None
