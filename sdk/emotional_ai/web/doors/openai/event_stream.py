"""Server-sent events: one a chunk, `[DONE]` after the last. What goes wrong in mid-stream is told as an event and ends it."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from emotional_ai.errors import EmotionalAIError
from emotional_ai.web.doors.openai.completion import Chunk
from emotional_ai.web.doors.openai.hanging_up import HungUp, unless_hung_up
from emotional_ai.web.doors.openai.refusals import Refused, problem_of

DONE: Final = b"data: [DONE]\n\n"


class EventStream(Response):
    """An answer that is sent as it comes, and left off as soon as whoever asked is gone."""

    media_type = "text/event-stream"

    def __init__(self, first: bytes, others: AsyncGenerator[bytes, None]) -> None:
        """`first` has come already: until then the answer could have been an error."""
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no"})
        self._first = first
        self._others = others

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._others):
            with suppress(HungUp):
                await unless_hung_up(receive, self._sent(send))

    async def _sent(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send(_part(self._first))
        async for event in self._others:
            await send(_part(event))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def events(chunks: AsyncGenerator[Chunk, None]) -> AsyncGenerator[bytes, None]:
    """The chunks as events. What goes wrong before the first is raised."""
    begun = False
    async with aclosing(chunks):
        try:
            async for chunk in chunks:
                yield _event(chunk)
                begun = True
        except (EmotionalAIError, Refused) as error:
            if not begun:
                raise
            problem = error.problem if isinstance(error, Refused) else problem_of(error)
            yield _event(problem.body())
            return
    yield DONE


def _event(data: object) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def _part(body: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": True}
