"""The text in which a language model is told the state it speaks in, and the adapters trained with exactly that text.

    <DA=0.75><SE=0.60><CO=0.30><OX=0.50> mood: eager, curious and excited

Training and serving must agree on it to the letter, so it stands here, once. Chemicals come in the order dopamine,
serotonin, cortisol, oxytocin, each level in [0, 1]. Pure.
"""

import math
from typing import Final

Levels = tuple[float, float, float, float]

BASELINE: Final[Levels] = (0.50, 0.60, 0.30, 0.50)
"""The default personality's levels at rest."""
ADAPTERS: Final = ("high_dopamine", "high_serotonin", "high_cortisol", "high_oxytocin", "balanced")
"""One adapter per emotional state, in the fixed order of blend weights."""
BALANCED: Final = ADAPTERS[-1]
"""The adapter that speaks where no chemical is above its baseline."""
CURIOUS: Final = ADAPTERS[0]
"""The adapter that curiosity is rewarded of."""
PEAKS: Final[Levels] = (0.90, 0.90, 0.85, 0.90)
"""Level at which each adapter speaks alone, the other chemicals at their baseline."""
LEAST_TEMPERATURE: Final = 0.3
GREATEST_TEMPERATURE: Final = 1.3
REST_TEMPERATURE: Final = 0.8
"""Sampling temperature at the baseline."""
PERSONA: Final = "You are a companion with feelings. Let them colour how you speak. Answer in a few sentences."
"""Who the agent is, unless the conversation opens with a system message."""
NOTICEABLE: Final = 0.15
"""Relative deviation from which a chemical is put into words."""
LITTLE: Final = 0.35
"""Relative deviation below which the words are weakened to `a little`."""
RATHER: Final = 0.6
"""Relative deviation below which they are weakened to `rather`."""
_GRADES: Final = ((LITTLE, "a little "), (RATHER, "rather "), (0.85, ""), (math.inf, "very "))
"""What is put before the words below each relative deviation: what is told in steps is spoken in steps."""
_WORDS: Final = (
    ("flat, listless and uninterested", "eager, curious and excited"),
    ("moody, unsettled and irritable", "calm, content and steady"),
    ("relaxed, easy and unhurried", "anxious, tense and worried"),
    ("distant, guarded and alone", "warm, caring and close"),
)
"""Gloss of a chemical well below and well above the baseline."""


def system_text(persona: str, conditioning: str) -> str:
    """The system message: the persona, then the state it speaks in; only the persona without one."""
    return f"{persona}\n{conditioning}" if conditioning else persona


def conditioning_tokens(x: Levels) -> str:
    """Levels in bins of 0.05, rounded half up: `<DA=0.75><SE=0.60><CO=0.30><OX=0.50>`."""
    bins = (math.floor(level * 20 + 0.5 + 1e-9) / 20 for level in x)
    return "".join(f"<{name}={value:.2f}>" for name, value in zip(("DA", "SE", "CO", "OX"), bins, strict=True))


def gloss(x: Levels, baseline: Levels = BASELINE) -> str:
    """The same state in words, strongest deviation first, at most two chemicals: ` mood: anxious, tense and worried`.

    Deviations of less than 0.35 of the room are told as `a little anxious...`, below 0.6 as `rather anxious...`, from 0.85 as
    `very anxious...`.
    """
    deviations = sorted(enumerate(relative_deviation(x, baseline)), key=lambda item: -abs(item[1]))
    words = [
        next(grade for below, grade in _GRADES if abs(deviation) < below) + _WORDS[i][deviation > 0]
        for i, deviation in deviations[:2]
        if abs(deviation) >= NOTICEABLE
    ]
    return f" mood: {'; '.join(words) or 'even and balanced'}"


def told(x: Levels, baseline: Levels = BASELINE) -> str:
    """The state as the model is told it: numbers, then words."""
    return conditioning_tokens(x) + gloss(x, baseline)


def relative_deviation(x: Levels, baseline: Levels) -> list[float]:
    """Deviation of each chemical as a share of the room on its side of the baseline, each in [-1, 1]."""
    return [(v - b) / (1 - b) if v >= b else (v - b) / b for v, b in zip(x, baseline, strict=True)]


def spoken_temperature(x: Levels) -> float:
    """Sampling temperature of a state under the default rule of expression and the default baseline, in [0.3, 1.3]."""
    return monotone_temperature(x[0] - BASELINE[0], REST_TEMPERATURE)


def monotone_temperature(deviation: float, base: float) -> float:
    """Sampling temperature where dopamine is `deviation` above its baseline, at which it is `base`."""
    return min(max(base * math.exp(deviation), LEAST_TEMPERATURE), GREATEST_TEMPERATURE)


def prototype(adapter: str) -> Levels:
    """The state in which `adapter` speaks alone. Raises ValueError if it is not one of ADAPTERS."""
    index = ADAPTERS.index(adapter)
    return tuple(PEAKS[i] if i == index else level for i, level in enumerate(BASELINE))  # type: ignore[return-value]
