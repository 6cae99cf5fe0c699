"""The language model, and what its replies can be blended of."""

from pathlib import Path
from typing import ClassVar, Final

from nicegui import ui

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import FailedPrecondition
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.web.page import colours
from emotional_ai.web.page.adapters import cards
from emotional_ai.web.page.kept import STYLE, Kept

LOOK: Final = Path(__file__).parent / "adapters.css"


def adapters(client: AsyncClient) -> None:
    """Shows the room."""
    ui.add_css(STYLE)
    ui.add_css(LOOK)
    ui.label("Adapters").classes("room-title").props("role=heading aria-level=1")
    Adapters(client)


class Adapters(Kept, component="adapters.js"):
    """The model and its adapters."""

    SECONDS: ClassVar[float] = 10.0

    def __init__(self, client: AsyncClient) -> None:
        super().__init__()
        self._service = client
        self._props["chemicals"] = [
            {"name": name, "colour": colours.CHEMICALS[name], "on_dark": colours.ON_DARK[name]} for name in CHEMICALS
        ]

    async def refresh(self) -> None:
        """Asks for both. A service without language has adapters all the same."""
        self.show("fill", cards.adapters(await self._service.list_adapters()))
        try:
            self.show("speak", cards.model(await self._service.get_model()))
        except FailedPrecondition as error:
            self.show("silent", str(error))
