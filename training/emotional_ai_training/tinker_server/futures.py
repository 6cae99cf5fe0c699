"""Promises of requests under way: given out by id, kept for a while, and answered as often as they are asked for."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from emotional_ai_training.tinker_server.replies import Reply

KEPT_SECONDS: Final = 900.0
KEPT_BYTES: Final = 256 * 2**20
"""Answers are kept so long, and so many, after they are finished."""


@dataclass(slots=True)
class _Promise:
    done: asyncio.Event = field(default_factory=asyncio.Event)
    reply: Reply | None = None
    finished: float = 0.0


class Futures:
    """Lives on one event loop; the clock counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._promises: dict[str, _Promise] = {}
        self._kept_bytes = 0
        self.pending = 0
        """Requests accepted and not finished."""

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._promises

    def open(self, request_id: str) -> None:
        """Promises an answer."""
        self._promises[request_id] = _Promise()
        self.pending += 1

    def resolve(self, request_id: str, reply: Reply) -> None:
        """Keeps a promise; a second answer is ignored."""
        promise = self._promises.get(request_id)
        if promise is None or promise.reply is not None:
            return
        promise.reply, promise.finished = reply, self._clock()
        promise.done.set()
        self.pending -= 1
        self._kept_bytes += len(reply.body)
        self._forget()

    async def wait(self, request_id: str, seconds: float) -> Reply | None:
        """The answer, or None where it takes longer; KeyError for an id that is not promised, or no longer kept."""
        promise = self._promises[request_id]
        if promise.reply is None:
            try:
                await asyncio.wait_for(promise.done.wait(), seconds)
            except TimeoutError:
                return None
        return promise.reply

    def _forget(self) -> None:
        """Drops answers that are old, and the oldest ones while there are too many; they finished in about this order."""
        horizon = self._clock() - KEPT_SECONDS
        for request_id, promise in list(self._promises.items()):
            if promise.reply is None:
                continue
            if promise.finished > horizon and self._kept_bytes <= KEPT_BYTES:
                return
            self._kept_bytes -= len(promise.reply.body)
            del self._promises[request_id]
