"""What is known of runs and checkpoints without their tensors, and how it is written down."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from emotional_ai_training.tinker_server.engine.adapter import ALPHA, LoraSettings
from emotional_ai_training.tinker_server.names import CheckpointPath


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is known of a run for ever."""

    run_id: str
    base_model: str
    settings: LoraSettings
    user_metadata: Mapping[str, str]
    created: datetime

    def text(self) -> str:
        """The record as JSON; its id is where it lies."""
        return json.dumps(
            {
                "base_model": self.base_model,
                "lora": asdict(self.settings),
                "user_metadata": dict(self.user_metadata),
                "created": self.created.isoformat(),
            },
            indent=2,
        )


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is known of a checkpoint."""

    path: CheckpointPath
    base_model: str
    settings: LoraSettings
    created: datetime
    size_bytes: int
    steps: int
    """Optimizer steps taken before it."""
    user_metadata: Mapping[str, str]
    expires: datetime | None = None

    def text(self) -> str:
        """The record as JSON; its path and size are the file's."""
        return json.dumps(
            {
                "base_model": self.base_model,
                "lora": asdict(self.settings),
                "created": self.created.isoformat(),
                "expires": None if self.expires is None else self.expires.isoformat(),
                "steps": self.steps,
                "user_metadata": dict(self.user_metadata),
            }
        )

    def gone(self, now: datetime) -> bool:
        """Whether it has expired."""
        return self.expires is not None and self.expires <= now


def run_of(run_id: str, text: str) -> RunRecord:
    """The record that RunRecord.text wrote."""
    found = json.loads(text)
    created = datetime.fromisoformat(found["created"])
    return RunRecord(run_id, found["base_model"], LoraSettings(**found["lora"]), found["user_metadata"], created)


def checkpoint_of(path: CheckpointPath, text: str, size_bytes: int) -> Checkpoint:
    """The record that Checkpoint.text wrote."""
    found = json.loads(text)
    return Checkpoint(
        path=path,
        base_model=found["base_model"],
        settings=LoraSettings(**found["lora"]),
        created=datetime.fromisoformat(found["created"]),
        size_bytes=size_bytes,
        steps=found["steps"],
        user_metadata=found["user_metadata"],
        expires=None if found["expires"] is None else datetime.fromisoformat(found["expires"]),
    )


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
