"""The state a training row is told: levels drawn around the state it expresses."""

import random
from typing import Final

from emotional_ai_training.conditioning import ADAPTERS, BASELINE, NOTICEABLE, PEAKS, Levels
from emotional_ai_training.dataset.errors import UnknownState
from emotional_ai_training.dataset.rows import LOWS

BELOW_PEAK: Final = 0.15
ABOVE_PEAK: Final = 0.05
DRIFT: Final = 0.14
"""How far the other chemicals may stray, as a share of the room on their side of the baseline.

Below `conditioning.NOTICEABLE`, so the words of a row name the state its reply expresses and no other.
"""


def check_state(state: str) -> str:
    """Returns `state` if an adapter is trained for it. Raises UnknownState."""
    if state not in ADAPTERS:
        raise UnknownState(state)
    return state


def draw_levels(state: str, rng: random.Random) -> Levels:
    """Draws levels for one row: the state's own chemical around its peak, the others around their baseline.

    The own chemical is uniform in peak - 0.15 .. peak + 0.05, or, of one of LOWS, from 0 up to where words tell of it;
    `balanced` has none. Rounded to 4 decimals.
    """
    if state in LOWS:
        own = LOWS.index(state)
        low, high = 0.0, (1 - NOTICEABLE) * BASELINE[own]
    else:
        own = ADAPTERS.index(check_state(state))
        low, high = (PEAKS[own] - BELOW_PEAK, min(PEAKS[own] + ABOVE_PEAK, 1.0)) if own < len(PEAKS) else (0.0, 0.0)
    levels = [rng.uniform(low, high) if i == own else _near(baseline, rng) for i, baseline in enumerate(BASELINE)]
    dopamine, serotonin, cortisol, oxytocin = (round(level, 4) for level in levels)
    return dopamine, serotonin, cortisol, oxytocin


def _near(baseline: float, rng: random.Random) -> float:
    drift = rng.uniform(-DRIFT, DRIFT)
    return baseline + drift * ((1 - baseline) if drift > 0 else baseline)
