"""The conversation."""

from nicegui import ui

from emotional_ai.web.page.desk import Desk


def talk(desk: Desk) -> None:
    """Shows the conversation with a session."""
    ui.label(f"Talk to {desk.session_id}").classes("panel-title")
