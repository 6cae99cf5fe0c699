"""Where the vLLM server is, what it serves, and how many blends it is asked to hold."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from emotional_ai_service.addresses import check_address
from emotional_ai_service.decoding.messages import DEAD_BAND
from emotional_ai_service.observing.settings import LogSettings
from emotional_ai_training.adapters import Registry


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """Settings of the backend. Raises ValueError outside the ranges.

    An operator runs the server; `launch.server_command` says how. One service has the server's blends to itself.
    """

    base_url: str
    """Such as "http://127.0.0.1:8000", without a path."""
    model: str
    """The name under which it serves the checkpoint."""
    model_dir: Path
    """That checkpoint: its tokenizer and chat template make the prompt, its weights the digest."""
    cache_dir: Path
    """Where the digest of the weights is remembered."""
    registry: Registry
    """The adapters blends are made of."""
    blends_dir: Path
    """A directory of this service's own, which the server reads under the same path; emptied at the start."""
    blends: int = 32
    """Blends the server holds at once, at least 1."""
    tolerance: float = DEAD_BAND
    """A held blend no weight of which differs by more is used instead of making another; 0 never does."""
    max_rank: int = 64
    """The server's --max-lora-rank, a number vLLM knows such as 64 or 128: the ranks of a blend's adapters may sum to it."""
    capacity: int = 64
    """Requests under way at once; one more is refused as Overloaded."""
    silence_seconds: float = 120.0
    """A server that says nothing for so long is taken for dead, > 0."""
    watch_seconds: float = 5.0
    """Time between two questions whether the server is well, > 0."""
    api_key: str = field(default="", repr=False)
    """The server's --api-key, if it was given one."""
    log: LogSettings | None = None
    """How its process beside the service logs."""

    def __post_init__(self) -> None:
        sound = self.blends >= 1 and self.capacity >= 1 and self.max_rank >= 1 and 0 <= self.tolerance < math.inf
        if not (sound and self.silence_seconds > 0 and self.watch_seconds > 0):
            raise ValueError(
                "blends, capacity and max_rank must be at least 1, tolerance at least 0, silence_seconds and watch_seconds "
                f"above 0, got {self}"
            )
        check_address("base_url", self.base_url)
