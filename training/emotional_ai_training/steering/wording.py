"""A state as a person would put it to a model that knows nothing of chemicals: the control the system must beat. Pure."""

from typing import Final

from emotional_ai_training.conditioning import NOTICEABLE, Levels, relative_deviation

DEGREES: Final = ((0.75, "extremely"), (0.45, "very"), (NOTICEABLE, "somewhat"))
"""Words for a deviation of at least so much of the room there is."""
FEELINGS: Final = (
    ("bored and uninterested", "excited, eager and curious"),
    ("moody and irritable", "calm, content and steady"),
    ("relaxed and unworried", "anxious, tense and worried"),
    ("distant and guarded", "loving, warm and caring"),
)
"""What a low and a high level of each chemical feels like."""


def in_words(state: Levels, baseline: Levels) -> str:
    """An instruction such as "You feel very anxious, tense and worried. Let it show in what you say."."""
    felt = []
    for i, deviation in enumerate(relative_deviation(state, baseline)):
        degree = next((word for least, word in DEGREES if abs(deviation) >= least), None)
        if degree is not None:
            felt.append(f"{degree} {FEELINGS[i][deviation > 0]}")
    return f"You feel {' and '.join(felt) or 'as usual, neither good nor bad'}. Let it show in what you say."
