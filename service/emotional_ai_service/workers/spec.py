"""What a worker process runs, and how much of the machine it may take."""

from dataclasses import dataclass

from emotional_ai_service.observing.settings import LogSettings


@dataclass(frozen=True, slots=True)
class WorkerSpec:
    """A target and its limits. Only plain values cross the process boundary, so that the parent imports no model."""

    name: str
    """How errors and logs call it, such as "decoder"."""
    target: str
    """Factory of the target, as `package.module:function`; imported and called in the child only."""
    arguments: object = None
    """Passed to the factory; must pickle."""
    capacity: int = 64
    """Requests under way at once, waiting ones included; one more is refused as Overloaded."""
    niceness: int = 10
    """Added to the child's CPU niceness, 0..19, so that the emotion engine goes first when the processor is short."""
    threads: int = 0
    """Threads for numerical libraries in the child; 0 leaves one processor to the engine."""
    log: LogSettings | None = None
    """How the child logs, to the standard error it shares with its parent; None: warnings and errors alone."""

    def __post_init__(self) -> None:
        if self.target.count(":") != 1:
            raise ValueError(f"target must read package.module:function, got {self.target!r}")
        if self.capacity < 1 or not 0 <= self.niceness <= 19 or self.threads < 0:
            raise ValueError(
                "capacity must be at least 1, niceness in 0..19 and threads at least 0, "
                f"got {self.capacity}, {self.niceness} and {self.threads}"
            )
