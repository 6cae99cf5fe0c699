"""What each recipe takes of the rows it is given."""

from collections import Counter

import pytest

from emotional_ai_training.conditioning import ADAPTERS, BALANCED
from emotional_ai_training.dataset.rows import LOWS, MILDS, REPLAY, UNSHOWN
from emotional_ai_training.recipes.data import REPLAY_SHARE, TrainingData
from emotional_ai_training.recipes.errors import DataUnusable
from emotional_ai_training.recipes.examples import Example

STATES = (*ADAPTERS, *LOWS, *MILDS, UNSHOWN)
EACH = 20


def data(*states: str) -> TrainingData:
    """Twenty rows of each state, and as many replay rows as a run may want."""
    counts = dict.fromkeys(states, EACH) | {REPLAY: EACH * len(states)}
    rows = {state: [Example(f"{state}/{n}", (1, 2), 1) for n in range(count)] for state, count in counts.items()}
    return TrainingData(rows, held_out={}, digest="")


def states_of(examples: list[Example]) -> dict[str, int]:
    return dict(Counter(example.id.partition("/")[0] for example in examples))


def test_a_state_is_learned_with_its_mild_levels_and_the_balanced_one_with_all() -> None:
    known = data(*STATES)
    for high, mild in zip(ADAPTERS[:-1], MILDS, strict=True):
        wanted = {high: EACH, mild: EACH}
        assert states_of(known.for_state(high, seed=1)) == wanted | {REPLAY: round(2 * EACH * REPLAY_SHARE)}
    wanted = dict.fromkeys((BALANCED, *LOWS, *MILDS, UNSHOWN), EACH)
    assert states_of(known.for_state(BALANCED, seed=1)) == wanted | {REPLAY: round(10 * EACH * REPLAY_SHARE)}


def test_a_state_is_learned_from_its_own_rows_where_there_are_no_others() -> None:
    for state in (*ADAPTERS[:1], BALANCED):
        assert states_of(data(state).for_state(state, seed=1)) == {state: EACH, REPLAY: 2}


def test_a_state_without_rows_of_its_own_is_refused() -> None:
    with pytest.raises(
        DataUnusable, match=r"no rows of high_cortisol to train on; the data holds mild_cortisol, replay"
    ):
        data("mild_cortisol").for_state("high_cortisol", seed=1)


def test_the_base_conditioning_learns_so_many_rows_of_every_state_chosen_by_the_seed() -> None:
    known = data(*STATES)
    chosen = known.for_conditioning(5, seed=1)
    assert states_of(chosen) == dict.fromkeys(STATES, 5) | {REPLAY: round(5 * len(STATES) * REPLAY_SHARE)}
    assert chosen == known.for_conditioning(5, seed=1) != known.for_conditioning(5, seed=2)
    assert states_of(known.for_conditioning(EACH + 1, seed=1))[UNSHOWN] == EACH
