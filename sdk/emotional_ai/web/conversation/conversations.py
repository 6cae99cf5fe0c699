"""The conversations of all sessions."""

from typing import Final

from emotional_ai.aio import AsyncClient
from emotional_ai.connection import DEFAULT_TARGET
from emotional_ai.v1.engine_pb2 import Session
from emotional_ai.web.conversation.conversation import Conversation

MOST: Final = 64
"""Sessions whose conversation is kept; those not asked for for longest are forgotten."""


class Conversations:
    """One to a process, used on the loop of its client."""

    def __init__(self, client: AsyncClient, target: str = DEFAULT_TARGET) -> None:
        self._client = client
        self._target = target
        self._kept: dict[str, tuple[int, Conversation]] = {}
        """By session, with the time it was made, the one asked for last at the end."""

    def of(self, session: Session) -> Conversation:
        """The conversation of a session; a session made anew under an id begins anew."""
        made = session.created_at.ToNanoseconds()
        known = self._kept.pop(session.session_id, None)
        if known is not None and known[0] != made:
            known[1].stop()
            known = None
        kept = known or (made, Conversation(self._client, session.session_id, self._target))
        self._forget(MOST - 1)
        self._kept[session.session_id] = kept
        return kept[1]

    def drop(self, session_id: str) -> None:
        """Forgets what was said in a session that is no more."""
        known = self._kept.pop(session_id, None)
        if known is not None:
            known[1].stop()

    def _forget(self, most: int) -> None:
        """Keeps so many, or those that somebody looks at."""
        idle = [session_id for session_id, (_, one) in self._kept.items() if one.idle]
        for session_id in idle[: max(len(self._kept) - most, 0)]:
            del self._kept[session_id]

    async def close(self) -> None:
        """Stops whatever is being said."""
        for _, conversation in list(self._kept.values()):
            await conversation.close()
