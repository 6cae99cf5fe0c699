"""What a person said, and what was answered."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.conversation.reply import Outcome, Reply


@dataclass(slots=True)
class Turn:
    """A turn; grows while it is answered."""

    number: int
    """From 1, in the order they were said."""
    text: str
    sampling: pb.Sampling
    request_id: str
    since: int
    """Number of the first turn that was sent along."""
    reply: Reply
    appraisal: pb.Appraisal | None = None
    """What the words carried, once it is known."""
    again: list[Reply] = field(default_factory=list)
    """The same, said in other states."""

    @property
    def remembered(self) -> bool:
        """Whether it is sent along with later turns: one that failed, or was stopped before a word, is not."""
        return bool(self.reply.text) and self.reply.outcome in (Outcome.FINISHED, Outcome.STOPPED)

    @property
    def characters(self) -> int:
        """How much text it holds."""
        return len(self.text) + sum(len(reply.text) for reply in (self.reply, *self.again))

    def messages(self) -> Iterator[pb.ChatMessage]:
        """Both sides, as they are sent along."""
        yield pb.ChatMessage(role=pb.ROLE_USER, content=self.text)
        yield pb.ChatMessage(role=pb.ROLE_ASSISTANT, content=self.reply.text)
