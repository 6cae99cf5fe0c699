"""The engine: one base model, the runs that train on it, the samplers that read with their weights, and the checkpoints.

Single-threaded: whoever owns it calls it from one thread. It knows no HTTP and no clock; seeds and times are arguments.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from emotional_ai_training.tinker_server.engine.adapter import Adapter
from emotional_ai_training.tinker_server.engine.base import BaseModel
from emotional_ai_training.tinker_server.engine.checkpoints import CheckpointStore, Contents
from emotional_ai_training.tinker_server.engine.records import Checkpoint, RunRecord
from emotional_ai_training.tinker_server.engine.run import Run
from emotional_ai_training.tinker_server.engine.sampling import SampleRequest, SampleResult, sample
from emotional_ai_training.tinker_server.errors import InvalidRequest, UnknownName
from emotional_ai_training.tinker_server.names import CheckpointPath, Kind

SAMPLERS: Final = 8
"""Adapters kept in memory for sampling; another one is read from its checkpoint again."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What a client may say about a checkpoint it saves."""

    user_metadata: Mapping[str, str]
    expires: datetime | None = None
    overwrite: bool = False


class Engine:
    """Runs by id over one base model; every method raises InvalidRequest or UnknownName for what cannot be done."""

    def __init__(self, base: BaseModel, store: CheckpointStore) -> None:
        self.base = base
        self.store = store
        self._runs: dict[str, Run] = {}
        self._samplers: OrderedDict[CheckpointPath, Adapter] = OrderedDict()

    def create(self, record: RunRecord, seed: int) -> Run:
        """A new run with an adapter that changes nothing yet, remembered on disk."""
        run = Run(record.run_id, self.base, record.settings)
        run.adapter.initialise(seed)
        self.store.add_run(record)
        self._runs[record.run_id] = run
        return run

    def create_from(self, record: RunRecord, path: CheckpointPath, now: datetime, *, optimizer: bool) -> Run:
        """A new run that goes on from a training checkpoint, with the optimizer's state or without."""
        checkpoint, contents = self._trainable(path, now)
        run = Run(record.run_id, self.base, checkpoint.settings)
        run.restore(contents.adapter, contents.moments if optimizer else None)
        self.store.add_run(replace(record, settings=checkpoint.settings))
        self._runs[record.run_id] = run
        return run

    def restore(self, run_id: str, path: CheckpointPath, now: datetime, *, optimizer: bool) -> None:
        """Puts a live run back to a training checkpoint of the same settings."""
        checkpoint, contents = self._trainable(path, now)
        run = self.run(run_id)
        if checkpoint.settings != run.settings:
            raise InvalidRequest(f"{path} has {checkpoint.settings}, this model has {run.settings}")
        run.restore(contents.adapter, contents.moments if optimizer else None)

    def run(self, run_id: str) -> Run:
        """A live run; UnknownName without one."""
        try:
            return self._runs[run_id]
        except KeyError as error:
            raise UnknownName(f"model {run_id} is not live here") from error

    def drop(self, run_id: str) -> None:
        """Forgets a live run, and what only its unnamed samplers used; its checkpoints stay."""
        self._runs.pop(run_id, None)
        for path in [path for path in self._samplers if path.run_id == run_id]:
            del self._samplers[path]
        self.store.forget_ephemeral(run_id)

    def save(self, run_id: str, path: CheckpointPath, saving: Saving, now: datetime) -> Checkpoint:
        """Saves a live run; the kind of the path decides whether the optimizer's state goes along."""
        run = self.run(run_id)
        first, second, steps = run.moments()
        moments = (first, second, steps) if path.kind is Kind.TRAINING else None
        checkpoint = Checkpoint(path, self.base.name, run.settings, now, 0, steps, saving.user_metadata, saving.expires)
        self._samplers.pop(path, None)
        return self.store.save(checkpoint, Contents(run.adapter.named(), moments), overwrite=saving.overwrite)

    def sample(
        self, weights: CheckpointPath | None, requests: Sequence[SampleRequest], now: datetime
    ) -> list[SampleResult]:
        """Samples from sampler weights, or from the base model; `requests` were checked."""
        return sample(self.base, None if weights is None else self._sampler(weights, now), requests)

    def _sampler(self, path: CheckpointPath, now: datetime) -> Adapter:
        if path in self._samplers:
            self._samplers.move_to_end(path)
            return self._samplers[path]
        checkpoint, contents = self.store.load(path, now)
        self._check_base(checkpoint)
        adapter = Adapter(checkpoint.settings, self.base.layers, self.base.device)
        adapter.load(contents.adapter)
        self._samplers[path] = adapter
        while len(self._samplers) > SAMPLERS:
            self._samplers.popitem(last=False)
        return adapter

    def _trainable(self, path: CheckpointPath, now: datetime) -> tuple[Checkpoint, Contents]:
        if path.kind is not Kind.TRAINING:
            raise InvalidRequest(f"{path} cannot be trained on: only tinker://<run>/weights/<name> can")
        checkpoint, contents = self.store.load(path, now)
        self._check_base(checkpoint)
        return checkpoint, contents

    def _check_base(self, checkpoint: Checkpoint) -> None:
        if checkpoint.base_model != self.base.name:
            raise InvalidRequest(
                f"{checkpoint.path} belongs to base model {checkpoint.base_model}; this server serves {self.base.name}"
            )
