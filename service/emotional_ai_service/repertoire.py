"""Which adapters a reply can be spoken with: those on disk that were trained on the model that speaks."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from emotional_ai_service.core.blending import Prototype, Share
from emotional_ai_service.decoding.messages import Blend, BlendMode, BlendWeight, ModelDescription
from emotional_ai_training.adapters import Manifest, Registry
from emotional_ai_training.conditioning import ADAPTERS

SILENT: Final = 1e-6
"""Weight up to which an adapter is left out: the rounding of the law's arithmetic, which would cost as much as a voice."""


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
            BlendWeight(share.adapter, share.weight)
            for share in shares
            if share.weight > SILENT and share.adapter in self.names
        )


NOTHING: Final = Repertoire(frozenset(), ())
"""Of a service that does not speak, or speaks with the base model alone."""


async def repertoire(registry: Registry, model: ModelDescription, hosted: frozenset[str] | None = None) -> Repertoire:
    """What `model` can be blended with now. Raises AdapterError if the adapters' directory cannot be read.

    `hosted` names the adapters that lie where the model does, if it speaks elsewhere: those of the emotional states can be
    blended, and others as far as the registry knows their prototypes.
    """
    if all(mode is BlendMode.BASE for mode in model.modes):
        return NOTHING
    listing = await asyncio.to_thread(registry.list)  # asks the disk
    fitting = [
        one for one in listing.adapters if not problem_with(one, model) and (hosted is None or one.name in hosted)
    ]
    return Repertoire(
        names=frozenset(one.name for one in fitting) | (hosted or frozenset()).intersection(ADAPTERS),
        further=tuple(Prototype(one.name, one.prototype) for one in fitting if one.name not in ADAPTERS),
    )


def problem_with(adapter: Manifest, model: ModelDescription) -> str:
    """Why a whole adapter cannot be blended into what `model` says; empty if it can."""
    if adapter.base_model_digest == model.digest:
        return ""
    return f"it was trained on {adapter.base_model}, whose weights are not those of {model.name}, which speaks here"
