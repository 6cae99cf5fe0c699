"""The room `health`."""

from nicegui import ui

from emotional_ai.aio import AsyncClient


async def health(client: AsyncClient) -> None:  # noqa: ARG001
    """Shows the heading of the room."""
    ui.label("Health").classes("room-title")
