"""Checkpoints on disk: one safetensors file each, its record in the file's own metadata, so that none is ever torn.

    <state>/runs/<run>/run.json
    <state>/runs/<run>/weights/<name>.safetensors            factors, optimizer moments
    <state>/runs/<run>/sampler_weights/<name>.safetensors    factors
    <state>/runs/<run>/external_weights/<name>.safetensors   factors, as PEFT reads them

A file is written beside its place, flushed to disk and renamed; a run's directory is written before its first checkpoint.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from emotional_ai_training.tinker_server.engine.adapter import ALPHA, LoraSettings
from emotional_ai_training.tinker_server.errors import InvalidRequest, UnknownName
from emotional_ai_training.tinker_server.names import PUBLIC, RUN, CheckpointPath, Kind, check_run

SUFFIX: Final = ".safetensors"
RECORD: Final = "tinker"
FIRST: Final = "optimizer.first"
SECOND: Final = "optimizer.second"
TTL_SECONDS: Final = (3600, 10 * 366 * 86400)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is known of a run for ever."""

    run_id: str
    base_model: str
    settings: LoraSettings
    user_metadata: Mapping[str, str]
    created: datetime


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is known of a checkpoint without reading its tensors."""

    path: CheckpointPath
    base_model: str
    settings: LoraSettings
    created: datetime
    size_bytes: int
    steps: int
    """Optimizer steps taken before it."""
    user_metadata: Mapping[str, str]
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """The tensors of a checkpoint: the adapter's, and the optimizer's moments where it has them."""

    adapter: dict[str, Tensor]
    moments: tuple[Tensor, Tensor, int] | None


class CheckpointStore:
    """All runs and checkpoints under one directory; every method takes the time it is called at."""

    def __init__(self, root: Path) -> None:
        self._runs = root / "runs"
        self._runs.mkdir(parents=True, exist_ok=True)

    def add_run(self, record: RunRecord) -> None:
        """Remembers a run."""
        directory = self._runs / record.run_id
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(directory / "run.json", json.dumps(_run_json(record), indent=2).encode())

    def run(self, run_id: str) -> RunRecord:
        """The record of a run; UnknownName without one."""
        try:
            return _run_of(run_id, (self._runs / check_run(run_id) / "run.json").read_bytes())
        except FileNotFoundError as error:
            raise UnknownName(f"there is no training run {run_id}") from error

    def runs(self) -> list[RunRecord]:
        """Every run, the latest first."""
        names = [path.parent.name for path in self._runs.glob("*/run.json") if RUN.fullmatch(path.parent.name)]
        return sorted((self.run(name) for name in names), key=lambda run: (run.created, run.run_id), reverse=True)

    def save(self, checkpoint: Checkpoint, contents: Contents, *, overwrite: bool) -> Checkpoint:
        """Writes it for good; InvalidRequest where the name is taken and `overwrite` is false."""
        place = self._place(checkpoint.path)
        if place.exists() and not overwrite and not self._gone(place, checkpoint.created):
            raise InvalidRequest(
                f"{checkpoint.path} exists; choose another name, or overwrite=True for a training state"
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        data = serialise(checkpoint, contents)
        write_atomically(place, data)
        return replace(checkpoint, size_bytes=len(data))

    def get(self, path: CheckpointPath, now: datetime) -> Checkpoint:
        """The record of a checkpoint; UnknownName without one, or once it has expired."""
        return self._known(path, self._place(path), now)

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
        """A run's checkpoints that have not expired, the latest first; expired ones are removed."""
        found = []
        for kind in PUBLIC:
            for place in (self._runs / check_run(run_id) / kind).glob(f"[!.]*{SUFFIX}"):
                path = CheckpointPath(run_id, kind, place.name.removesuffix(SUFFIX))
                if self._gone(place, now):
                    place.unlink(missing_ok=True)
                else:
                    found.append(self._known(path, place, now))
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

    def _known(self, path: CheckpointPath, place: Path, now: datetime) -> Checkpoint:
        if not place.exists() or self._gone(place, now):
            raise UnknownName(f"there is no checkpoint {path}")
        return _checkpoint_of(path, place)

    @staticmethod
    def _gone(place: Path, now: datetime) -> bool:
        expires = _record(place)["expires"]
        return expires is not None and datetime.fromisoformat(str(expires)) <= now


def expiry(seconds: int | None, now: datetime) -> datetime | None:
    """When a checkpoint with that time to live expires; InvalidRequest outside an hour to ten years."""
    if seconds is None:
        return None
    if not TTL_SECONDS[0] <= seconds <= TTL_SECONDS[1]:
        raise InvalidRequest(f"ttl_seconds must be from {TTL_SECONDS[0]} to {TTL_SECONDS[1]}, got {seconds}")
    return now + timedelta(seconds=seconds)


def adapter_config(checkpoint: Checkpoint) -> dict[str, object]:
    """The adapter_config.json that makes PEFT read the factors as they were trained."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": checkpoint.base_model,
        "r": checkpoint.settings.rank,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "target_modules": list(checkpoint.settings.targets),
    }


def serialise(checkpoint: Checkpoint, contents: Contents) -> bytes:
    """The bytes of a checkpoint's file."""
    tensors = dict(contents.adapter)
    if contents.moments is not None:
        tensors[FIRST], tensors[SECOND] = (moment.detach().cpu().contiguous() for moment in contents.moments[:2])
    return save(tensors, metadata={"format": "pt", RECORD: json.dumps(_checkpoint_json(checkpoint), sort_keys=True)})


def write_atomically(place: Path, data: bytes) -> None:
    """Puts `data` in `place` whole or not at all, whatever ends the process."""
    beside = place.parent / f".{place.name}.{os.getpid()}.new"
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(place)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    directory = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _record(place: Path) -> dict[str, object]:
    try:
        with safe_open(place, "pt") as file:
            record: dict[str, object] = json.loads(file.metadata()[RECORD])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InvalidRequest(f"{place} is no checkpoint of this server: {error}") from error
    return record


def _settings_json(settings: LoraSettings) -> dict[str, object]:
    return {
        "rank": settings.rank,
        "train_attn": settings.train_attn,
        "train_mlp": settings.train_mlp,
        "train_unembed": settings.train_unembed,
    }


def _run_json(record: RunRecord) -> dict[str, object]:
    return {
        "base_model": record.base_model,
        "lora": _settings_json(record.settings),
        "user_metadata": dict(record.user_metadata),
        "created": record.created.isoformat(),
    }


def _run_of(run_id: str, text: bytes) -> RunRecord:
    found = json.loads(text)
    created = datetime.fromisoformat(found["created"]).astimezone(UTC)
    return RunRecord(run_id, found["base_model"], LoraSettings(**found["lora"]), found["user_metadata"], created)


def _checkpoint_json(checkpoint: Checkpoint) -> dict[str, object]:
    return {
        "base_model": checkpoint.base_model,
        "lora": _settings_json(checkpoint.settings),
        "created": checkpoint.created.isoformat(),
        "expires": None if checkpoint.expires is None else checkpoint.expires.isoformat(),
        "steps": checkpoint.steps,
        "user_metadata": dict(checkpoint.user_metadata),
    }


def _checkpoint_of(path: CheckpointPath, place: Path) -> Checkpoint:
    found = json.loads(json.dumps(_record(place)))
    return Checkpoint(
        path=path,
        base_model=found["base_model"],
        settings=LoraSettings(**found["lora"]),
        created=datetime.fromisoformat(found["created"]),
        size_bytes=place.stat().st_size,
        steps=found["steps"],
        user_metadata=found["user_metadata"],
        expires=None if found["expires"] is None else datetime.fromisoformat(found["expires"]),
    )
