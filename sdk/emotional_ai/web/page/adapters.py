"""The room `adapters`."""

from nicegui import ui

from emotional_ai.aio import AsyncClient


async def adapters(client: AsyncClient) -> None:  # noqa: ARG001
    """Shows the heading of the room."""
    ui.label("Adapters").classes("room-title")
