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
        """Gives up on a request that never came, if one waits for it since before that time.

        Takes out all that wait, in order; numbers go on after the last of them.
        """
        if not any(when < before for when in self.arrived.values()):
            return []
        late = sorted(self.early.items())
        self.next = late[-1][0] + 1
        self.early.clear()
        self.arrived.clear()
        return late
