"""What is counted about texts and scores, against definitions written out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_training.evaluation.measures import auc, broken, distinct
from emotional_ai_training.evaluation.scale import Heard, Tried, choose

scores = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9]), min_size=1, max_size=12)


@given(after=scores, before=scores)
def test_auc_is_the_share_of_pairs_won_ties_counting_half(after: list[float], before: list[float]) -> None:
    won = sum((a > b) + 0.5 * (a == b) for a in after for b in before)
    assert auc(after, before) == pytest.approx(won / (len(after) * len(before)))


def test_auc_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="both sides"):
        auc([], [0.5])


def test_distinct_counts_pairs_across_texts() -> None:
    assert distinct(["a b c", "a b d"]) == pytest.approx(3 / 4)
    assert distinct(["", "one"]) == 0.0


@pytest.mark.parametrize("text", ["", "  \n", "...", "!?", "I am so glad I am so glad I am so glad I am so glad"])
def test_replies_without_words_or_in_a_loop_are_broken(text: str) -> None:
    assert broken(text)


def test_an_ordinary_reply_is_not_broken() -> None:
    assert not broken("I am glad, I am really glad, and I want to hear all of it.")


def tried(scale: float, recognised: float, probability: float) -> Tried:
    return Tried(scale, Heard(recognised, probability), perplexity_ratio=1.0)


def test_the_scale_is_the_least_at_which_the_state_is_read_and_no_greater_one_is_tried() -> None:
    tries = iter([tried(0.75, 0.94, 0.9), tried(1.0, 0.96, 0.3), tried(1.25, 1.0, 0.9)])
    assert choose(tries) == tried(1.0, 0.96, 0.3)
    assert next(tries).scale == 1.25


def test_where_the_state_is_read_too_seldom_the_scale_is_that_at_which_it_is_most_probable_and_the_least_of_equals() -> (
    None
):
    tries = iter([tried(0.75, 0.6, 0.4), tried(1.0, 0.4, 0.6), tried(1.5, 0.5, 0.6)])
    assert choose(tries) == tried(1.0, 0.4, 0.6)
