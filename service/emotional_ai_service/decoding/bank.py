"""The adapters blends may name: what the registry holds for this model, read when it is first asked for.

Replies hold the content they were begun with, so an adapter that is replaced or removed stays theirs until they end.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from emotional_ai_service.decoding.adapters import LoadedAdapter, in_order, load_adapter
from emotional_ai_service.decoding.errors import AdapterRefused, UnknownAdapter
from emotional_ai_service.decoding.llama import LlamaShape
from emotional_ai_training.adapters import AdapterDamaged, AdapterError, Listing, Manifest, Registry

log = logging.getLogger(__name__)

EMPTY: Final = Listing((), ())


class Bank:
    """Adapters of one registry for one model. `let_go` is told of each content that no new reply will use."""

    def __init__(
        self, registry: Registry, shape: LlamaShape, model_digest: str, let_go: Callable[[LoadedAdapter], None]
    ) -> None:
        self._registry = registry
        self._shape = shape
        self._model_digest = model_digest
        self._let_go = let_go
        self._listing = EMPTY
        self._unreadable: str | None = None
        self._loaded: dict[str, LoadedAdapter] = {}

    def refresh(self) -> None:
        """Looks at the directory: cheap while nothing changed there. One that cannot be read holds nothing, for a reason."""
        try:
            self._listing, self._unreadable = self._registry.list(), None
        except AdapterError as error:
            self._listing, self._unreadable = EMPTY, str(error)
        digests = {manifest.name: manifest.digest for manifest in self._listing.adapters}
        for name, adapter in list(self._loaded.items()):
            if digests.get(name) != adapter.digest:
                log.info("adapter %s of content %.12s is no longer there", name, adapter.digest)
                del self._loaded[name]
                self._let_go(adapter)

    def read_all(self) -> None:
        """Reads what can be applied before anybody asks for it; what cannot is refused by name when it is asked for."""
        self.refresh()
        for manifest in self._listing.adapters:
            with suppress(UnknownAdapter, AdapterRefused):
                self.named(manifest.name)

    @property
    def at_hand(self) -> tuple[LoadedAdapter, ...]:
        """Every content that was read and that a reply which begins now would speak with, in the fixed order."""
        return in_order(self._loaded.values())

    def holds(self, adapter: LoadedAdapter) -> bool:
        """Whether a reply that begins now would speak with this content."""
        return self._loaded.get(adapter.name) is adapter

    def named(self, name: str) -> LoadedAdapter:
        """The adapter of that name. Raises UnknownAdapter, or AdapterRefused saying why it cannot be applied."""
        if (loaded := self._loaded.get(name)) is not None:
            return loaded
        self.refresh()
        while True:
            manifest = self._manifest(name)
            loaded = self._read(manifest)
            self.refresh()
            if (now := self._listing.named(name)) is not None and now.digest == manifest.digest:
                break  # else it was replaced meanwhile, and what was read may be either
        self._loaded[name] = loaded
        return loaded

    def _manifest(self, name: str) -> Manifest:
        manifest = self._listing.named(name)
        if manifest is None:
            if self._unreadable is not None:
                raise AdapterRefused(name, self._unreadable)
            self._refuse_if_damaged(name)
            raise UnknownAdapter(name)
        if (problem := refusal(manifest, self._model_digest)) is not None:
            raise AdapterRefused(name, problem)
        return manifest

    def _read(self, manifest: Manifest) -> LoadedAdapter:
        try:
            return load_adapter(self._registry.loras_dir / manifest.name, manifest, self._shape)
        except AdapterDamaged as error:
            raise AdapterRefused(manifest.name, str(error)) from error

    def _refuse_if_damaged(self, name: str) -> None:
        for damaged in self._listing.damaged:
            if damaged.directory.name == name:
                raise AdapterRefused(name, str(damaged))


def refusal(manifest: Manifest, model_digest: str) -> str | None:
    """Why an adapter cannot be applied to the model of this digest; None if it can."""
    if manifest.base_model_digest == model_digest:
        return None
    return (
        f"it was trained on {manifest.base_model} ({manifest.base_model_digest:.12}...), not on the model that speaks "
        f"({model_digest:.12}...); train one for it, or serve its model with --model"
    )
