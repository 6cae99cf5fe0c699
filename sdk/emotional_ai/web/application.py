"""How the page and the doors are put together, and served."""

import socket
from collections.abc import Callable
from typing import BinaryIO, Final

from fastapi import FastAPI
from nicegui import ui
from starlette.types import ASGIApp

from emotional_ai.aio import AsyncClient
from emotional_ai.backoff import Backoff
from emotional_ai.web import page, serving
from emotional_ai.web.access import Access
from emotional_ai.web.gate import Gate
from emotional_ai.web.hub import Hub
from emotional_ai.web.settings import WebSettings

BACKOFF: Final = Backoff(longest_seconds=1.0)
"""A page is looked at: it finds the service again soon."""
RECONNECT_SECONDS: Final = 10.0
"""How long a page that lost this process waits for it, as it was."""


def application(client: AsyncClient, hub: Hub, settings: WebSettings, port: int) -> ASGIApp:
    """Everything that is served on one address; `port` is the one listened on. One to a process: NiceGUI has one app."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    page.register(client, hub, settings)
    ui.run_with(
        app,
        title="Emotional AI",
        favicon=page.FAVICON,
        dark=None,
        reconnect_timeout=RECONNECT_SECONDS,
        message_history_length=100,
        binding_refresh_interval=None,
        tailwind=False,
        show_welcome_message=False,
    )
    return Gate(app, Access.of(settings), port)


async def serve(
    settings: WebSettings, listener: socket.socket, ready: Callable[[], None], parent: BinaryIO | None = None
) -> None:
    """Serves on what `serving.listening` gave until a signal, or the end of `parent`, ends it."""
    async with AsyncClient(settings.target, backoff=BACKOFF) as client:
        hub = Hub(client)
        try:
            app = application(client, hub, settings, listener.getsockname()[1])
            await serving.serve(app, listener, ready, parent)
        finally:
            await hub.close()
