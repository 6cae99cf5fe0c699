"""A reply, as far as it has been spoken, and what it was spoken in."""

from dataclasses import dataclass, field
from enum import Enum

from emotional_ai.v1 import engine_pb2
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.conversation.tinted import Part, Tinted, Voice

Event = pb.ConverseResponse | pb.GenerateResponse


class Outcome(Enum):
    """How a reply stands."""

    SPEAKING = "speaking"
    FINISHED = "finished"
    STOPPED = "stopped"
    """Somebody stopped it; what was said until then stays."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Supposed:
    """A state a reply is said again in."""

    name: str
    """The adapter whose prototype it is; empty for levels that a person chose."""
    chemistry: engine_pb2.Chemistry


@dataclass(slots=True)
class Reply:
    """A reply; grows while it is spoken."""

    key: str
    """Its name in the conversation."""
    supposed: Supposed | None = None
    """The state it is supposed to be spoken in; None for the session's own."""
    outcome: Outcome = Outcome.SPEAKING
    failure: str = ""
    """Why it failed, in words."""
    started: pb.ReplyStarted | None = None
    finished: pb.ReplyFinished | None = None
    tinted: Tinted | None = None
    """What was said, once it has begun."""
    tokens: int = 0
    """Tokens said."""
    _pieces: list[tuple[str, int]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All that was said."""
        return self.tinted.text if self.tinted else ""

    def begin(self, started: pb.ReplyStarted) -> None:
        """Takes in how it begins."""
        self.started = started
        self.tinted = Tinted(Voice.asked(started.expression))

    def say(self, piece: pb.ReplyText) -> Part | None:
        """Takes in a piece, and returns what it adds."""
        if self.tinted is None:
            return None
        self.tokens = piece.token_index + piece.token_count
        self._pieces.append((piece.text, piece.token_index))
        return self.tinted.say(piece.text, piece.token_index)

    def change(self, change: pb.BlendChange) -> bool:
        """Takes in a change of the voice. Returns whether it can be seen."""
        return self.tinted is not None and self.tinted.change(Voice.changed(change))

    def finish(self, finished: pb.ReplyFinished) -> None:
        """Takes in how it ended, and with what it was really spoken."""
        self.finished = finished
        changes = finished.applied.changes
        if changes:
            self.tinted = Tinted(Voice.changed(changes[0]))
            for change in changes[1:]:
                self.tinted.change(Voice.changed(change))
            for text, token in self._pieces:
                self.tinted.say(text, token)

    def end(self, outcome: Outcome, failure: str = "") -> None:
        """Nothing more comes."""
        self.outcome, self.failure = outcome, failure
        self._pieces.clear()
