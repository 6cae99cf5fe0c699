"""One live session: its state in memory, the order of its writers, and those who watch it.

A write is folded into the state first, then stored. Writers continue from the newest state (`head`); readers and watchers see
only what is stored (`settled`). If the store refuses a write, whatever came after it is refused as well and the head goes back
to what is stored: nobody ever saw the difference.
"""

import asyncio
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.errors import InvalidInput, TimeReversed
from emotional_ai_service.core.timeline import Continuation, Entry, Moment, Skipped
from emotional_ai_service.errors import SessionNotFound, SessionUnsettled, VersionMismatch
from emotional_ai_service.life import onward
from emotional_ai_service.stores import MARKS_KEPT, NO_MARKS, Record, Store

if TYPE_CHECKING:
    from emotional_ai_service.tether import Tether

REMEMBERED_REQUESTS = 10_000
"""Request ids a session recognises as repeated at least, the newest; the store keeps at least as many."""
FORGOTTEN_AT_ONCE = 1_000
"""Request ids beyond those after which that many are forgotten: the front of a dict is quick to leave in numbers only."""
STEPS_ON_THE_LOOP = 50
"""Steps of integration, about 5 ms of them, that a reading may take on the event loop."""
STEPS_OF_A_WRITE = 2_000
"""Steps that the spans skipped in one write may take together, about 0.2 s of them; a single one takes what it takes."""
GREATEST_LEAD_US = 1_000_000
"""How far in the future a stimulus may lie: clocks of two machines differ a little."""


class Intent(NamedTuple):
    """Something to be written: the entry for the core, its contract form without sequence and time, its time if given."""

    entry: Entry
    message: pb.LogEntry
    time_us: int | None = None
    path: str = ""
    """Where it stands in the request."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of a write."""

    moment: Moment
    """The session just after it (for a repeat: as it is stored now)."""
    duplicate: bool = False
    """True if the request had been applied before, and nothing was applied now."""


@dataclass(slots=True, eq=False)
class Subscription:
    """A watcher's view of a session: woken on each change, counting those it has not looked at."""

    changes: int = 0
    since: float = 0.0
    """When the first of `changes` was stored, on the clock of time.monotonic."""
    ended: bool = False
    """True once the session is over."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self) -> int:
        """Number of changes since the last call."""
        changes, self.changes = self.changes, 0
        self.woken.clear()
        return changes


NOBODY: Final[AbstractSet[Subscription]] = frozenset()
"""Who watches most sessions, which are at rest by the thousand: an empty set of their own would take 0.2 KB of each."""


class Session:
    """A live session over a store; all methods belong to the event loop that owns it."""

    __slots__ = (
        "_broken",
        "_deleted",
        "_forgets",
        "_head",
        "_in_flight",
        "_newest",
        "_store",
        "created_us",
        "marks",
        "requests",
        "session_id",
        "settled",
        "subscriptions",
        "tether",
        "transient",
    )

    def __init__(self, session_id: str, created_us: int, moment: Moment, store: Store) -> None:
        self.session_id = session_id
        self.created_us = created_us
        self.settled = Continuation(moment)
        self.subscriptions = NOBODY
        self.requests: dict[str, asyncio.Future[None] | None] = {}
        self._forgets = False
        self.marks: Mapping[str, int] = NO_MARKS
        self.tether: Tether | None = None
        """What keeps it level with a store that other replicas write to as well; None where nobody else does."""
        self.transient = False
        """True if it is kept in memory only."""
        self._head = self.settled
        self._store = store
        self._in_flight = 0
        self._newest: asyncio.Future[None] | None = None
        self._broken = False
        self._deleted = False

    @property
    def idle(self) -> bool:
        """True if nobody watches and nothing is being written, so that it may leave memory."""
        return not self.subscriptions and not self._in_flight

    @property
    def ended(self) -> bool:
        """True once the session is over: deleted, or to be looked up anew (see tether)."""
        return self._deleted

    @property
    def unstored(self) -> asyncio.Future[None] | None:
        """What to await before everything written so far is stored; None if it is."""
        return self._newest if self._in_flight else None

    def state(self, time_us: int) -> Moment:
        """The stored session at `time_us`, not before its last entry."""
        return self.settled.at(max(time_us, self.settled.moment.time_us))

    async def read(self, time_us: int) -> Moment:
        """As `state`, with a long integration taken away from the event loop."""
        settled, at = self.settled, max(time_us, self.settled.moment.time_us)
        if at == settled.moment.time_us:
            return settled.moment
        if settled.steps_to(at) <= STEPS_ON_THE_LOOP:
            return self.state(at)
        fresh = Continuation(settled.moment)
        moment = await asyncio.to_thread(fresh.at, at)
        # What the thread has integrated serves later readings, unless the session has moved on meanwhile.
        if self.settled is settled:
            self.settled = fresh
            self._head = fresh if self._head is settled else self._head
        return moment

    def recall(self, request_ids: Sequence[str], *, all_of_them: bool) -> None:
        """Request ids that were written before the session came into memory, oldest first."""
        self.requests = dict.fromkeys(request_ids)
        self._forgets = not all_of_them

    async def knows(self, request_id: str) -> bool:
        """Whether a request was written before; the store is asked only where the session may have forgotten it."""
        unsure = self._forgets and request_id not in self.requests
        if unsure and await self._store.find_request(self.session_id, request_id) is not None:
            return True
        # It may have been written meanwhile, or another replica's been taken in.
        return request_id in self.requests

    def foresee(self, entry: Entry, now_us: int) -> Moment:
        """The session as it would be just after `entry`, which is not written."""
        return self._head.apply(entry, max(now_us, self._head.moment.time_us))

    def write(
        self,
        intents: Sequence[Intent],
        now_us: int,
        *,
        request_id: str = "",
        expected_version: int | None = None,
        mark: tuple[str, int] | None = None,
        own: Subscription | None = None,
    ) -> tuple[Moment, asyncio.Future[None] | None]:
        """Folds the intents and hands them to the store, all or none.

        `mark` is a number stored under a name along with them. `own` is the writer's own subscription: it counts the change,
        but need not be woken where the change is stored at once, or the writer waits for it. Returns the session after the
        intents and what to await before they are stored, None if they are stored already. Raises CoreError for an entry that
        cannot be, VersionMismatch, SessionUnsettled, or a StoreError; then nothing was written.
        """
        if self._deleted:
            raise SessionNotFound(self.session_id)
        if self._broken:
            raise SessionUnsettled(self.session_id)
        head = self._head
        before = head.moment.version
        if expected_version is not None and expected_version != before:
            raise VersionMismatch(self.session_id, expected_version, before)
        records = []
        skipped = 0.0
        for intent in intents:
            if isinstance(intent.entry, Skipped):
                skipped = _affordable(head, intent, intent.entry.minutes, skipped)
            last = head.moment.time_us
            time_us = (
                max(now_us, last) if intent.time_us is None else _allowed(intent.time_us, last, now_us, intent.path)
            )
            head = Continuation(head.apply(intent.entry, time_us))
            message, version = intent.message, head.moment.version
            message.sequence = version
            message.time.seconds, rest = divmod(time_us, 1_000_000)
            message.time.nanos = rest * 1000
            if request_id:
                message.request_id = request_id
            records.append(Record(version, time_us, message.SerializeToString()))
        marks = {mark[0]: mark[1]} if mark else NO_MARKS
        pending = self._store.append(
            self.session_id, before, records, request_id=request_id, marks=marks, created_us=self.created_us
        )
        self._head = head
        if mark:
            self.mark(*mark)
        if request_id:
            self._remember(request_id, pending)
        if pending is None:
            self._settle(head, len(records), own)
        else:
            self._in_flight += 1
            self._newest = pending
            pending.add_done_callback(lambda done: self._stored(done, head, len(records), request_id, own))
        return head.moment, pending

    def take_in(self, entries: Sequence[pb.LogEntry]) -> None:
        """Folds the next entries of the log, which another replica stored, while nothing of this one's is on its way.

        Raises CoreError for an entry that cannot be.
        """
        before, moment = self.settled.moment.version, self.settled.moment
        for entry in entries:
            moment = onward(moment, entry)
            if entry.request_id:
                self._remember(entry.request_id, None)
        self._head = Continuation(moment)
        self.marks = NO_MARKS  # Which of them the entries came with is read from the store again.
        self._settle(self._head, moment.version - before)

    def mark(self, name: str, value: int) -> None:
        """Keeps what is stored under a name, as the newest of those that are kept."""
        marks = self.marks if isinstance(self.marks, dict) else {}
        marks.pop(name, None)
        marks[name] = value
        if len(marks) > MARKS_KEPT:  # What is forgotten here is read from the store again.
            del marks[next(iter(marks))]
        self.marks = marks

    def subscribe(self) -> Subscription:
        """A new watcher; end it with `unsubscribe`."""
        subscription = Subscription(ended=self._deleted)
        if isinstance(self.subscriptions, set):
            self.subscriptions.add(subscription)
        else:
            self.subscriptions = {subscription}
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Ends a watcher."""
        if isinstance(self.subscriptions, set):
            self.subscriptions.discard(subscription)
            self.subscriptions = self.subscriptions or NOBODY

    def mark_deleted(self) -> None:
        """Ends the session for everyone who still holds it."""
        self._deleted = True
        for subscription in self.subscriptions:
            subscription.ended = True
            subscription.woken.set()

    def _remember(self, request_id: str, pending: asyncio.Future[None] | None) -> None:
        self.requests[request_id] = pending
        if len(self.requests) >= REMEMBERED_REQUESTS + FORGOTTEN_AT_ONCE:
            self._forgets = True
            for oldest in tuple(islice(self.requests, FORGOTTEN_AT_ONCE)):
                del self.requests[oldest]

    def _stored(
        self, done: asyncio.Future[None], head: Continuation, changes: int, request_id: str, own: Subscription | None
    ) -> None:
        self._in_flight -= 1
        if done.cancelled() or done.exception() is not None:
            self._broken = True
            self.requests.pop(request_id, None)
        else:
            if request_id in self.requests:
                self.requests[request_id] = None
            self._settle(head, changes, own if self.tether is not None else None)
        if self._broken and not self._in_flight:
            self._head, self._broken = self.settled, False
            self.marks = NO_MARKS

    def _settle(self, head: Continuation, changes: int, own: Subscription | None = None) -> None:
        self.settled = head
        for subscription in self.subscriptions:
            if not subscription.changes:
                subscription.since = monotonic()
            subscription.changes += changes
            if subscription is not own:
                subscription.woken.set()


def _affordable(head: Continuation, intent: Intent, minutes: float, before: float) -> float:
    """Steps of integration the skips of a write take with this one. Raises InvalidInput where those are too many."""
    steps = before + head.steps_over(minutes)
    if before and steps > STEPS_OF_A_WRITE:
        raise InvalidInput(
            f"{intent.path}.skip_minutes",
            f"is too long beside the skips before it: together they take {steps:.0f} steps of integration, at most "
            f"{STEPS_OF_A_WRITE} are taken in one request; send it in the next",
        )
    return steps


def _allowed(time_us: int, last_us: int, now_us: int, path: str) -> int:
    """The time an intent at `path` names, neither before the last entry nor too far ahead."""
    if time_us > now_us + GREATEST_LEAD_US:
        ahead = (time_us - now_us) / 1e6
        raise InvalidInput(f"{path}.occurred_at", f"is {ahead:.3f} s in the future; at most 1 s is allowed")
    if time_us < last_us:
        late = (last_us - time_us) / 1e6
        raise TimeReversed(
            f"{path}.occurred_at", f"is {late:.6f} s before the session's last log entry; time cannot go backwards"
        )
    return time_us
