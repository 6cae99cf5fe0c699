"""Blends as the decoder computes them: adapters resolved to one content each, weights rounded, so that a blend is a key.

Weights are computed with as rounded, to 1/1024: two blends with equal keys give equal keys and values in the cache, and a
key names contents, never names.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.errors import CannotBlend, WrongLayers
from emotional_ai_service.decoding.messages import AdapterVersion, Blend, BlendWeight
from emotional_ai_training.adapters import place_of

GRAIN: Final = 1024
"""Steps of a weight between 0 and 1."""
LARGEST: Final = 1e30
"""Greatest weight; what is multiplied with it must stay within fp32."""


class Part(NamedTuple):
    """One adapter of a blend."""

    adapter: LoadedAdapter
    weights: tuple[float, ...]
    """One weight, or one per layer."""

    def at(self, layer: int) -> float:
        """The weight in a layer."""
        return self.weights[layer if len(self.weights) > 1 else 0]


@dataclass(frozen=True, slots=True)
class ResolvedBlend:
    """Adapters of weights other than zero, in the fixed order of blends. Equal blends speak alike."""

    parts: tuple[Part, ...]

    @property
    def adapters(self) -> tuple[LoadedAdapter, ...]:
        return tuple(part.adapter for part in self.parts)

    @property
    def by_layer(self) -> bool:
        """Whether any adapter has weights per layer."""
        return any(len(part.weights) > 1 for part in self.parts)

    def as_blend(self) -> Blend:
        """The same by names."""
        return tuple(
            BlendWeight(part.adapter.name, 0.0, part.weights)
            if len(part.weights) > 1
            else BlendWeight(part.adapter.name, part.weights[0])
            for part in self.parts
        )

    def versions(self) -> tuple[AdapterVersion, ...]:
        return tuple(AdapterVersion(part.adapter.name, part.adapter.digest) for part in self.parts)

    def within(self, other: "ResolvedBlend", tolerance: float) -> bool:
        """Whether no weight differs by more than `tolerance` in any layer."""
        return all(difference <= tolerance for difference in self._differences(other))

    def _differences(self, other: "ResolvedBlend") -> Iterable[float]:
        mine = {part.adapter: part for part in self.parts}
        theirs = {part.adapter: part for part in other.parts}
        for adapter in mine.keys() | theirs.keys():
            pair = [held[adapter].weights if adapter in held else (0.0,) for held in (mine, theirs)]
            layers = max(map(len, pair))
            for layer in range(layers):
                one, two = (weights[layer if len(weights) > 1 else 0] for weights in pair)
                yield abs(one - two)


NOTHING: Final = ResolvedBlend(())
"""The base model."""


def resolve(blend: Blend, named: Callable[[str], LoadedAdapter], layers: int) -> ResolvedBlend:
    """The blend as it is computed.

    `named` finds an adapter or raises UnknownAdapter or AdapterRefused. Raises WrongLayers, or
    CannotBlend for weights beyond LARGEST.
    """
    parts: list[Part] = []
    for one in blend:
        if one.layers and len(one.layers) != layers:
            raise WrongLayers(one.adapter, len(one.layers), layers)
        given = one.layers or (one.weight,)
        if max(map(abs, given)) > LARGEST:
            raise CannotBlend("local", f"computes with weights up to {LARGEST:g}; {one.adapter!r} has a larger one")
        adapter = named(one.adapter)
        weights = tuple([round(weight * GRAIN) / GRAIN for weight in given])
        if any(weights):
            parts.append(Part(adapter, weights))
    return ResolvedBlend(tuple(sorted(parts, key=lambda part: place_of(part.adapter.name))))
