"""What a page leaves to be done when its visitor is gone for good."""

from collections.abc import Callable

from nicegui import ui


def at_the_end(of: Callable[[], object]) -> None:
    """Calls `of` once the page is gone: closed, and not come back within the time a browser has to reconnect."""
    ui.context.client.on_delete(of)
