"""Checkpoints on disk: one safetensors file each, its record in the file's own metadata, so that none is ever torn.

    <state>/runs/<run>/run.json
    <state>/runs/<run>/weights/<name>.safetensors            factors, optimizer moments
    <state>/runs/<run>/sampler_weights/<name>.safetensors    factors
    <state>/runs/<run>/external_weights/<name>.safetensors   factors, as PEFT reads them

A file is written beside its place, flushed to disk and renamed; a run's directory is written before its first checkpoint.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from emotional_ai_training.tinker_server.engine.records import Checkpoint, RunRecord, checkpoint_of, run_of
from emotional_ai_training.tinker_server.errors import InvalidRequest, UnknownName
from emotional_ai_training.tinker_server.names import PUBLIC, RUN, CheckpointPath, Kind, check_run
from emotional_ai_training.whole_files import write_whole

SUFFIX: Final = ".safetensors"
RECORD: Final = "tinker"
FIRST: Final = "optimizer.first"
SECOND: Final = "optimizer.second"
TTL_SECONDS: Final = (3600, 10 * 366 * 86400)


@dataclass(frozen=True, slots=True)
class Contents:
    """The tensors of a checkpoint: the adapter's, and the optimizer's moments and steps where it has them."""

    adapter: dict[str, Tensor]
    moments: tuple[Tensor, Tensor, int] | None


class CheckpointStore:
    """All runs and checkpoints under one directory; methods that depend on the time take it."""

    def __init__(self, root: Path) -> None:
        self._runs = root / "runs"
        self._runs.mkdir(parents=True, exist_ok=True)

    def add_run(self, record: RunRecord) -> None:
        """Remembers a run."""
        directory = self._runs / record.run_id
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(directory / "run.json", record.text().encode())

    def run(self, run_id: str) -> RunRecord:
        """The record of a run; UnknownName without one."""
        try:
            return run_of(run_id, (self._runs / check_run(run_id) / "run.json").read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UnknownName(f"there is no training run {run_id}") from error

    def runs(self) -> list[RunRecord]:
        """Every run, the latest first."""
        names = [path.parent.name for path in self._runs.glob("*/run.json") if RUN.fullmatch(path.parent.name)]
        return sorted((self.run(name) for name in names), key=lambda run: (run.created, run.run_id), reverse=True)

    def save(self, checkpoint: Checkpoint, contents: Contents, *, overwrite: bool) -> Checkpoint:
        """Writes it for good; InvalidRequest where the name is taken and `overwrite` is false."""
        place = self._place(checkpoint.path)
        if place.exists() and not overwrite and not self._read(checkpoint.path).gone(checkpoint.created):
            raise InvalidRequest(
                f"{checkpoint.path} exists; choose another name, or overwrite=True for a training state"
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        data = serialise(checkpoint, contents)
        write_whole(place, data)
        return replace(checkpoint, size_bytes=len(data))

    def get(self, path: CheckpointPath, now: datetime) -> Checkpoint:
        """The record of a checkpoint; UnknownName without one, or once it has expired."""
        checkpoint = self._read(path)
        if checkpoint.gone(now):
            raise UnknownName(f"there is no checkpoint {path} any more: it expired on {checkpoint.expires}")
        return checkpoint

    def load(self, path: CheckpointPath, now: datetime) -> tuple[Checkpoint, Contents]:
        """A checkpoint whole; UnknownName as for get."""
        checkpoint = self.get(path, now)
        with safe_open(self._place(path), "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        first, second = tensors.pop(FIRST, None), tensors.pop(SECOND, None)
        moments = None if first is None or second is None else (first, second, checkpoint.steps)
        return checkpoint, Contents(tensors, moments)

    def file(self, path: CheckpointPath, now: datetime) -> Path:
        """The file of a checkpoint; UnknownName as for get."""
        self.get(path, now)
        return self._place(path)

    def checkpoints(self, run_id: str, now: datetime) -> list[Checkpoint]:
        """A run's checkpoints, the latest first; expired ones are removed."""
        found = []
        for kind in PUBLIC:
            for place in (self._runs / check_run(run_id) / kind).glob(f"[!.]*{SUFFIX}"):
                checkpoint = self._read(CheckpointPath(run_id, kind, place.name.removesuffix(SUFFIX)))
                if checkpoint.gone(now):
                    place.unlink(missing_ok=True)
                else:
                    found.append(checkpoint)
        return sorted(found, key=lambda checkpoint: (checkpoint.created, str(checkpoint.path)), reverse=True)

    def delete(self, path: CheckpointPath, now: datetime) -> None:
        """Removes a checkpoint; UnknownName without one."""
        self.file(path, now).unlink()

    def set_ttl(self, path: CheckpointPath, seconds: int | None, now: datetime) -> None:
        """Has a checkpoint expire, or never."""
        checkpoint, contents = self.load(path, now)
        self.save(replace(checkpoint, expires=expiry(seconds, now)), contents, overwrite=True)

    def tidy(self) -> None:
        """Removes what a server that was killed left behind: half-written files, and unnamed samplers."""
        for place in self._runs.glob("*/**/.*.new"):
            place.unlink(missing_ok=True)
        self.forget_ephemeral()

    def forget_ephemeral(self, run_id: str | None = None) -> None:
        """Removes what only samplers without a name used: of one run, or of all."""
        for place in self._runs.glob(f"{'*' if run_id is None else check_run(run_id)}/{Kind.EPHEMERAL}/*"):
            place.unlink(missing_ok=True)

    def _place(self, path: CheckpointPath) -> Path:
        return self._runs / path.run_id / path.kind / f"{path.name}{SUFFIX}"

    def _read(self, path: CheckpointPath) -> Checkpoint:
        place = self._place(path)
        try:
            with safe_open(place, "pt") as file:
                return checkpoint_of(path, file.metadata()[RECORD], place.stat().st_size)
        except FileNotFoundError as error:
            raise UnknownName(f"there is no checkpoint {path}") from error
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise InvalidRequest(f"{place} was not written by this server: {error}") from error


def expiry(seconds: int | None, now: datetime) -> datetime | None:
    """When a checkpoint with that time to live expires; InvalidRequest outside an hour to ten years."""
    if seconds is None:
        return None
    if not TTL_SECONDS[0] <= seconds <= TTL_SECONDS[1]:
        raise InvalidRequest(f"ttl_seconds must be from {TTL_SECONDS[0]} to {TTL_SECONDS[1]}, got {seconds}")
    return now + timedelta(seconds=seconds)


def serialise(checkpoint: Checkpoint, contents: Contents) -> bytes:
    """The bytes of a checkpoint's file."""
    tensors = dict(contents.adapter)
    if contents.moments is not None:
        tensors[FIRST], tensors[SECOND] = (moment.detach().cpu().contiguous() for moment in contents.moments[:2])
    return save(tensors, metadata={"format": "pt", RECORD: checkpoint.text()})
