"""What a training is told to cost: every reply that is sampled and every row that is learned is in the bill."""

from pathlib import Path

import pytest

from emotional_ai_training.conditioning import ADAPTERS, BALANCED
from emotional_ai_training.evaluation.before_after import Speaking
from emotional_ai_training.jobs import Recipe
from emotional_ai_training.recipes.curiosity import Curiosity
from emotional_ai_training.recipes.data import REPLAY_SHARE
from emotional_ai_training.recipes.fine_tuning import FineTuning
from emotional_ai_training.recipes.training import CURIOSITY, EVALUATION, Settings, spread
from emotional_ai_training.recipes.workload import (
    DATA,
    LOW_ROWS,
    MILD_ROWS,
    ROW_TOKENS,
    ROWS,
    SPOKEN_TOKENS,
    UNSHOWN_ROWS,
    billed,
    work,
)

SETTINGS = Settings(
    recipe=Recipe.ALL,
    states=ADAPTERS,
    conditioning=FineTuning(rows_each=50),
    state=FineTuning(),
    balanced=FineTuning(epochs=2),
    curiosity=Curiosity(),
    speaking=Speaking(),
    seed=0,
    loras_dir=Path("loras"),
    checkpoints_dir=Path("checkpoints"),
)


def test_what_the_base_model_says_for_replay_rows_is_in_the_bill() -> None:
    replay = REPLAY_SHARE * (5 * ROWS + 4 * LOW_ROWS + 4 * MILD_ROWS + UNSHOWN_ROWS)
    assert work(SETTINGS, None)[DATA] == pytest.approx(replay * SPOKEN_TOKENS)


def test_an_adapter_learns_its_mild_levels_and_the_balanced_one_all_mild_and_low_ones() -> None:
    planned = work(SETTINGS, None)
    rows = ROWS + 4 * LOW_ROWS + 4 * MILD_ROWS + UNSHOWN_ROWS
    assert planned[BALANCED] == pytest.approx(2 * rows * (1 + REPLAY_SHARE) * ROW_TOKENS)
    assert planned["high_cortisol"] == pytest.approx((ROWS + MILD_ROWS) * (1 + REPLAY_SHARE) * ROW_TOKENS)


def test_a_token_is_billed_once_and_for_what_it_is() -> None:
    planned = work(SETTINGS, None)
    trained, sampled = billed(planned)
    assert sampled == int(planned[EVALUATION] + planned[DATA] + planned[CURIOSITY] / 2)
    assert trained + sampled == pytest.approx(sum(planned.values()), abs=1)


@pytest.mark.parametrize(
    ("many", "most", "expected"), [(0, 4, []), (3, 4, [0, 1, 2]), (8, 4, [0, 2, 4, 6]), (7, 3, [0, 2, 4])]
)
def test_prompts_are_taken_evenly_and_none_twice(many: int, most: int, expected: list[int]) -> None:
    prompts = [str(i) for i in range(many)]
    assert spread(prompts, most) == [str(i) for i in expected]
