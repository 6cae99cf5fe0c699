"""The room `training`."""

from nicegui import ui

from emotional_ai.aio import AsyncClient


async def training(client: AsyncClient) -> None:  # noqa: ARG001
    """Shows the heading of the room."""
    ui.label("Training").classes("room-title")
