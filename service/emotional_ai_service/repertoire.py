"""Which adapters a reply can be spoken with: those on disk that were trained on the model that speaks."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from emotional_ai_service.core.blending import Prototype, Share
from emotional_ai_service.decoding.messages import Blend, BlendMode, BlendWeight, ModelDescription
from emotional_ai_training.adapters import Manifest, Registry
from emotional_ai_training.conditioning import ADAPTERS


@dataclass(frozen=True, slots=True)
class Repertoire:
    """What the blend law works with at one moment."""

    names: frozenset[str]
    """Adapters that can be blended."""
    further: tuple[Prototype, ...]
    """Those beside the five of the emotional states, in the order blends use."""

    def blend_of(self, shares: Iterable[Share]) -> Blend:
        """What of a blend there is to apply; the share of an adapter that is not there stays with the base model."""
        return tuple(
            BlendWeight(share.adapter, share.weight) for share in shares if share.weight and share.adapter in self.names
        )


NOTHING: Final = Repertoire(frozenset(), ())
"""Of a service that does not speak, or speaks with the base model alone."""


async def repertoire(registry: Registry, model: ModelDescription) -> Repertoire:
    """What `model` can be blended with now. Raises AdapterError if the adapters' directory cannot be read."""
    if all(mode is BlendMode.BASE for mode in model.modes):
        return NOTHING
    listing = await asyncio.to_thread(registry.list)  # asks the disk
    fitting = [adapter for adapter in listing.adapters if not problem_with(adapter, model)]
    return Repertoire(
        names=frozenset(adapter.name for adapter in fitting),
        further=tuple(Prototype(one.name, one.prototype) for one in fitting if one.name not in ADAPTERS),
    )


def problem_with(adapter: Manifest, model: ModelDescription) -> str:
    """Why a whole adapter cannot be blended into what `model` says; empty if it can."""
    if adapter.base_model_digest == model.digest:
        return ""
    return f"it was trained on {adapter.base_model}, whose weights are not those of {model.name}, which speaks here"
