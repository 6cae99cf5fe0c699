"""A session shown live at a terminal: a thread takes in the states, the newest is drawn, at most eight times a second."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, Group

from emotional_ai.backoff import Backoff
from emotional_ai.cli.following import Following
from emotional_ai.cli.recent import Recent, look, seen
from emotional_ai.cli.scene import Room, scene
from emotional_ai.cli.screen import screen
from emotional_ai.client import Client
from emotional_ai.errors import DeadlineExceeded, Unavailable
from emotional_ai.v1.engine_pb2 import EmotionalState

PERIOD: Final = 1 / 8
"""Seconds between two looks at whether there is something to draw."""
LEAST_SILENCE: Final = 3.0


class Contact:
    """Whether the service answers, and since when it does not.

    `silence` is how many seconds without a state say so by themselves: a service that hangs refuses nothing. `clock` returns
    seconds.
    """

    def __init__(self, silence: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self._silence = silence
        self._clock = clock
        self._heard = clock()
        self._lost: float | None = None

    def lost(self) -> None:
        """The service did not answer."""
        if self._lost is None:
            self._lost = self._clock()

    def kept(self) -> None:
        """It answered."""
        self._heard, self._lost = self._clock(), None

    def told(self) -> str:
        """What to say about it; empty while it answers."""
        now, lost = self._clock(), self._lost
        if lost is None and now - self._heard > self._silence:
            lost = self._heard
        return "" if lost is None else f"the service is away, {now - lost:.0f} s; trying again"


def silence(interval_ms: int) -> float:
    """Seconds without a state that are too many where one is to come at least every `interval_ms`, if not 0."""
    return max(LEAST_SILENCE, 4 * interval_ms / 1000) if interval_ms else math.inf


@dataclass(frozen=True)
class Patience(Backoff):
    """Tries every second, for as long as somebody looks, and says so once the first attempt has failed."""

    longest_seconds: float = 1.0
    attempts: int = 10**9
    contact: Contact = field(default_factory=Contact)

    def seconds(self, attempt: int) -> float:
        if attempt >= 1:
            self.contact.lost()
        return super().seconds(attempt)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be shown."""

    session_id: str
    span: float
    """Wall seconds the curves reach back."""
    interval_ms: int
    most: int | None
    """States after which to end; None for no end."""


def show(client: Client, wanted: Wanted, contact: Contact, console: Console) -> tuple[EmotionalState, int]:
    """Shows a session until a signal or the last state asked for. Returns the state shown last and the signal, 0 if none.

    Raises what ends the watch for good, such as NotFound for a session that was deleted.
    """
    recent = look(client, wanted.session_id, wanted.span)
    newest: deque[EmotionalState] = deque(maxlen=1)
    following = Following(client, wanted.session_id, wanted.interval_ms, newest.append, wanted.most)
    with screen(console) as (live, asked), following:
        drawn: tuple[int, str, Room] | None = None
        while not asked.signal:
            over = following.over
            if newest:
                recent = _taken_in(client, recent, newest.pop(), wanted.span, contact)
            room, away = Room(*console.size), contact.told()
            if drawn != (id(recent), away, room):
                live.update(Group(*scene(recent, wanted.span, room, away)), refresh=True)
                drawn = (id(recent), away, room)
            if over:
                break
            time.sleep(PERIOD)
    if following.failure is not None and not asked.signal:
        raise following.failure
    return recent.now, asked.signal


def _taken_in(client: Client, recent: Recent, state: EmotionalState, span: float, contact: Contact) -> Recent:
    try:
        recent = seen(client, recent, state, span)
    except (Unavailable, DeadlineExceeded):
        contact.lost()
    else:
        contact.kept()
    return recent
