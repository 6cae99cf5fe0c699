"""Which emotions of GoEmotions, labelled by people, count as an expression of each state.

A text expresses a state if it carries an emotion of EXPRESSES. An emotion of SILENT says nothing about the state: such
a text is neither an example nor a counterexample, because people use the label for the state and for its opposite.
Every other text is a counterexample.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.emotions import EMOTIONS

EXPRESSES: Final[Mapping[str, tuple[str, ...]]] = {
    # Wanting, wondering and looking forward: what dopamine is modelled to raise.
    "high_dopamine": ("excitement", "curiosity", "desire"),
    # The release has no label for calm. Relief is tension gone, optimism a quiet trust; own sentences bring the calm.
    "high_serotonin": ("relief", "optimism"),
    "high_cortisol": ("fear", "nervousness"),
    # Bonding said to someone: affection, care and thanks.
    "high_oxytocin": ("caring", "love", "gratitude"),
    "balanced": ("neutral",),
}
SILENT: Final[Mapping[str, tuple[str, ...]]] = {
    # Happy, surprised or proud texts are as often eager as not.
    "high_dopamine": ("joy", "surprise", "amusement", "pride"),
    # Approval is agreement, at times content and at times dry; joy is at times quiet.
    "high_serotonin": ("joy", "admiration", "approval"),
    # Confusion is at times alarm and at times a plain question; remorse is often tense.
    "high_cortisol": ("confusion", "remorse"),
    # Praise of a person is warm, praise of a goal is not.
    "high_oxytocin": ("joy", "admiration"),
    "balanced": (),
}


def state_labels(emotions: NDArray[np.int8]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Turns labels of shape (texts, emotions) into labels and weights of shape (texts, states); silence weighs 0."""
    labels = _any_of(emotions, EXPRESSES)
    silent = _any_of(emotions, SILENT) & ~labels
    return labels.astype(np.int8), (~silent).astype(np.float32)


def _any_of(emotions: NDArray[np.int8], table: Mapping[str, tuple[str, ...]]) -> NDArray[np.bool_]:
    columns = [emotions[:, [EMOTIONS.index(name) for name in table[state]]].any(axis=1) for state in ADAPTERS]
    return np.stack(columns, axis=1)
