"""The state a training row is told: levels drawn around the state it expresses."""

import math
import random
from typing import Final

from emotional_ai_training.conditioning import ADAPTERS, BASELINE, LITTLE, NOTICEABLE, RATHER, Levels
from emotional_ai_training.dataset.errors import UnknownState
from emotional_ai_training.dataset.rows import LOWS, MILDS, UNSHOWN

DRIFT: Final = 0.14
"""How far the other chemicals may stray, as a share of the room on their side of the baseline.

Below `conditioning.NOTICEABLE`, so the words of a row name the state its reply expresses and no other.
"""
STRONG: Final = (LITTLE + RATHER) / 2
"""Share of the room on its side of the baseline from which a high state is spoken strongly."""
EDGE: Final = 0.001
"""Mild, low and unshown shares keep so far from the ends of their ranges, where the words change: levels are rounded."""


def check_state(state: str) -> str:
    """Returns `state` if an adapter is trained for it. Raises UnknownState."""
    if state not in ADAPTERS:
        raise UnknownState(state)
    return state


def draw_levels(state: str, rng: random.Random) -> Levels:
    """Draws levels for one row: the state's own chemical somewhere beyond its baseline, the others around theirs.

    How far, as a share of the room, is drawn with a density that grows or falls in a straight line:

        a high state     grows from the middle of where words tell it as "rather", 0.475, to 1
        mild             falls from where words tell of it, 0.15, to where they are not weakened, 0.6
        a low state      grows from 0.15 to 1
        unshown          falls from 0.15 to 0.6; its chemical is drawn too

    So the stronger a state is told, the more often, and the more, replies express it. `balanced` has no chemical of its own.
    Rounded to 4 decimals.
    """
    grown = math.sqrt(rng.random())
    up = state not in (*LOWS, UNSHOWN)
    if state == UNSHOWN:
        own, share = rng.randrange(len(BASELINE)), _between(NOTICEABLE + EDGE, RATHER - EDGE, 1 - grown)
    elif state in LOWS:
        own, share = LOWS.index(state), _between(NOTICEABLE + EDGE, 1, grown)
    elif state in MILDS:
        own, share = MILDS.index(state), _between(NOTICEABLE + EDGE, RATHER - EDGE, 1 - grown)
    else:
        own, share = ADAPTERS.index(check_state(state)), _between(STRONG, 1, grown)
    levels = [
        (b + share * (1 - b) if up else b - share * b) if i == own else _near(b, rng) for i, b in enumerate(BASELINE)
    ]
    dopamine, serotonin, cortisol, oxytocin = (round(level, 4) for level in levels)
    return dopamine, serotonin, cortisol, oxytocin


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


def _near(baseline: float, rng: random.Random) -> float:
    drift = rng.uniform(-DRIFT, DRIFT)
    return baseline + drift * ((1 - baseline) if drift > 0 else baseline)
