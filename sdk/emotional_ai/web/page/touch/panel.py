"""What moves a session by hand."""

from nicegui import ui

from emotional_ai.web.page.desk import Desk


def touch(desk: Desk) -> None:
    """Shows what moves a session by hand."""
    ui.label(f"Touch {desk.session_id}").classes("panel-title")
