"""A conversation with a session: one reply at a time, heard by every page that listens."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from typing import Final

from emotional_ai.aio import AsyncClient
from emotional_ai.calls import new_request_id
from emotional_ai.connection import DEFAULT_TARGET, start_command
from emotional_ai.errors import EmotionalAIError, Unavailable
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1.engine_pb2 import SessionConfig
from emotional_ai.web.conversation.audience import Audience, Bounds, Listener
from emotional_ai.web.conversation.reply import Outcome, Reply, Supposed
from emotional_ai.web.conversation.turn import Turn

logger = logging.getLogger(__name__)

REPLY_SECONDS: Final = 600.0
"""How long a reply may take: 4096 tokens on a slow machine."""
MOST_TURNS: Final = 128
"""Turns kept; the contract lets a request carry so many, two messages each."""
MOST_CHARACTERS: Final = 1_000_000
"""Text kept; a request may be no longer than 4 MiB."""
MOST_SAID: Final = 1000
"""Request ids known as said here: as many as entries of the log are looked at."""
MOST_AGAIN: Final = 3
"""Other states one reply is kept in; the oldest makes room."""
TOO_LONG: Final = "PROMPT_TOO_LONG"
"""Reason of the error that the prompt does not fit the model's context."""


class Busy(Exception):
    """A reply is being spoken."""

    def __init__(self) -> None:
        super().__init__("a reply is still being spoken; stop it first, or wait for its end")


class Conversation:
    """What is said in one session. Made by `Conversations.of`, used on the loop of its client."""

    def __init__(self, client: AsyncClient, session_id: str, target: str = DEFAULT_TARGET) -> None:
        self.session_id = session_id
        self.turns: list[Turn] = []
        """Those kept, oldest first."""
        self._client = client
        self._target = target
        self._said: deque[str] = deque(maxlen=MOST_SAID)
        self._since = 1
        self._next = 1
        self._audience = Audience()
        self._task: asyncio.Task[None] | None = None
        self._speaking: Reply | None = None

    @property
    def said(self) -> Collection[str]:
        """Request ids of what was said here, forgotten turns included; the log has them with what they moved."""
        return self._said

    @property
    def idle(self) -> bool:
        """Whether nobody listens and nothing is being said."""
        return not self._audience and self._speaking is None

    @property
    def bounds(self) -> Bounds:
        """What is kept, and what of it is sent along."""
        return Bounds(self.turns[0].number if self.turns else self._next, self._since)

    def join(self, listener: Listener) -> Callable[[], None]:
        """Tells a listener, never waiting for it, what changes in `turns` from now on. What is returned ends that."""
        return self._audience.join(listener)

    def say(self, text: str, sampling: pb.Sampling) -> None:
        """Says something; the reply is told as it comes. Raises Busy."""
        self._check_silence()
        turn = Turn(self._next, text, sampling, new_request_id(), self._since, Reply(str(self._next)))
        self._next += 1
        self._said.append(turn.request_id)
        self.turns.append(turn)
        self._bound()
        self._start(turn, turn.reply, self._converse(turn))

    def retry(self) -> None:
        """Says the last turn again if it failed; its signals are not applied twice. Raises Busy."""
        self._check_silence()
        if self.turns and self.turns[-1].reply.outcome is Outcome.FAILED:
            turn = self.turns[-1]
            turn.reply = Reply(turn.reply.key)
            self._start(turn, turn.reply, self._converse(turn))

    def again(self, number: int, supposed: Supposed, sampling: pb.Sampling, config: SessionConfig) -> None:
        """Has a turn answered once more in another state; the session does not move. Raises Busy, or ValueError."""
        self._check_silence()
        turn = next((turn for turn in self.turns if turn.number == number), None)
        if turn is None:
            raise ValueError(f"turn {number} is no longer kept")
        place = 1 + max((int(reply.key.partition(".")[2]) for reply in turn.again), default=0)
        reply = Reply(f"{number}.{place}", supposed)
        turn.again = [*turn.again[1 - MOST_AGAIN :], reply]
        self._start(turn, reply, self._generate(turn, reply, supposed, sampling, config))

    def stop(self) -> None:
        """Stops the reply that is being spoken; what was said until then stays."""
        if self._task is not None:
            self._task.cancel()

    def forget(self) -> None:
        """Begins anew. Raises Busy."""
        self._check_silence()
        self.turns.clear()
        self._since = self._next
        self._audience.tell(self.bounds)

    async def close(self) -> None:
        """Stops, and waits until all is said."""
        self.stop()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _check_silence(self) -> None:
        if self._speaking is not None:
            raise Busy

    def _start(self, turn: Turn, reply: Reply, speak: Coroutine[None, None, None]) -> None:
        self._speaking = reply
        self._audience.tell(turn)
        self._task = asyncio.create_task(speak, name=f"reply {reply.key} of {self.session_id}")
        self._task.add_done_callback(partial(self._ended, turn, reply))

    def _ended(self, turn: Turn, reply: Reply, task: asyncio.Task[None]) -> None:
        """Says how a reply ended; whoever cancelled the task stopped it."""
        if task.cancelled():
            reply.end(Outcome.STOPPED)
        elif (error := task.exception()) is None:
            reply.end(Outcome.FINISHED)
        elif isinstance(error, EmotionalAIError):
            reply.end(Outcome.FAILED, _words(error, self._target))
        else:
            logger.error("reply %s of session %s", reply.key, self.session_id, exc_info=error)
            reply.end(Outcome.FAILED, "the page itself failed; its log says more")
        self._speaking = None
        self._audience.tell(turn)

    async def _converse(self, turn: Turn) -> None:
        while True:
            try:
                return await self._conversed(turn)
            except EmotionalAIError as error:
                past = self._sent_along(turn)
                if error.reason != TOO_LONG or not past:
                    raise
                self._since = past[0].number + 1
                self._audience.tell(self.bounds)

    async def _conversed(self, turn: Turn) -> None:
        turn.since = self._since
        call = self._client.converse(
            self.session_id,
            turn.text,
            history=self._history(turn),
            sampling=turn.sampling,
            request_id=turn.request_id,
            timeout=REPLY_SECONDS,
        )
        async with call as events:
            async for event in events:
                if event.WhichOneof("event") == "appraisal":
                    turn.appraisal = event.appraisal
                    self._audience.tell(turn)
                else:
                    self._take(turn, turn.reply, event)
        _check_whole(turn.reply)

    async def _generate(
        self, turn: Turn, reply: Reply, supposed: Supposed, sampling: pb.Sampling, config: SessionConfig
    ) -> None:
        said = pb.ChatMessage(role=pb.ROLE_USER, content=turn.text)
        under = pb.ExplicitExpression(chemistry=supposed.chemistry, config=config)
        call = self._client.generate(
            [*self._history(turn), said], under=under, sampling=sampling, timeout=REPLY_SECONDS
        )
        async with call as events:
            async for event in events:
                self._take(turn, reply, event)
        _check_whole(reply)

    def _take(self, turn: Turn, reply: Reply, event: pb.ConverseResponse | pb.GenerateResponse) -> None:
        match event.WhichOneof("event"):
            case "started":
                reply.begin(event.started)
                self._audience.tell(turn)
            case "text":
                part = reply.say(event.text)
                if part is not None:
                    self._audience.part(reply, part)
            case "blend_change" if reply.change(event.blend_change) and reply.tinted is not None:
                self._audience.voice(reply, reply.tinted.voices[-1])
            case "finished":
                reply.finish(event.finished)

    def _sent_along(self, turn: Turn) -> Sequence[Turn]:
        """The turns before one that are sent along with it."""
        return [one for one in self.turns if turn.since <= one.number < turn.number and one.remembered]

    def _history(self, turn: Turn) -> Sequence[pb.ChatMessage]:
        return [message for one in self._sent_along(turn) for message in one.messages()]

    def _bound(self) -> None:
        """Forgets the oldest turns where there are too many, or they hold too much."""
        before = len(self.turns)
        while len(self.turns) > MOST_TURNS or sum(turn.characters for turn in self.turns) > MOST_CHARACTERS:
            del self.turns[0]
        if len(self.turns) < before:
            self._since = max(self._since, self.turns[0].number)
            self._audience.tell(self.bounds)


def _check_whole(reply: Reply) -> None:
    if reply.finished is None:
        raise EmotionalAIError("the service ended the reply before it was complete")


def _words(error: EmotionalAIError, target: str) -> str:
    if isinstance(error, Unavailable) and not error.reason:
        return f"the service cannot be reached; start it with `{start_command(target)}`, and try again"
    return "; ".join(f"{one.field} {one.description}" for one in error.violations) or str(error)
