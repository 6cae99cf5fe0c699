"""The room `sessions`."""

from nicegui import ui

from emotional_ai.aio import AsyncClient


async def sessions(client: AsyncClient) -> None:  # noqa: ARG001
    """Shows the heading of the room."""
    ui.label("Sessions").classes("room-title")
