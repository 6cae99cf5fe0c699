"""A blend as this backend makes it: which adapter contents, in which order, by which weights, in thousandths.

Two blends of one name are the same numbers: the name holds a digest of the base model, of every adapter's content and scale,
and the weights after rounding, which are the weights computed with.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

from emotional_ai_service.decoding.errors import AdapterRefused, CannotBlend, UnknownAdapter, WrongLayers
from emotional_ai_service.decoding.messages import AdapterVersion, Blend, BlendWeight
from emotional_ai_training.adapters import Listing, Manifest

BACKEND: Final = "vllm"
GRAIN: Final = 1000
"""Weights are rounded to the inverse of this."""
LARGEST: Final = 1e6
"""Greatest weight: it is folded into an adapter in float32."""
_LONGEST_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class Part:
    """One adapter of a blend."""

    adapter: str
    digest: str
    scale: float
    rank: int
    directory: Path
    weights: tuple[int, ...]
    """In thousandths: one, or one per layer; not all 0."""

    @property
    def content(self) -> str:
        """Equal for parts that differ in weight alone."""
        return f"{self.digest} {self.scale!r}"

    @property
    def factors(self) -> tuple[float, ...]:
        """What the adapter is multiplied by: one, or one per layer."""
        return tuple(weight / GRAIN * self.scale for weight in self.weights)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A blend of at least one adapter, or of none: the base model."""

    base: str
    """Digest of the base model."""
    parts: tuple[Part, ...] = ()

    @property
    def name(self) -> str:
        """`blend-DIGEST-WEIGHTS`; weights per layer, which are many, as a digest of them."""
        content = hashlib.sha256("\n".join([self.base, *(part.content for part in self.parts)]).encode()).hexdigest()
        weights = "_".join(".".join(map(str, part.weights)) for part in self.parts)
        name = f"blend-{content[:16]}-{weights}"
        if len(name) > _LONGEST_NAME:
            name = f"blend-{content[:16]}-{hashlib.sha256(weights.encode()).hexdigest()[:32]}"
        return name

    @property
    def rank(self) -> int:
        """Rank of the one adapter it is served as."""
        return sum(part.rank for part in self.parts)

    @property
    def blend(self) -> Blend:
        """The weights computed with, of the adapters that take part."""
        return tuple(
            BlendWeight(part.adapter, part.weights[0] / GRAIN)
            if len(part.weights) == 1
            else BlendWeight(part.adapter, 0.0, tuple(weight / GRAIN for weight in part.weights))
            for part in self.parts
        )

    @property
    def adapters(self) -> tuple[AdapterVersion, ...]:
        """Content of the adapters that take part."""
        return tuple(AdapterVersion(part.adapter, part.digest) for part in self.parts)

    def distance(self, other: "Recipe") -> int:
        """Greatest difference in any weight, in thousandths; an adapter that does not take part has weight 0."""
        ours = {part.content: part.weights for part in self.parts}
        theirs = {part.content: part.weights for part in other.parts}
        return max((_apart(ours.get(key, (0,)), theirs.get(key, (0,))) for key in ours | theirs), default=0)


def recipe_for(blend: Blend, listing: Listing, loras_dir: Path, base: str, layers: int) -> Recipe:
    """The recipe of `blend`, in the fixed order of adapters, over the base model of digest `base` with `layers` layers.

    Raises UnknownAdapter, AdapterRefused for one that is damaged or was trained on another model, WrongLayers, or CannotBlend
    for one named twice, or of a weight beyond LARGEST.
    """
    given = {weight.adapter: weight for weight in blend}
    if len(given) < len(blend):
        raise CannotBlend(BACKEND, "was given an adapter twice in one blend; name each once")
    for name, weight in given.items():
        _check(name, listing, base)
        if weight.layers and len(weight.layers) != layers:
            raise WrongLayers(name, len(weight.layers), layers)
        if max(map(abs, weight.layers or (weight.weight,))) > LARGEST:
            raise CannotBlend(BACKEND, f"takes weights up to {LARGEST:g}; {name!r} has a larger one")
    parts = (_part(given[adapter.name], adapter, loras_dir) for adapter in listing.adapters if adapter.name in given)
    return Recipe(base, tuple(part for part in parts if any(part.weights)))


def _part(given: BlendWeight, adapter: Manifest, loras_dir: Path) -> Part:
    weights = _rounded(given.layers or (given.weight,))
    same = len(set(weights)) == 1
    return Part(
        adapter=adapter.name,
        digest=adapter.digest,
        scale=adapter.scale,
        rank=adapter.rank,
        directory=loras_dir / adapter.name,
        weights=weights[:1] if same else weights,
    )


def _check(name: str, listing: Listing, base: str) -> None:
    for damaged in listing.damaged:
        if damaged.directory.name == name:
            raise AdapterRefused(name, str(damaged))
    adapter = listing.named(name)
    if adapter is None:
        raise UnknownAdapter(name)
    if adapter.base_model_digest != base:
        raise AdapterRefused(
            name, f"it was trained on {adapter.base_model}, whose weights are not those that speak here"
        )


def _rounded(weights: Iterable[float]) -> tuple[int, ...]:
    return tuple(round(weight * GRAIN) for weight in weights)


def _apart(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Greatest difference; a single weight stands for all layers."""
    pairs = zip_longest(one, other, fillvalue=None)
    return max(abs((one[0] if a is None else a) - (other[0] if b is None else b)) for a, b in pairs)
