import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_service.appraisal.cues import Direction, find_cues
from emotional_ai_service.appraisal.mapping import (
    FEEDS,
    FEEDS_ABOUT_AGENT,
    FOUND,
    found_only,
    from_emotions,
    from_heads,
    strength,
    valence,
)
from emotional_ai_service.appraisal.novelty import EmbeddingMemory, distance, topic, unfamiliarity
from emotional_ai_service.core.names import SIGNALS
from emotional_ai_training.emotions import EMOTIONS


def strengths(**given: float) -> dict[str, float]:
    return dict.fromkeys(EMOTIONS, 0.0) | given


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("you are kind", Direction.AGENT),
        ("ur the best", Direction.AGENT),
        ("Youth is wasted", Direction.OPEN),
        ("well done!", Direction.OPEN),
        ("she is kind", Direction.OTHERS),
        ("it was fun, you know, with them", Direction.OTHERS),
        ("The theory of other cushions", Direction.OPEN),
    ],
)
def test_the_direction_is_read_from_pronouns(text: str, direction: Direction) -> None:
    assert find_cues(text).direction is direction


def test_the_matrix_names_every_emotion_and_only_signals() -> None:
    assert set(FEEDS) == set(EMOTIONS)
    assert set(FEEDS_ABOUT_AGENT) <= set(EMOTIONS)
    assert {name for table in (FEEDS, FEEDS_ABOUT_AGENT) for feeds in table.values() for name in feeds} <= set(SIGNALS)


def test_admiration_is_praise_only_if_it_is_for_the_agent() -> None:
    admiring = strengths(admiration=0.9)
    assert from_emotions(admiring, find_cues("you are brilliant"))["praise"] == pytest.approx(0.9)
    assert from_emotions(admiring, find_cues("he is brilliant"))["praise"] == 0.0


def test_scorn_about_others_rejects_the_agent_less_than_scorn_about_you() -> None:
    heads = dict.fromkeys(SIGNALS, 0.9)
    about_you, about_him = (from_heads(heads, find_cues(text)) for text in ("you bore me", "he bores me"))
    assert about_him["rejection"] < about_you["rejection"]
    assert about_him["loss"] == about_you["loss"]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 0.99))
def test_strength_rises_with_the_probability_and_is_half_at_the_threshold(p: float, q: float, t: float) -> None:
    assert strength(t, t) == 0.5
    assert 0.0 <= strength(min(p, q), t) <= strength(max(p, q), t) + 1e-12 <= 1.0 + 1e-9


def test_what_is_not_found_is_zero() -> None:
    signals = dict.fromkeys(SIGNALS, FOUND - 0.01) | {"loss": FOUND}
    assert found_only(signals) == tuple(FOUND if name == "loss" else 0.0 for name in SIGNALS)


def test_valence_has_the_sign_of_what_prevails_and_stays_within_one() -> None:
    calm = dict.fromkeys(SIGNALS, 0.0)
    assert valence(strengths(), calm) == 0.0
    assert 0.5 < valence(strengths(joy=1.0), calm | {"reward": 1.0}) < 1.0
    assert -1.0 < valence(strengths(sadness=1.0), calm | {"loss": 1.0}) < -0.5


def test_a_repeat_is_not_new_and_an_unrelated_text_is() -> None:
    earlier = np.eye(3, dtype=np.float32)[:2]
    assert distance(earlier[0], earlier) == 0.0
    assert topic(0.0) == unfamiliarity(0.0) == 0.0
    unrelated = distance(np.array([0, 0, 1], dtype=np.float32), earlier)
    assert (topic(unrelated), unfamiliarity(unrelated)) == (0.7, 1.0)


@given(st.floats(0, 1), st.floats(0, 1))
def test_novelty_rises_with_the_distance(a: float, b: float) -> None:
    assert topic(min(a, b)) <= topic(max(a, b))
    assert unfamiliarity(min(a, b)) <= unfamiliarity(max(a, b))


def test_a_conversation_is_embedded_once() -> None:
    asked: list[str] = []

    def embed(texts):
        asked.extend(texts)
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    memory = EmbeddingMemory(embed, limit=3)
    memory.look_up(["a", "bb"])
    assert memory.look_up(["a", "bb", "ccc", "a"])[:, 0].tolist() == [1, 2, 3, 1]
    assert asked == ["a", "bb", "ccc"]


def test_the_memory_is_bounded_yet_answers_a_history_longer_than_it() -> None:
    memory = EmbeddingMemory(lambda texts: np.array([[float(t)] for t in texts], dtype=np.float32), limit=2)
    assert memory.look_up([str(i) for i in range(9)])[:, 0].tolist() == list(range(9))
    assert len(memory._kept) == 2
