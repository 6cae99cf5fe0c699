"""What lies on disk, for clients: runs, checkpoints, and files to download by signed address."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

from emotional_ai_training.adapters import CONFIG, WEIGHTS
from emotional_ai_training.tinker_server.engine import Checkpoint, CheckpointStore, RunRecord, adapter_config
from emotional_ai_training.tinker_server.errors import InvalidRequest, Unauthenticated, UnknownName
from emotional_ai_training.tinker_server.names import CheckpointPath, Kind, check_name, check_run

Content = dict[str, object]
Row = TypeVar("Row")
LINK_LIFE: Final = timedelta(minutes=30)
MOST: Final = 1000
"""Rows of one listing."""


class Archive:
    """Reads and tidies the store; `now` is the wall clock."""

    def __init__(self, store: CheckpointStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._secret = secrets.token_bytes(32)

    def runs(self, limit: int, offset: int) -> Content:
        """Runs, the latest first."""
        page, cursor = _page(self._store.runs(), limit, offset)
        return {"training_runs": [self._run(run) for run in page], "cursor": cursor}

    def run(self, run_id: str) -> Content:
        """One run."""
        return self._run(self._store.run(run_id))

    def checkpoints(self, run_id: str) -> Content:
        """A run's checkpoints, the latest first."""
        self._store.run(run_id)
        return {"checkpoints": [describe(found) for found in self._store.checkpoints(run_id, self._now())]}

    def all_checkpoints(self, limit: int, offset: int) -> Content:
        """Every run's checkpoints, the latest first."""
        found = [
            checkpoint for run in self._store.runs() for checkpoint in self._store.checkpoints(run.run_id, self._now())
        ]
        page, cursor = _page(sorted(found, key=lambda one: one.created, reverse=True), limit, offset)
        return {"checkpoints": [describe(one) for one in page], "cursor": cursor}

    def weights_info(self, path: CheckpointPath) -> Content:
        """What a client must know to load a checkpoint."""
        checkpoint = self._store.get(path, self._now())
        settings = checkpoint.settings
        return {
            "base_model": checkpoint.base_model,
            "is_lora": True,
            "lora_rank": settings.rank,
            "train_unembed": settings.train_unembed,
            "train_mlp": settings.train_mlp,
            "train_attn": settings.train_attn,
        }

    def delete(self, path: CheckpointPath) -> None:
        """Removes a checkpoint."""
        self._store.delete(path, self._now())

    def set_ttl(self, path: CheckpointPath, seconds: int | None) -> None:
        """Has a checkpoint expire."""
        self._store.set_ttl(path, seconds, self._now())

    def links(self, path: CheckpointPath, base_url: str) -> Content:
        """Addresses of the files of an external checkpoint, good for half an hour and for whoever holds them."""
        if path.kind is not Kind.EXTERNAL:
            raise InvalidRequest(f"{path} cannot be downloaded: only tinker://<run>/external_weights/<name> can")
        self._store.get(path, self._now())
        expires = self._now() + LINK_LIFE
        stamp = str(int(expires.timestamp()))
        urls = {
            file: f"{base_url}/files/{quote(path.run_id)}/{quote(path.name)}/{file}?"
            + urlencode({"expires": stamp, "signature": self._signature(path, file, stamp)})
            for file in (WEIGHTS, CONFIG)
        }
        return {"urls": urls, "expires": expires.isoformat()}

    def file(self, run_id: str, name: str, file: str, expires: str, signature: str) -> Path | bytes:
        """A file behind a link: its place, or its bytes. Unauthenticated where the link is not ours, or too old."""
        path = CheckpointPath(check_run(run_id), Kind.EXTERNAL, check_name(name))
        ours = self._signature(path, file, expires)
        if not hmac.compare_digest(ours.encode(), signature.encode()):
            raise Unauthenticated("this link was not made by this server")
        if int(expires) <= self._now().timestamp():
            raise Unauthenticated("this link has expired; ask for a new one")
        place = self._store.file(path, self._now())
        if file == WEIGHTS:
            return place
        if file == CONFIG:
            return json.dumps(adapter_config(self._store.get(path, self._now())), indent=2).encode()
        raise UnknownName(f"{path} has no file {file[:80]!r}")

    def _signature(self, path: CheckpointPath, file: str, expires: str) -> str:
        return hmac.new(self._secret, f"{path}\n{file}\n{expires}".encode(), hashlib.sha256).hexdigest()

    def _run(self, record: RunRecord) -> Content:
        found = self._store.checkpoints(record.run_id, self._now())
        latest = {kind: next((describe(one) for one in found if one.path.kind is kind), None) for kind in Kind}
        return {
            "training_run_id": record.run_id,
            "base_model": record.base_model,
            "model_owner": "local",
            "is_lora": True,
            "lora_rank": record.settings.rank,
            "last_request_time": (found[0].created if found else record.created).isoformat(),
            "last_checkpoint": latest[Kind.TRAINING],
            "last_sampler_checkpoint": latest[Kind.SAMPLER],
            "user_metadata": dict(record.user_metadata),
        }


def describe(checkpoint: Checkpoint) -> Content:
    """A checkpoint as listings show it."""
    return {
        "checkpoint_id": f"{checkpoint.path.kind}/{checkpoint.path.name}",
        "checkpoint_type": checkpoint.path.kind.listed,
        "time": checkpoint.created.isoformat(),
        "tinker_path": str(checkpoint.path),
        "size_bytes": checkpoint.size_bytes,
        "public": False,
        "user_metadata": dict(checkpoint.user_metadata),
        "expires_at": None if checkpoint.expires is None else checkpoint.expires.isoformat(),
    }


def _page(rows: list[Row], limit: int, offset: int) -> tuple[list[Row], Content]:
    if not 1 <= limit <= MOST or offset < 0:
        raise InvalidRequest(f"limit must be 1 to {MOST} and offset 0 or more, got {limit} and {offset}")
    return rows[offset : offset + limit], {"offset": offset, "limit": limit, "total_count": len(rows)}
