"""What an appraisal says. Plain frozen values: they cross a process boundary."""

from dataclasses import dataclass

from emotional_ai_service.core.names import SignalVector


@dataclass(frozen=True, slots=True)
class FoundEmotion:
    """An emotion that cleared its threshold: its GoEmotions name, and its probability in [0, 1]."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Appraisal:
    """What a text was found to carry.

    signals in their fixed order, each in [0, 1], all 0 if nothing was found; classified, whether anything was;
    confidence in [0, 1], the highest probability among what was found; valence in [-1, 1];
    emotions that cleared their threshold, most probable first, neutral not among them.
    """

    signals: SignalVector
    classified: bool
    confidence: float
    valence: float
    emotions: tuple[FoundEmotion, ...]
