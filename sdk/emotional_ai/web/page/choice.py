"""Which of several panels is shown: tabs that work in the browser alone."""

from collections.abc import Sequence

from nicegui.element import Element


class Choice(Element, component="choice.js"):
    """Tabs over the panels `panel-NAME` inside the element `desk`; the first panel is a tab on narrow screens only."""

    def __init__(self, names: Sequence[str], desk: str) -> None:
        super().__init__()
        self._props["names"] = list(names)
        self._props["desk"] = desk
