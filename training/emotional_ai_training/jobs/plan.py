"""The settings of a training, whole: whoever runs a plan needs nothing else but the environment."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from emotional_ai_training.conditioning import ADAPTERS


class Recipe(Enum):
    """What is trained."""

    CONDITIONING = "conditioning"
    """The base emotional conditioning."""
    STATE_ADAPTERS = "state_adapters"
    """One adapter per emotional state, each from the base conditioning."""
    CURIOSITY = "curiosity"
    """Curiosity-rewarded reinforcement learning of the high-dopamine adapter."""
    ALL = "all"
    """All of them in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A training, every setting filled in. Paths are absolute where another process reads them."""

    recipe: Recipe
    checkpoints_dir: Path
    """Where the training keeps what it can be resumed from."""
    loras_dir: Path = Path("loras")
    """Where finished adapters are published."""
    base_model: str = ""
    """Base model by the name the training server knows; its only model if empty."""
    lora_rank: int = 8
    """Rank of the adapters, a power of two in 1..128."""
    learning_rate: float = 1e-3
    """Peak learning rate, in (0, 0.1]."""
    epochs: int = 1
    """Passes over the data, 1..100."""
    batch_size: int = 8
    """Rows per step, 1..1024."""
    seed: int = 0
    """Seed of data, initialisation and sampling."""
    states: tuple[str, ...] = ADAPTERS
    """States to train, in the fixed order of adapters."""
    data_path: Path | None = None
    """Prepared data; prepared anew if None."""
    max_cost_usd: float = 0.0
    """Greatest cost of a hosted run in US dollars; 0 allows local runs only."""
    resume: bool = False
    """Whether to go on from the state in `checkpoints_dir`."""
