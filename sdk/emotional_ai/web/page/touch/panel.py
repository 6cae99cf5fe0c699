"""What moves a session by hand."""

from pathlib import Path
from typing import Final

from nicegui import ui

from emotional_ai.web.page import lines
from emotional_ai.web.page.desk import Desk
from emotional_ai.web.page.touch.keeping import Keeping
from emotional_ai.web.page.touch.passing import Passing
from emotional_ai.web.page.touch.personality import Personality
from emotional_ai.web.page.touch.press import Press

STYLES: Final = (Path(__file__).parent / "touch.css", lines.STYLE)


def touch(desk: Desk) -> None:
    """Shows what moves a session by hand."""
    for style in STYLES:
        ui.add_css(style)
    Press(desk)
    Passing(desk)
    Personality(desk)
    Keeping(desk)
