"""How a request is going to be answered: who speaks, and what the reply will be said to have been spoken with."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from emotional_ai_service.decoding.errors import AdapterRefused, CannotBlend, CannotFollow, UnknownAdapter
from emotional_ai_service.decoding.messages import (
    DEFAULT_MIN_P,
    DEFAULT_REPETITION_PENALTY,
    LEAST_DIVISOR,
    AdapterVersion,
    Blend,
    BlendMode,
    BlendWeight,
    GenerationRequest,
)
from emotional_ai_service.decoding.tinker.choosing import (
    BACKEND,
    BASE,
    Speakers,
    Weights,
    drawn_by_weight,
    weights_of,
)
from emotional_ai_service.decoding.tinker.rescoring import shares

LARGEST: Final = 1e6
"""Greatest weight: an adapter is trained to speak at 1."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who speaks a reply."""

    mode: BlendMode
    """How it comes to the blend."""
    speaker: str
    """The adapter that speaks, or writes the drafts; BASE for the bare base model."""
    blend: Blend
    """What is really spoken with: the speaker, or in RESCORED the weights resampled towards. 1 is the strength an adapter was
    trained with: a server knows no calibrated scales."""
    exponents: Mapping[str, float]
    """Of the models that score the drafts, in RESCORED."""
    drafts: int
    """Replies drawn, of which one is spoken."""

    def adapters(self, paths: Mapping[str, str]) -> tuple[AdapterVersion, ...]:
        """The adapters that take part, each with the SHA-256 of its path, which stands for its content: a saved checkpoint
        does not change, and its bytes cannot be read."""
        names = [name for name in paths if name == self.speaker or name in self.exponents]
        return tuple(AdapterVersion(name, hashlib.sha256(paths[name].encode()).hexdigest()) for name in names)

    def check(self, refused: Mapping[str, str]) -> None:
        """Raises AdapterRefused if an adapter that takes part is among `refused`, which says why."""
        for name in (self.speaker, *self.exponents):
            if name in refused:
                raise AdapterRefused(name, refused[name])


def planned(
    request: GenerationRequest, known: Mapping[str, str], mode: BlendMode, drafts: int, speakers: Speakers, draw: Random
) -> Plan:
    """The plan for a request, where `known` has the adapters.

    Raises UnknownAdapter, CannotFollow for changes within the reply, and CannotBlend for what the mode cannot do: weights per
    layer; a negative weight in MIXTURE; no positive one in NEAREST; a repetition penalty; min_p.
    """
    if any(change.token_index > 0 for change in request.schedule):
        raise CannotFollow(BACKEND)
    # The penalty and the min_p of who sets none are left out and reported as 1 and 0; what was asked for is not.
    if request.sampling.repetition_penalty not in (1.0, DEFAULT_REPETITION_PENALTY):
        raise CannotBlend(BACKEND, "has no repetition penalty; leave it out, or send 1")
    if request.sampling.min_p not in (0.0, DEFAULT_MIN_P):
        raise CannotBlend(BACKEND, "has no min_p; leave it out, or send 0")
    blend = request.voice.blend
    for one in blend:
        if one.adapter not in known:
            raise UnknownAdapter(one.adapter)
        if abs(one.weight) > LARGEST:
            raise CannotBlend(BACKEND, f"takes weights up to {LARGEST:g}; {one.adapter!r} has a larger one")
    weights = weights_of(blend)
    if not weights:
        return Plan(BlendMode.BASE, BASE, (), {}, 1)
    if mode is BlendMode.MIXTURE:
        return _alone(mode, drawn_by_weight(weights, draw))
    nearest = speakers.nearest(request.owner, weights)
    # Every draft of greedy decoding is the same: nothing is left to resample.
    if mode is BlendMode.NEAREST or request.voice.temperature < LEAST_DIVISOR:
        if nearest is None:
            raise CannotBlend(BACKEND, "lets the adapter of greatest weight speak, and none is above 0")
        return _alone(BlendMode.NEAREST, nearest)
    return _rescored(weights, nearest or BASE, drafts)


def _alone(mode: BlendMode, speaker: str) -> Plan:
    return Plan(mode, speaker, (BlendWeight(speaker, 1.0),), {}, 1)


def _rescored(weights: Weights, speaker: str, drafts: int) -> Plan:
    blend = tuple(BlendWeight(name, weight) for name, weight in weights.items())
    return Plan(BlendMode.RESCORED, speaker, blend, shares(weights), drafts)
