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
        self.finished: pb.ReplyFinished | None = None
        """Why it ended, its usage and exactly what it was spoken with, once it is complete."""

    def _take(self, event: Event) -> Event:
        match event.WhichOneof("event"):
            case "text":
                self.text += event.text.text
            case "started":
                self.started = event.started
            case "finished":
                self.finished = event.finished
            case "appraisal" if isinstance(event, pb.ConverseResponse):
                self.appraisal = event.appraisal
        return event
