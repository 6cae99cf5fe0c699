"""The adapters of a directory: asked for at every request, read from the disk only when something there changed."""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from emotional_ai_training.adapters.errors import AdapterDamaged, AdapterError
from emotional_ai_training.adapters.manifest import CONFIG, MANIFEST, Manifest, load_manifest
from emotional_ai_training.adapters.weights import WEIGHTS
from emotional_ai_training.conditioning import ADAPTERS

log = logging.getLogger(__name__)

_Stamp = tuple[tuple[int, int, int] | None, ...]
_ORDER: Final = {name: place for place, name in enumerate(ADAPTERS)}


@dataclass(frozen=True, slots=True)
class Listing:
    """What a directory holds."""

    adapters: tuple[Manifest, ...]
    """Whole adapters in the fixed order of blends: those of the emotional states first, others by name."""
    damaged: tuple[AdapterDamaged, ...]
    """Directories that should be adapters and are not whole, by name."""

    def named(self, name: str) -> Manifest | None:
        """The whole adapter of that name, if there is one."""
        return next((adapter for adapter in self.adapters if adapter.name == name), None)


@final
class Registry:
    """The adapters in `loras_dir`, which need not be there yet. Safe to share between threads."""

    def __init__(self, loras_dir: Path) -> None:
        self.loras_dir = loras_dir
        self._lock = threading.Lock()
        self._known: dict[str, tuple[_Stamp, Manifest | AdapterDamaged]] = {}

    def list(self) -> Listing:
        """The adapters as they are now. A damaged one is logged when it is first met.

        Reads what changed since the last call, about a millisecond per megabyte, and otherwise only asks for the times of
        files. Raises AdapterError if the directory cannot be read.
        """
        with self._lock:
            self._known = {directory.name: self._read(directory) for directory in self._directories()}
            found = [outcome for _, outcome in self._known.values()]
        adapters = [outcome for outcome in found if isinstance(outcome, Manifest)]
        return Listing(
            adapters=tuple(sorted(adapters, key=lambda adapter: place_of(adapter.name))),
            damaged=tuple(outcome for outcome in found if isinstance(outcome, AdapterDamaged)),
        )

    def _directories(self) -> tuple[Path, ...]:
        try:
            entries = sorted(self.loras_dir.iterdir())
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise AdapterError(f"adapters cannot be read from {self.loras_dir}: {error.strerror}") from error
        return tuple(entry for entry in entries if entry.is_dir() and not entry.name.startswith("."))

    def _read(self, directory: Path) -> tuple[_Stamp, Manifest | AdapterDamaged]:
        stamp = _stamp(directory)  # before the content, so that a change in between is noticed the next time
        known = self._known.get(directory.name)
        if known is not None and known[0] == stamp:
            return known
        try:
            return stamp, load_manifest(directory)
        except AdapterDamaged as error:
            log.warning("an adapter is left out: %s", error)
            return stamp, error


def place_of(name: str) -> tuple[int, str]:
    """Where an adapter stands in the fixed order of blends, as a key to sort by."""
    return _ORDER.get(name, len(_ORDER)), name


def _stamp(directory: Path) -> _Stamp:
    """What changes whenever a file of the adapter does."""
    return tuple(_file_stamp(directory / file) for file in (MANIFEST, CONFIG, WEIGHTS))


def _file_stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
