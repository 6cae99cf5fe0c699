"""The marks of the panel `live` where what they tell cannot be asked for at once, without a browser."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from loopback import PATIENCE, service
from nicegui import Client as Page
from nicegui import core
from nicegui.page import page

from emotional_ai import AsyncClient, Unavailable
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.hub import Hub
from emotional_ai.web.page.desk import Desk
from emotional_ai.web.page.live.panel import Live

SENT: Final = re.compile(r'return runMethod\(\d+, "(\w+)", (.*)\)', re.DOTALL)


class Forgetful(AsyncClient):
    """A client that explains nothing while it is told to."""

    failing = False

    async def explain(self, *args: Any, **kwargs: Any) -> pb.ExplainResponse:
        if self.failing:
            raise Unavailable("not now")
        return await super().explain(*args, **kwargs)


def called(shown: Page, method: str) -> list[Any]:
    """What a method of the browser's half was called with, in order."""
    calls = (SENT.fullmatch(data["code"]) for _, kind, data in shown.outbox.messages if kind == "run_javascript")
    return [json.loads(call[2])[0] for call in calls if call and call[1] == method]


def marks(shown: Page) -> list[int]:
    """Sequences of the marks a browser was sent, in order."""
    return [mark["sequence"] for sent in called(shown, "mark") for mark in sent]


async def until(so: Callable[[], object]) -> None:
    """Asks again and again until something is so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if so():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def looking(client: AsyncClient) -> AsyncIterator[Page]:
    """A page that shows how session ada moves, to somebody who looks."""
    core.loop = asyncio.get_running_loop()
    hub, shown = Hub(client), Page(page("/s/ada"))
    try:
        with shown:
            desk = Desk(client, hub, "ada", shown)
            async with hub.following("ada", desk.tell_moment, heard=desk.tell_entries) as desk.followed:
                panel = Live(desk)
                listener = next(one for one in panel._event_listeners.values() if one.type == "shown")
                panel._handle_event({"listener_id": listener.id, "args": 0})
                yield shown
    finally:
        shown.delete()
        await hub.close()
        core.loop = None


async def test_a_mark_that_could_not_be_told_is_told_with_the_next() -> None:
    with service() as address:
        async with Forgetful(address) as client:
            await client.create_session("ada", config=pb.SessionConfig(dynamics=pb.DynamicsConfig(time_scale=0)))
            async with looking(client) as shown:
                await until(lambda: called(shown, "fill"))
                client.failing = True
                await client.apply("ada", praise=0.5)
                await until(lambda: any(kind == "notify" for _, kind, _ in shown.outbox.messages))
                assert marks(shown) == []
                client.failing = False
                await client.apply("ada", threat=0.5)
                await until(lambda: len(marks(shown)) == 2)
                assert marks(shown) == [2, 3]
