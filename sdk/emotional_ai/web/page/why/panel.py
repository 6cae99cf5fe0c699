"""Why a session feels as it does."""

from nicegui import ui

from emotional_ai.web.page.desk import Desk


def why(desk: Desk) -> None:
    """Shows why a session feels as it does."""
    ui.label(f"Why {desk.session_id} feels so").classes("panel-title")
