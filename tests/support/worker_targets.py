"""Small real targets for the worker tests; imported in the child process by name."""

import os
import time
from collections.abc import Iterator

from emotional_ai_service.errors import SessionNotFound
from emotional_ai_service.workers import Load, RoundRobin, Target
from emotional_ai_service.workers.messages import Ended, Event, Outcome


class Echo:
    """Answers a request with its updates as they come, and ends it at the update "end"; "knock" is refused."""

    def __init__(self) -> None:
        self._under_way: set[int] = set()
        self._said: list[Outcome] = []

    def describe(self) -> object:
        return "echoes"

    def begin(self, ticket: int, request: object) -> None:
        self._under_way.add(ticket)
        self._said.append(Event(ticket, request))

    def update(self, ticket: int, value: object) -> None:
        if ticket not in self._under_way:
            return
        if value == "knock":
            raise ValueError("nobody is in")
        if value == "end":
            self._under_way.remove(ticket)
        self._said.append(Ended(ticket) if value == "end" else Event(ticket, value))

    def cancel(self, ticket: int) -> None:
        self._under_way.discard(ticket)

    def load(self) -> Load:
        return Load(running=len(self._under_way))

    def busy(self) -> bool:
        return bool(self._said)

    def step(self) -> list[Outcome]:
        said, self._said = self._said, []
        return said


def echoing(_: object) -> Target[object]:
    """Says what it is told while it speaks."""
    return Echo()


def counting(journal: object) -> Target[object]:
    """Answers a number n with 0..n-1, a negative one without end; "pid", "fault", "refuse" and "nice" do as they say.

    `journal` names a file to which every step of an endless request adds one byte.
    """

    def handle(request: object) -> Iterator[object]:
        if isinstance(request, int):
            yield from _count(request, str(journal))
        elif request == "pid":
            yield os.getpid()
        elif request == "nice":
            yield os.nice(0), os.environ["OMP_NUM_THREADS"]
        elif request == "print":
            print("this must not reach the pipe", flush=True)  # noqa: T201
            yield "printed"
        elif request == "refuse":
            raise SessionNotFound("nobody")
        else:
            raise ZeroDivisionError(f"cannot do {request!r}")

    return RoundRobin(handle, active=8, description="counts")


def failing(reason: object) -> Target[object]:
    """Cannot be built."""
    raise ValueError(reason)


def dying_unless(marker: object) -> Target[object]:
    """Exits while starting unless the file `marker` exists."""
    if not os.path.exists(str(marker)):
        os._exit(3)
    return counting(None)


def _count(number: int, journal: str) -> Iterator[int]:
    value = 0
    while number < 0 or value < number:
        if number < 0:
            with open(journal, "ab") as file:
                file.write(b".")
            time.sleep(0.001)  # keeps an endless request from filling the test's memory
        yield value
        value += 1
