"""What a training will do, before it does: states, prompts, and tokens a stage, for time left and for bills."""

from collections.abc import Callable, Sequence
from itertools import chain, islice, zip_longest
from typing import Final

from emotional_ai_training.conditioning import ADAPTERS, BALANCED, CURIOUS
from emotional_ai_training.dataset import News, PrepareConfig, SpelledPrompt
from emotional_ai_training.dataset.rows import LOWS, MILDS
from emotional_ai_training.evaluation.scale import SCALES
from emotional_ai_training.jobs import Recipe
from emotional_ai_training.recipes.data import REPLAY_SHARE, TrainingData
from emotional_ai_training.recipes.examples import Example
from emotional_ai_training.recipes.training import (
    CURIOSITY,
    EVALUATION,
    SPOKEN_TO,
    STRENGTH,
    Settings,
)

DATA: Final = "data"
ROWS: Final = 132
"""Rows prepared for a state's own run."""
LOW_ROWS: Final = 72
"""Rows of each chemical's low level, for the balanced adapter."""
MILD_ROWS: Final = 48
"""Rows of each chemical's mild level, for its own adapter and the balanced one."""
UNSHOWN_ROWS: Final = 48
"""Rows that are told a low level, seldom a very low one, and answer as at rest, for the balanced adapter."""
PREPARED: Final = PrepareConfig(
    train_rows=ROWS, test_rows=0, low_rows=LOW_ROWS, mild_rows=MILD_ROWS, unshown_rows=UNSHOWN_ROWS
)
"""How a training prepares the rows it is not given."""
CONDITIONING_ROWS: Final = 36
"""Rows of a state in the base conditioning."""
ASKED: Final = 40
"""Held-out prompts of the evaluation."""
ROW_TOKENS: Final = 120
SPOKEN_TOKENS: Final = 110
"""Tokens of a row, and of a sampled reply with its prompt, about; for plans, not for bills."""


def work(settings: Settings, data: TrainingData | None) -> dict[str, float]:
    """Tokens each stage will take, about; from the numbers of rows that will be prepared where there is no `data` yet."""

    def learned(examples: Callable[[TrainingData], list[Example]], rows: int) -> float:
        if data is None:
            return rows * (1 + REPLAY_SHARE) * ROW_TOKENS
        return float(sum(len(example.tokens) for example in examples(data)))

    states = states_of(settings)
    each, seed = settings.conditioning.rows_each, settings.seed
    all_states = CONDITIONING_ROWS * (len(ADAPTERS) + len(LOWS) + len(MILDS) + 1)
    together = learned(lambda known: known.for_conditioning(each, seed), all_states)
    planned = {"conditioning": together * settings.conditioning.epochs}
    for state in states:
        besides = len(LOWS) * LOW_ROWS + len(MILDS) * MILD_ROWS + UNSHOWN_ROWS if state == BALANCED else MILD_ROWS
        rows = ROWS + besides
        own = learned(lambda known, name=state: known.for_state(name, seed), rows)  # type: ignore[misc]
        planned[state] = own * settings.of(state).epochs
    if CURIOUS in states and settings.recipe in (Recipe.CURIOSITY, Recipe.ALL):
        replies = settings.curiosity.steps * settings.curiosity.prompts * settings.curiosity.group
        planned[CURIOSITY] = float(2 * replies * SPOKEN_TOKENS)
    planned[EVALUATION] = float(2 * max(len(states), 1) * ASKED * SPOKEN_TOKENS)
    if data is None:
        planned[DATA] = _replies_prepared() * SPOKEN_TOKENS
    return planned


def _replies_prepared() -> float:
    """Replies the base model speaks for the rows of a training: those of replay rows. All others are written by hand."""
    rows = ROWS * len(ADAPTERS) + LOW_ROWS * len(LOWS) + MILD_ROWS * len(MILDS) + UNSHOWN_ROWS
    return REPLAY_SHARE * rows


def strength_work(settings: Settings) -> dict[str, float]:
    """Tokens that finding the adapters' strengths takes at most, about; on this machine, whoever trains."""
    return {STRENGTH: float(len(states_of(settings)) * (len(SCALES) * SPOKEN_TO + ASKED) * SPOKEN_TOKENS)}


def billed(planned: dict[str, float]) -> tuple[int, int]:
    """Tokens of a plan that are trained on, and those that are sampled, their prompts with them; curiosity does both."""
    sampled = sum(planned.get(stage, 0.0) for stage in (EVALUATION, DATA)) + planned.get(CURIOSITY, 0.0) / 2
    return int(sum(planned.values()) - sampled), int(sampled)


def states_of(settings: Settings) -> list[str]:
    """The states whose adapters a recipe trains."""
    if settings.recipe is Recipe.CONDITIONING:
        return []
    if settings.recipe is Recipe.CURIOSITY:
        return [CURIOUS]
    return [state for state in ADAPTERS if state in settings.states]


def asked(prompts: Sequence[SpelledPrompt], count: int) -> list[str]:
    """`count` prompts, as many of each kind of news as there can be, always the same."""
    by_news = [[prompt.text for prompt in prompts if prompt.news is news] for news in News]
    taken = chain.from_iterable(zip_longest(*by_news))
    return list(islice((text for text in taken if text is not None), count))
