"""What is around every page: header, navigation, light and dark, and the banner that says the service is away."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from nicegui import ui

from emotional_ai.connection import start_command
from emotional_ai.web.hub import Hub
from emotional_ai.web.page.lifetime import at_the_end
from emotional_ai.web.page.theme import Theme
from emotional_ai.web.settings import WebSettings

ASSETS: Final = "/assets"
HEAD: Final = (
    f'<link rel="stylesheet" href="{ASSETS}/page.css">'
    f'<script src="{ASSETS}/early.js"></script>'
    '<meta name="robots" content="noindex">'
)


class Frame:
    """Draws what every page has."""

    def __init__(self, hub: Hub, settings: WebSettings, rooms: Sequence[str]) -> None:
        self._hub = hub
        self._settings = settings
        self._rooms = rooms

    @contextmanager
    def around(self, title: str, session_id: str | None = None) -> Iterator[None]:
        """Draws the frame of a page; what is made inside the context is its content."""
        ui.add_head_html(HEAD)
        ui.page_title(f"{title} - Emotional AI")
        ui.link("Skip to the content", "#main").classes("skip")
        with ui.element("header").classes("top"):
            ui.link("Emotional AI", "/").classes("brand")
            if session_id is not None:
                ui.label(session_id).classes("session-name").props("role=heading aria-level=1 id=session-name")
            self._navigation(title, session_id)
            Theme()
        self._banner()
        with ui.element("div").props("id=main tabindex=-1"):
            yield

    def _navigation(self, title: str, session_id: str | None) -> None:
        shown = self._settings.session if session_id is None else session_id
        with ui.element("nav").props('aria-label="Rooms"'):
            _link("Agent", f"/s/{shown}", here=session_id is not None).props("data-session-link")
            for room in self._rooms:
                _link(room, f"/{room.lower()}", here=room == title)

    def _banner(self) -> None:
        with ui.element("div").classes("away").props("role=alert") as banner:
            words = ui.label("")

        def told(away: str | None) -> None:
            banner.set_visibility(away is not None)
            target = self._settings.target
            words.text = (
                f"No service answers at {target}. This page goes on by itself once one does; "
                f"start one with: {start_command(target)}"
            )

        told(self._hub.away)
        until_gone = ExitStack()
        until_gone.enter_context(self._hub.on_away(told))
        at_the_end(until_gone.close)


def _link(words: str, where: str, *, here: bool) -> ui.link:
    link = ui.link(words, where).classes("room-link")
    return link.props("aria-current=page") if here else link
