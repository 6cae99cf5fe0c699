"""A conversation as the client keeps it: the service stores no text, so each turn sends what was said before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from emotional_ai import names
from emotional_ai.calls import new_request_id
from emotional_ai.cli import records
from emotional_ai.cli.output import CommandFailed, Record
from emotional_ai.client import Client
from emotional_ai.errors import EmotionalAIError
from emotional_ai.v1 import inference_pb2 as pb

REPLY_SECONDS: Final = 600.0
"""How long a reply may take: 4096 tokens on a slow machine."""
GREATEST_HISTORY: Final = 128
"""Turns the contract lets a request carry, two messages each."""
TOO_LONG: Final = "PROMPT_TOO_LONG"
"""Reason of the error that the prompt does not fit the model's context."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the person said and what was answered."""

    user: str
    reply: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that went well."""

    user: str
    reply: str
    appraisal: pb.Appraisal
    started: pb.ReplyStarted
    finished: pb.ReplyFinished


class Conversation:
    """Turns of one session.

    `heard` gets each piece of a reply as it comes, `moved` each change of the voice, `noticed` what the person should know:
    what the service discloses, and what is no longer sent along.
    """

    def __init__(
        self,
        client: Client,
        session_id: str,
        sampling: pb.Sampling,
        heard: Callable[[str], None],
        noticed: Callable[[str], None],
        moved: Callable[[pb.BlendChange], None] = lambda _: None,
        *,
        fixed_blend: bool = False,
    ) -> None:
        self._client = client
        self._session_id = session_id
        self._sampling = sampling
        self._heard = heard
        self._noticed = noticed
        self._moved = moved
        self._fixed_blend = fixed_blend
        self._past: list[Exchange] = []

    def turn(self, text: str) -> Turn:
        """Says something and hears the reply out.

        An interrupt stops the decoding, and what was said until then stays part of the conversation. A prompt that is too
        long is sent again without the oldest turns, which are forgotten for good. Raises what `Client.converse` raises.
        """
        request_id, forgotten = new_request_id(), self._forget(len(self._past) - GREATEST_HISTORY)
        while True:
            try:
                turn = self._spoken(text, request_id)
                break
            except EmotionalAIError as error:
                if error.reason != TOO_LONG or not self._past:
                    raise
                forgotten += self._forget(1)
            finally:
                self._tell(forgotten)
                forgotten = 0
        self._past.append(Exchange(text, turn.reply))
        return turn

    def _forget(self, count: int) -> int:
        forgotten = max(count, 0)
        del self._past[:forgotten]
        return forgotten

    def _tell(self, forgotten: int) -> None:
        if forgotten:
            turns = "the oldest turn is" if forgotten == 1 else f"the {forgotten} oldest turns are"
            self._noticed(f"the conversation is longer than the model can take in; {turns} no longer sent along")

    def _spoken(self, text: str, request_id: str) -> Turn:
        with self._client.converse(
            self._session_id,
            text,
            history=self._messages(),
            sampling=self._sampling,
            request_id=request_id,
            fixed_blend=self._fixed_blend,
            timeout=REPLY_SECONDS,
        ) as reply:
            try:
                for event in reply:
                    match event.WhichOneof("event"):
                        case "started":
                            for line in event.started.disclosure.splitlines():
                                self._noticed(line)
                        case "text":
                            self._heard(event.text.text)
                        case "blend_change":
                            self._moved(event.blend_change)
            except KeyboardInterrupt:
                if reply.text:
                    self._past.append(Exchange(text, reply.text))
                raise
        if reply.appraisal is None or reply.started is None or reply.finished is None:
            raise CommandFailed("the service ended the reply without saying what it was spoken with")
        return Turn(text, reply.text, reply.appraisal, reply.started, reply.finished)

    def _messages(self) -> Sequence[pb.ChatMessage]:
        return [
            pb.ChatMessage(role=role, content=content)
            for one in self._past
            for role, content in ((pb.ROLE_USER, one.user), (pb.ROLE_ASSISTANT, one.reply))
            if content
        ]


def turn_record(turn: Turn) -> Record:
    """A turn as JSON. `state` is the chemistry the reply was spoken in, `blend` the one it asks for."""
    expression, applied = turn.started.expression, turn.finished.applied
    return {
        "user": turn.user,
        "reply": turn.reply,
        "signals": names.signals(turn.appraisal.signals),
        "classified": turn.appraisal.classified,
        "state": names.levels(turn.started.state.chemistry),
        "label": names.label(turn.started.state.label),
        "valence": turn.started.state.valence,
        "arousal": turn.started.state.arousal,
        "blend": records.blend(expression.blend),
        "temperature": applied.temperature,
        "top_p": applied.top_p,
        "tokens": expression.conditioning,
        "intensity": turn.started.intensity,
        "flags": list(turn.started.flags),
        "disclosure": turn.started.disclosure,
        "seed": applied.seed,
        "finish_reason": records.finish(turn.finished.reason),
        "usage": records.usage(turn.finished.usage),
        "applied": records.applied(applied),
    }
