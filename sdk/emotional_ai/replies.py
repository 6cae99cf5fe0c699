"""What has arrived of a streamed reply."""

from typing import Generic, TypeVar

from emotional_ai.v1 import inference_pb2 as pb

Event = TypeVar("Event", pb.ConverseResponse, pb.GenerateResponse)


class ReplySoFar(Generic[Event]):
    """Collects the events of one reply."""

    def __init__(self) -> None:
        self.text = ""
        """The reply so far."""
        self.appraisal: pb.Appraisal | None = None
        """What the person's words carried; only of a conversation's turn."""
        self.started: pb.ReplyStarted | None = None
        """State, expression and seed, once the reply has begun."""
        self.changes: list[pb.BlendChange] = []
        """How the voice has changed since the reply began, in order of tokens."""
        self.finished: pb.ReplyFinished | None = None
        """Why it ended, its usage and exactly what it was spoken with, once it is complete."""

    @property
    def applied(self) -> pb.AppliedExpression | None:
        """Exactly what it was spoken with, once it is complete; its `changes` begin with the voice at the first token."""
        return self.finished.applied if self.finished else None

    def _take(self, event: Event) -> Event:
        match event.WhichOneof("event"):
            case "text":
                self.text += event.text.text
            case "blend_change":
                self.changes.append(event.blend_change)
            case "started":
                self.started = event.started
            case "finished":
                self.finished = event.finished
            case "appraisal" if isinstance(event, pb.ConverseResponse):
                self.appraisal = event.appraisal
        return event
