"""What entries of a log did, asked for once however many pages want to know."""

import asyncio

from emotional_ai.aio import AsyncClient
from emotional_ai.v1 import engine_pb2 as pb

Call = asyncio.Task[pb.ExplainResponse]


class Explaining:
    """Keeps the answer given last: pages are told of the same entries at the same time, and ask at the same time."""

    def __init__(self, client: AsyncClient, session_id: str) -> None:
        self._client = client
        self._session_id = session_id
        self._which = (0, 0)
        self._call: Call | None = None

    async def since(self, first: pb.LogEntry, newest: int) -> pb.ExplainResponse:
        """What each entry from `first` to the newest did. Raises what the call raises, and asks anew after that."""
        which = (first.time.ToNanoseconds(), newest)
        if self._call is None or self._which != which:
            self._which = which
            self._call = asyncio.create_task(self._asked(first), name=f"emotional-ai explaining {self._session_id}")
            self._call.add_done_callback(self._answered)
        return await asyncio.shield(self._call)

    def close(self) -> None:
        """Nobody wants to know any more."""
        if self._call is not None:
            self._call.cancel()

    async def _asked(self, first: pb.LogEntry) -> pb.ExplainResponse:
        return await self._client.explain(self._session_id, start=first.time)

    def _answered(self, call: Call) -> None:
        failed = call.cancelled() or call.exception() is not None
        if failed and call is self._call:
            self._call = None
