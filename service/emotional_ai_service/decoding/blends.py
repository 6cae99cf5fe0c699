"""Blends as the decoder computes them: adapters resolved to one content each, weights rounded, so that a blend is a key.

Weights are computed with as rounded, to 1/1024: two blends with equal keys give equal keys and values in the cache, and a
key names contents, never names.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, final

from emotional_ai_service.decoding.adapters import LoadedAdapter, in_order
from emotional_ai_service.decoding.errors import CannotBlend, WrongLayers
from emotional_ai_service.decoding.messages import AdapterVersion, Blend, BlendWeight

GRAIN: Final = 1024
"""Steps of a weight between 0 and 1."""
LARGEST: Final = 1e30
"""Greatest weight; what is multiplied with it must stay within fp32."""


class ResolvedBlend(NamedTuple):
    """Adapters of weights other than zero, in the fixed order of blends. Equal blends speak alike."""

    adapters: tuple[LoadedAdapter, ...]
    weights: Blend
    """The same by names, as they are computed with."""

    def versions(self) -> tuple[AdapterVersion, ...]:
        return tuple(AdapterVersion(adapter.name, adapter.digest) for adapter in self.adapters)

    def within(self, other: "ResolvedBlend", tolerance: float) -> bool:
        """Whether no weight differs by more than `tolerance` in any layer."""
        return all(difference <= tolerance for difference in self._differences(other))

    def weights_of(self, adapters: tuple[LoadedAdapter, ...]) -> Blend:
        """The weights of these adapters, zero where the blend does not name one."""
        if adapters == self.adapters:
            return self.weights
        own = dict(zip(self.adapters, self.weights, strict=True))
        return tuple([own.get(adapter) or BlendWeight(adapter.name, 0.0) for adapter in adapters])

    def _differences(self, other: "ResolvedBlend") -> Iterable[float]:
        either = tuple({*self.adapters, *other.adapters})
        for one, two in zip(self.weights_of(either), other.weights_of(either), strict=True):
            for layer in range(max(len(one.layers), len(two.layers), 1)):
                yield abs(one.at(layer) - two.at(layer))


NOTHING: Final = ResolvedBlend((), ())
"""The base model."""


@final
class Held(dict[str, LoadedAdapter]):
    """The adapters a reply has named so far: each is found when it is first named, and stays as it was then."""

    in_order: tuple[LoadedAdapter, ...] = ()

    def __init__(self, find: Callable[[str], LoadedAdapter]) -> None:
        """`find` raises UnknownAdapter or AdapterRefused, and so does naming what it does not find."""
        super().__init__()
        self._find = find

    def __missing__(self, name: str) -> LoadedAdapter:
        found = self[name] = self._find(name)
        self.in_order = in_order(self.values())
        return found


def resolve(blend: Blend, held: Held, layers: int) -> ResolvedBlend:
    """The blend as it is computed; it names each adapter once.

    Raises UnknownAdapter, AdapterRefused, WrongLayers, or CannotBlend for weights beyond LARGEST.
    """
    given: dict[LoadedAdapter, BlendWeight] = {}
    for name, weight, deep in blend:
        if deep and len(deep) != layers:
            raise WrongLayers(name, len(deep), layers)
        if not (all(-LARGEST <= one <= LARGEST for one in deep) if deep else -LARGEST <= weight <= LARGEST):
            raise CannotBlend("local", f"computes with weights in [{-LARGEST:g}, {LARGEST:g}]; {name!r} has another")
        adapter = held[name]
        if deep:
            if any(rounded := tuple([round(one * GRAIN) / GRAIN for one in deep])):
                given[adapter] = BlendWeight(name, 0.0, rounded)
        elif steps := round(weight * GRAIN):
            given[adapter] = BlendWeight(name, steps / GRAIN)
    adapters = tuple([adapter for adapter in held.in_order if adapter in given])
    return ResolvedBlend(adapters, tuple([given[adapter] for adapter in adapters]))
