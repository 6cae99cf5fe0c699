"""One bidirectional stream a session, shared by every page that shows it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager

from emotional_ai.aio import AsyncClient
from emotional_ai.connection import DEFAULT_TARGET
from emotional_ai.errors import EmotionalAIError, NotFound
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.conversation import Conversations
from emotional_ai.web.hub.followed import Followed, Follower
from emotional_ai.web.hub.moment import Moment
from emotional_ai.web.hub.reach import Reach


class Hub:
    """What all pages of one process know of the service; used on the loop of its client."""

    def __init__(self, client: AsyncClient, target: str = DEFAULT_TARGET) -> None:
        self.target = target
        """HOST:PORT of the service."""
        self._client = client
        self._followed: dict[str, Followed] = {}
        self.reach = Reach(client)
        """Whether the service answers."""
        self.conversations = Conversations(client, target)
        """What is said in the sessions."""

    @property
    def away(self) -> str | None:
        """Why the service cannot be reached; None while it can, as far as is known."""
        return self.reach.away

    def on_away(self, told: Callable[[str | None], None]) -> AbstractContextManager[None]:
        """Calls `told` whenever `away` changes, inside the context."""
        return self.reach.observed(told)

    @asynccontextmanager
    async def following(
        self,
        session_id: str,
        seen: Callable[[Moment], None],
        *,
        heard: Callable[[Sequence[pb.LogEntry]], None] = lambda _: None,
        ended: Callable[[EmotionalAIError], None] = lambda _: None,
    ) -> AsyncIterator[Followed]:
        """Follows a session. Raises NotFound, or Unavailable while the service is away.

        `seen` gets moments from the next on, at most RATE a second and only if something moved; `heard` gets new entries of
        the log, in order; `ended` is called once if the session is deleted, when what was said in it is forgotten too. None of
        them is awaited: a slow page slows nobody.
        """
        followed = self._followed.get(session_id)
        if followed is None or followed.over:
            followed = self._followed[session_id] = Followed(self._client, self.reach, session_id)

        def over(error: EmotionalAIError) -> None:
            if isinstance(error, NotFound):
                self.conversations.drop(session_id)
            ended(error)

        leave = followed.join(Follower(seen, heard, over))
        try:
            await followed.begun()
            yield followed
        finally:
            if leave():
                if self._followed.get(session_id) is followed:
                    del self._followed[session_id]
                await followed.close()

    async def close(self) -> None:
        """Ends every stream."""
        self.reach.close()
        await self.conversations.close()
        for followed in list(self._followed.values()):
            await followed.close()
        self._followed.clear()
