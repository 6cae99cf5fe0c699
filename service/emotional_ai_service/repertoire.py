"""Which adapters a reply can be spoken with: those on disk that were trained on the model that speaks.

Repertoire      what there is at one moment
AdapterSource   asks the disk, and remembers what the decoder would not take
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, final

from emotional_ai_service.core.blending import Prototype, Share
from emotional_ai_service.decoding import (
    AdapterRefused,
    Blend,
    BlendMode,
    BlendWeight,
    GenerationRequest,
    ModelDescription,
    UnknownAdapter,
)
from emotional_ai_service.language import Language
from emotional_ai_training.adapters import Manifest, Registry
from emotional_ai_training.conditioning import ADAPTERS

SILENT: Final = 1e-6
"""Weight up to which an adapter is left out: the rounding of the law's arithmetic, which would cost as much as a voice."""

log = logging.getLogger(__name__)


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


@final
class AdapterSource:
    """The adapters of a registry as a service's decoder can blend them; without `language` none can be."""

    def __init__(self, registry: Registry, language: Language | None) -> None:
        self._registry = registry
        self._language = language
        self._left_out: dict[tuple[str, str], str] = {}
        """Why an adapter of this name and digest is left out; the digest of one that lies elsewhere is ""."""

    async def repertoire(self) -> Repertoire:
        """What the decoder can be asked to blend now. Raises AdapterError if the adapters' directory cannot be read.

        Of adapters that lie where the model does, elsewhere, those of the emotional states can be blended, and others as far
        as the registry knows their prototypes.
        """
        model = self._model
        if self._language is None or model is None or all(mode is BlendMode.BASE for mode in model.modes):
            return NOTHING
        hosted = self._language.hosted
        fitting = [
            adapter
            for adapter, problem in await self.adapters()
            if not problem and (hosted is None or adapter.name in hosted)
        ]
        elsewhere = {name for name in hosted or () if name in ADAPTERS and (name, "") not in self._left_out}
        return Repertoire(
            names=frozenset(one.name for one in fitting) | elsewhere,
            further=tuple(Prototype(one.name, one.prototype) for one in fitting if one.name not in ADAPTERS),
        )

    async def adapters(self) -> list[tuple[Manifest, str]]:
        """Every whole adapter, in the order of blends, with why it cannot be blended; "" if it can, or nobody speaks."""
        listing = await asyncio.to_thread(self._registry.list)  # asks the disk
        model = self._model
        return [(one, self._problem(one, model) if model else "") for one in listing.adapters]

    async def admitted(self, asked: Callable[[Repertoire], GenerationRequest]) -> Repertoire:
        """With what the decoder takes on a request whose blend nobody named, by the law alone.

        An adapter it refuses is left out from then on, as is said in the log and by `adapters`. Raises what `Language.admit`
        raises. Only of a service that speaks.
        """
        assert self._language is not None
        while True:
            there = await self.repertoire()
            try:
                await self._language.admit(asked(there))
                return there
            except (AdapterRefused, UnknownAdapter) as error:
                if not await self._leave_out(error.facts["adapter"], str(error)):
                    raise

    async def _leave_out(self, name: str, problem: str) -> bool:
        """Keeps what is called `name` now out of blends; False if it is out of them already."""
        manifest = (await asyncio.to_thread(self._registry.list)).named(name)
        elsewhere = self._language is not None and self._language.hosted is not None
        content = name, manifest.digest if manifest and not elsewhere else ""
        if content in self._left_out:
            return False
        log.warning("adapter %s is left out of blends: %s", name, problem)
        self._left_out[content] = problem
        return True

    @property
    def _model(self) -> ModelDescription | None:
        return self._language.decoder.describe() if self._language else None

    def _problem(self, adapter: Manifest, model: ModelDescription) -> str:
        if adapter.base_model_digest != model.digest:
            return f"it was trained on {adapter.base_model}, whose weights are not those of {model.name}, which speaks here"
        return self._left_out.get((adapter.name, adapter.digest)) or self._left_out.get((adapter.name, ""), "")
