"""The state a training row is told: levels drawn around the state it expresses."""

import math
import random
from typing import Final

from emotional_ai_training.conditioning import ADAPTERS, BASELINE, NOTICEABLE, Levels
from emotional_ai_training.dataset.errors import UnknownState
from emotional_ai_training.dataset.rows import LOWS, MILD

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
    """Draws levels for one row: the state's own chemical somewhere beyond its baseline, the others around theirs.

    How far is its dose, from where words tell of it, 0.15 of the room, to all of the room. For a state its density grows with
    the dose, for a mild row, whose chemical and side are drawn too, it falls: so the stronger a state is told, the more often
    it is what replies express. `balanced` has no chemical of its own. Rounded to 4 decimals.
    """
    if state == MILD:
        own, up = rng.randrange(len(BASELINE)), rng.random() < 0.5
        dose = 1 - math.sqrt(rng.random())
    elif state in LOWS:
        own, up, dose = LOWS.index(state), False, math.sqrt(rng.random())
    else:
        own, up, dose = ADAPTERS.index(check_state(state)), True, math.sqrt(rng.random())
    share = NOTICEABLE + (1 - NOTICEABLE) * dose
    levels = [
        (b + share * (1 - b) if up else b - share * b) if i == own else _near(b, rng) for i, b in enumerate(BASELINE)
    ]
    dopamine, serotonin, cortisol, oxytocin = (round(level, 4) for level in levels)
    return dopamine, serotonin, cortisol, oxytocin


def _near(baseline: float, rng: random.Random) -> float:
    drift = rng.uniform(-DRIFT, DRIFT)
    return baseline + drift * ((1 - baseline) if drift > 0 else baseline)
