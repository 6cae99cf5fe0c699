"""The order of one model's requests: by sequence number, however they arrive, and each number once."""

from dataclasses import dataclass, field

from emotional_ai_training.tinker_server.compute import Task


@dataclass(slots=True)
class Turns:
    """The next number to run, and requests that came before their turn."""

    next: int = 1
    early: dict[int, Task] = field(default_factory=dict)
    arrived: dict[int, float] = field(default_factory=dict)
    """When each early one came, in seconds of the caller's clock."""

    def admit(self, number: int, task: Task, now: float) -> list[Task]:
        """The requests whose turn has come, in order."""
        self.early[number] = task
        self.arrived[number] = now
        ready = []
        while self.next in self.early:
            ready.append(self.early.pop(self.next))
            del self.arrived[self.next]
            self.next += 1
        return ready

    def overdue(self, before: float) -> list[tuple[int, Task]]:
        """Takes out the early requests that came before that time: one before them never came."""
        late = sorted(number for number, when in self.arrived.items() if when < before)
        for number in late:
            del self.arrived[number]
        return [(number, self.early.pop(number)) for number in late]
