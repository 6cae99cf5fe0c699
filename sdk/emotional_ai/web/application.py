"""How the page and the doors are put together, and served.

Gate --/<package>.<Service>/<Method>--> Connect
 +-----/v1/...------------------------> OpenAI
 +-----everything else----------------> the page
"""

import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import BinaryIO, Final

from fastapi import FastAPI
from nicegui import ui
from starlette.types import ASGIApp, Receive, Scope, Send

from emotional_ai.aio import AsyncClient
from emotional_ai.backoff import Backoff
from emotional_ai.web import page, serving
from emotional_ai.web.access import Access
from emotional_ai.web.doors import PREFIXES, Upstream, connect_app
from emotional_ai.web.doors.openai import routes
from emotional_ai.web.gate import Gate
from emotional_ai.web.hub import Hub
from emotional_ai.web.settings import WebSettings

BACKOFF: Final = Backoff(longest_seconds=1.0)
"""A page is looked at: it finds the service again soon."""
RECONNECT_SECONDS: Final = 10.0
"""How long a browser that lost its connection finds its page as it was."""


class _Divided:
    """Sends the rpcs of the contract one way and everything else the other."""

    def __init__(self, rpcs: ASGIApp, app: ASGIApp) -> None:
        self.app = app
        self._rpcs = rpcs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        called = scope["type"] == "http" and scope["path"].startswith(PREFIXES)
        await (self._rpcs if called else self.app)(scope, receive, send)


def application(client: AsyncClient, upstream: Upstream, hub: Hub, settings: WebSettings, port: int) -> ASGIApp:
    """Everything that is served on one address; `port` is the one listened on. One to a process: NiceGUI has one app."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.router.routes.extend(routes(client, settings.session))
    page.register(client, hub, settings)
    ui.run_with(
        app,
        title="Emotional AI",
        favicon=page.FAVICON,
        dark=None,
        language="en-US",
        reconnect_timeout=RECONNECT_SECONDS,
        message_history_length=100,
        binding_refresh_interval=None,
        tailwind=False,
        show_welcome_message=False,
    )
    return Gate(_Divided(connect_app(upstream), app), Access.of(settings), port)


async def serve(
    settings: WebSettings, listener: socket.socket, ready: Callable[[], None], parent: BinaryIO | None = None
) -> None:
    """Serves on what `serving.listening` gave until a signal, or the end of `parent`, ends it."""
    async with AsyncExitStack() as until_the_end:
        credentials, token = settings.credentials.of_channel(settings.target), settings.credentials.token
        client = await until_the_end.enter_async_context(
            AsyncClient(settings.target, credentials=credentials, token=token, backoff=BACKOFF)
        )
        upstream = Upstream(settings.target, token, credentials)
        until_the_end.push_async_callback(upstream.close)
        hub = Hub(client, settings.target)
        until_the_end.push_async_callback(hub.close)
        app = application(client, upstream, hub, settings, listener.getsockname()[1])

        async def ending() -> None:
            """Ends what whoever follows a state or hears a reply would wait for; pages first, which would go on asking."""
            page.end()
            for close in (hub.close, upstream.close, client.close):
                await close()

        await serving.serve(app, listener, ready, ending, parent)
