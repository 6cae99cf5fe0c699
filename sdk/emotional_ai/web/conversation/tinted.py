"""Which voice said which part of a reply."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from emotional_ai.v1 import inference_pb2 as pb

NOTICEABLE: Final = 0.02
"""Least share of a blend that has to move before a part of a reply counts as another voice; one sees no less."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A way of speaking from a token on."""

    token: int
    """First token spoken so."""
    blend: tuple[tuple[str, float], ...]
    """Weights by adapter, in the order blends use; the mean where there is one a layer."""
    temperature: float
    top_p: float

    @classmethod
    def changed(cls, change: pb.BlendChange) -> "Voice":
        """The voice after a change."""
        return cls(change.token_index, weights(change.blend), change.temperature, change.top_p)

    @classmethod
    def asked(cls, expression: pb.Expression) -> "Voice":
        """The voice a state asks for, from the first token on."""
        return cls(0, weights(expression.blend), expression.temperature, expression.top_p)


@dataclass(frozen=True, slots=True)
class Part:
    """Text of one voice."""

    voice: int
    """Its place among the voices of the reply."""
    text: str


class Tinted:
    """A reply in parts of one voice each, as it grows. Joined, the parts are the whole text."""

    def __init__(self, first: Voice) -> None:
        self.voices = [first]
        """Those that differ enough to be seen, in order of tokens."""
        self.parts: list[Part] = []

    def change(self, voice: Voice) -> bool:
        """Takes in that the voice is another from a token on. Returns whether that can be seen."""
        seen = apart(self.voices[-1].blend, voice.blend) >= NOTICEABLE
        if seen:
            self.voices.append(voice)
        return seen

    def say(self, text: str, token: int) -> Part:
        """Takes in a piece that begins with a token, and returns it as the part it adds."""
        place = max(bisect_right(self.voices, token, key=lambda voice: voice.token) - 1, 0)
        if self.parts and self.parts[-1].voice == place:
            self.parts[-1] = Part(place, self.parts[-1].text + text)
        else:
            self.parts.append(Part(place, text))
        return Part(place, text)

    @property
    def text(self) -> str:
        """All that was said."""
        return "".join(part.text for part in self.parts)


def weights(blend: Iterable[pb.AdapterWeight]) -> tuple[tuple[str, float], ...]:
    """A blend as one weight an adapter."""
    return tuple((one.adapter, _mean(one.layer_weights) if one.layer_weights else one.weight) for one in blend)


def apart(one: tuple[tuple[str, float], ...], other: tuple[tuple[str, float], ...]) -> float:
    """How far two blends are apart: half the sum of the differences of weights; in [0, 1] for weights that sum to 1."""
    before, after = dict(one), dict(other)
    names = before.keys() | after.keys()
    return sum(abs(after.get(name, 0.0) - before.get(name, 0.0)) for name in names) / 2


def _mean(values: Iterable[float]) -> float:
    held = list(values)
    return sum(held) / len(held)
