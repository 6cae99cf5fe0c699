"""A session's log as its life: entries of the contract folded one after another.

begun      the first entry: the session was created, or its older entries were let go
onward     each entry after it
resumed    the newest moment, from what a snapshot remembers and the log after it
checked    the same of a log from elsewhere, which may not be one
Life       every moment of a log
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.continuing import continued_from, continued_to
from emotional_ai_service.core.errors import CoreError, InvalidInput
from emotional_ai_service.core.replay import Timed, replay
from emotional_ai_service.core.timeline import Continuation, Moment, begin
from emotional_ai_service.errors import InvalidRequest, Violation
from emotional_ai_service.stores import Record
from emotional_ai_service.wire import agent_from, check_time, entry_from, levels_from, microseconds

UNREADABLE: Final = (CoreError, DecodeError)
"""What reading a log raises that cannot be, or is damaged."""


@dataclass(frozen=True, slots=True)
class Life:
    """A session's log, replayed as far back as it is kept."""

    messages: list[pb.LogEntry]
    """Every entry kept, the first one `created` or `continued`."""
    entries: list[Timed]
    """Every entry after the first."""
    path: list[Continuation]
    """The session just after each entry."""
    created_us: int
    """When the session was created."""

    @property
    def known_from_us(self) -> int:
        """The earliest moment anything is known of."""
        return self.path[0].moment.time_us

    @property
    def first_sequence(self) -> int:
        """Sequence of the first entry kept: above 1 where older ones were let go."""
        return self.path[0].moment.version

    @classmethod
    def of(cls, records: Sequence[Record]) -> "Life":
        """The life whose log these are, at least one."""
        messages = _messages(records)
        # A log read in parts while older entries were let go may hold what stood for them in its midst.
        first = max((index for index, message in enumerate(messages) if message.HasField("continued")), default=0)
        messages = messages[first:]
        created_us, moment = begun(messages[0])
        entries = [(microseconds(message.time), entry_from(message)) for message in messages[1:]]
        return cls(messages, entries, replay(moment, entries), created_us)


def _messages(records: Sequence[Record]) -> list[pb.LogEntry]:
    return [pb.LogEntry.FromString(record.payload) for record in records]


def begun(message: pb.LogEntry) -> tuple[int, Moment]:
    """When the session of a log's first entry was created, and its first moment. Raises CoreError."""
    if message.HasField("continued"):
        return continued_from(message)
    created, time_us = message.created, microseconds(message.time)
    initial = levels_from(created.initial) if created.HasField("initial") else None
    return time_us, begin(agent_from(created.config, "created.config"), time_us, initial)


def onward(moment: Moment, message: pb.LogEntry) -> Moment:
    """The session just after a later entry of its log; `continued` says what it was there, whatever came before.

    Raises CoreError for an entry that cannot be.
    """
    if message.HasField("continued"):
        return continued_from(message)[1]
    return Continuation(moment).apply(entry_from(message), microseconds(message.time))


def resumed(remembered: tuple[int, Moment] | None, records: Sequence[Record]) -> tuple[int, Moment]:
    """Creation time and newest moment of a session, from what a snapshot remembers and the log after it."""
    messages = _messages(records)
    created_us, moment = begun(messages.pop(0)) if remembered is None else remembered
    for message in messages:
        moment = onward(moment, message)
    return created_us, moment


def let_go(records: Sequence[Record], before_us: int) -> Record | None:
    """What stands for those of a log's first records that happened at `before_us` or before; None if that is one at most."""
    messages = _messages(records)
    created_us, moment = begun(messages[0])
    gone = 0
    for message in messages[1:]:
        if microseconds(message.time) > before_us:
            break
        gone, moment = gone + 1, onward(moment, message)
    if not gone:
        return None
    entry = continued_to(created_us, moment)
    entry.request_id = messages[gone].request_id
    return Record(entry.sequence, moment.time_us, entry.SerializeToString())


def checked(entries: Sequence[pb.LogEntry], latest_us: int) -> tuple[int, Moment]:
    """As `resumed`, of a log from elsewhere. Raises InvalidRequest naming the first entry that cannot be."""
    life: tuple[int, Moment] | None = None
    for index, message in enumerate(entries):
        try:
            _check_place(message, life[1].version + 1 if life else None, latest_us)
            _check_configuration(message)
            if life is None:
                life = begun(message)
            elif message.HasField("continued"):
                raise InvalidInput("effect", "must not be `continued` after the first entry")
            else:
                life = life[0], onward(life[1], message)
        except CoreError as error:
            path = f"session.entries[{index}].{error.field}"
            raise InvalidRequest([Violation(path, error.description)]) from error
    if life is None:
        raise InvalidRequest([Violation("session.entries", "must begin with a `created` or a `continued` entry")])
    return life


def _check_configuration(message: pb.LogEntry) -> None:
    """Whether what an entry configures, if it does, can be taken on as a new one."""
    match message.WhichOneof("effect"):
        case "created":
            agent_from(message.created.config, "created.config", new=True)
        case "configured":
            agent_from(message.configured, "configured", new=True)
        case "continued":
            agent_from(message.continued.config, "continued.config", new=True)


def _check_place(message: pb.LogEntry, sequence: int | None, latest_us: int) -> None:
    """Whether an entry can stand where it does: numbered `sequence`, or at the beginning where that is None."""
    if sequence is None and message.WhichOneof("effect") not in ("created", "continued"):
        raise InvalidInput("effect", "must be `created`, or `continued`, in the first entry")
    if sequence is None and message.HasField("created"):
        sequence = 1
    if sequence is not None and message.sequence != sequence:
        raise InvalidInput("sequence", f"must be {sequence}: entries are numbered from the first on, without gaps")
    if not message.HasField("time"):
        raise InvalidInput("time", "must be set to a moment of the years 1 to 9999")
    check_time(message.time, "time")
    check_time(message.stimulus.occurred_at, "stimulus.occurred_at")
    if microseconds(message.time) > latest_us:
        raise InvalidInput("time", "lies in the future; a session would stand still until then")
