"""What a training is told to cost: every reply that is sampled and every row that is learned is in the bill."""

from pathlib import Path

import pytest

from emotional_ai_training.conditioning import ADAPTERS, BALANCED
from emotional_ai_training.dataset.preparing import OVERDRAFT
from emotional_ai_training.evaluation.before_after import Speaking
from emotional_ai_training.jobs import Recipe
from emotional_ai_training.recipes.curiosity import Curiosity
from emotional_ai_training.recipes.data import REPLAY_SHARE
from emotional_ai_training.recipes.fine_tuning import FineTuning
from emotional_ai_training.recipes.training import CURIOSITY, EVALUATION, Settings
from emotional_ai_training.recipes.workload import (
    DATA,
    DROPPED,
    LOW_ROWS,
    MILD_ROWS,
    ROW_TOKENS,
    ROWS,
    SPOKEN_TOKENS,
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


def test_drafts_the_base_model_goes_on_with_are_in_the_bill() -> None:
    """Six drafts for each row that is gone on with, of the states and of each chemical's low level."""
    gone_on_with = OVERDRAFT * DROPPED * (5 * ROWS + 4 * LOW_ROWS)
    replay = REPLAY_SHARE * (5 * ROWS + 4 * LOW_ROWS + MILD_ROWS)
    assert work(SETTINGS, None)[DATA] == pytest.approx((gone_on_with + replay) * SPOKEN_TOKENS)


def test_the_balanced_adapter_learns_low_levels_and_mild_states_too() -> None:
    planned = work(SETTINGS, None)
    assert planned[BALANCED] == pytest.approx(2 * (ROWS + 4 * LOW_ROWS + MILD_ROWS) * (1 + REPLAY_SHARE) * ROW_TOKENS)
    assert planned["high_cortisol"] == pytest.approx(ROWS * (1 + REPLAY_SHARE) * ROW_TOKENS)


def test_a_token_is_billed_once_and_for_what_it_is() -> None:
    planned = work(SETTINGS, None)
    trained, sampled = billed(planned)
    assert sampled == int(planned[EVALUATION] + planned[DATA] + planned[CURIOSITY] / 2)
    assert trained + sampled == pytest.approx(sum(planned.values()), abs=1)
