"""A turn as it is spoken: the state before it, and the reply."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from emotional_ai.aio import AsyncClient
from emotional_ai.aio_streams import AsyncReply
from emotional_ai.errors import AlreadyExists, EmotionalAIError, NotFound
from emotional_ai.v1 import engine_pb2
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.doors.openai.refusals import Refused
from emotional_ai.web.doors.openai.turn import Turn

logger = logging.getLogger(__name__)

UNTOUCHED: Final = 1
"""Version of a session that was made and has met nothing."""
REPLY_SECONDS: Final = 600.0
"""How long a reply may take; OpenAI's clients wait as long."""


@dataclass(frozen=True, slots=True)
class Speech:
    """A turn being spoken."""

    turn: Turn
    request_id: str
    before: engine_pb2.EmotionalState
    """The state before the words were heard."""
    reply: AsyncReply[pb.ConverseResponse]

    @property
    def started(self) -> pb.ReplyStarted:
        """How the reply began. Raises Refused if it has not."""
        if self.reply.started is None:
            raise _cut_short("began")
        return self.reply.started

    @property
    def finished(self) -> pb.ReplyFinished:
        """How the reply ended. Raises Refused if it has not."""
        if self.reply.finished is None:
            raise _cut_short("ended")
        return self.reply.finished


@asynccontextmanager
async def speaking(client: AsyncClient, turn: Turn, request_id: str) -> AsyncIterator[Speech]:
    """Begins a turn, in a session that is made if there is none yet; leaving it ends the reply.

    The words of one request_id move the state once. Raises what the client raises, here and while the reply is read; a session
    that was made for words that were refused unheard is not left behind.
    """
    before, made = await _ensured(client, turn.session_id)
    reply = client.converse(
        turn.session_id,
        turn.text,
        history=turn.history,
        sampling=turn.sampling,
        request_id=request_id,
        kv_policy=turn.kv_policy,
        fixed_blend=turn.fixed_blend,
        timeout=REPLY_SECONDS,
    )
    try:
        async with reply:
            yield Speech(turn, request_id, before, reply)
    except EmotionalAIError:
        if made and reply.appraisal is None:
            await _unmade(client, turn.session_id)
        raise


async def _ensured(client: AsyncClient, session_id: str) -> tuple[engine_pb2.EmotionalState, bool]:
    """The state of a session, and whether the session was made for it."""
    try:
        return await client.state(session_id), False
    except NotFound:
        try:
            return (await client.create_session(session_id)).state, True
        except AlreadyExists:  # another client was faster
            return await client.state(session_id), False


async def _unmade(client: AsyncClient, session_id: str) -> None:
    """Deletes a session in which nothing has happened yet; what cannot be deleted stays, and the refusal is told."""
    try:
        if (await client.state(session_id)).version == UNTOUCHED:
            await client.delete_session(session_id)
    except EmotionalAIError as error:
        logger.warning("session %s was made for words that were refused, and stays: %s", session_id, error)


def _cut_short(what: str) -> Refused:
    return Refused(f"the service broke off without saying how the reply {what}", code="cut_short", status=500)
