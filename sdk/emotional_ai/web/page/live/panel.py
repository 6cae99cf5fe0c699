"""How a session feels, as it moves."""

from nicegui import ui

from emotional_ai.web.page.desk import Desk


def live(desk: Desk) -> None:
    """Shows how a session feels, as it moves."""
    ui.label(f"{desk.session_id}, live").classes("panel-title")
