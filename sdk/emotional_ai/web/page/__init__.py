"""What is shown: a session with its four panels, and the rooms around it.

    every page                         header, navigation, banner       frame, theme
    /s/{session_id}                    live, talk, touch, why           session, choice, desk
    /sessions /adapters /training /health                               one function each
    shared by them                     colours, curves, texts           colours, lines, written, kept

What to read, in order: frame, session, desk, then a panel (live, talk, touch, why) or a room.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from fastapi import Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from nicegui import Client, app, ui

from emotional_ai.aio import AsyncClient
from emotional_ai.web.hub import Hub
from emotional_ai.web.page.adapters import adapters
from emotional_ai.web.page.frame import ASSETS, Frame
from emotional_ai.web.page.health import health
from emotional_ai.web.page.session import show_session
from emotional_ai.web.page.sessions import sessions
from emotional_ai.web.page.training import training
from emotional_ai.web.settings import WebSettings

__all__ = ["FAVICON", "end", "register"]

FILES: Final = Path(__file__).parent / "assets"
FAVICON: Final = FILES / "icon.svg"

Build = Callable[[AsyncClient], None]
"""Shows a room, which asks the service once somebody looks."""


def register(client: AsyncClient, hub: Hub, settings: WebSettings) -> None:
    """Declares every route of the page."""
    rooms = _rooms(hub)
    frame = Frame(hub, settings, [title for title, _ in rooms])
    app.add_static_files(ASSETS, FILES, max_cache_age=0)

    @ui.page("/")
    def first() -> RedirectResponse:
        return RedirectResponse(f"/s/{settings.session}")

    @ui.page("/s/{session_id}")
    async def session(session_id: str) -> None:
        with frame.around(session_id, session_id):
            await show_session(client, hub, session_id, make=session_id == settings.session)

    for title, build in rooms:
        _register_room(client, frame, title, build)
    _register_nothing(frame)


def _rooms(hub: Hub) -> tuple[tuple[str, Build], ...]:
    """Rooms by title; the path is the title in lower case."""
    return (
        ("Sessions", lambda client: sessions(client, hub.conversations)),
        ("Adapters", adapters),
        ("Training", training),
        ("Health", health),
    )


def _register_nothing(frame: Frame) -> None:
    @app.exception_handler(404)
    async def nothing(request: Request, _: Exception) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(f"there is nothing at {request.url.path}\n", 404)
        with Client(ui.page(""), request=request) as page, frame.around("Nothing here"):
            ui.label(f"There is nothing at {request.url.path}.").classes("card empty")
        return page.build_response(request, 404)


def end() -> None:
    """Has every open page leave what it waits for; browsers keep showing what they show."""
    for one in list(Client.instances.values()):
        one.delete()
        one.outbox.updates.clear()


def _register_room(client: AsyncClient, frame: Frame, title: str, build: Build) -> None:
    @ui.page(f"/{title.lower()}")
    def room() -> None:
        with frame.around(title), ui.element("div").classes("room"):
            build(client)
