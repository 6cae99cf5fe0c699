"""Light or dark: as the system has it, or as the visitor chose."""

from nicegui.element import Element


class Theme(Element, component="theme.js"):
    """A button that goes from the system's choice to light, to dark, and back; kept in the browser."""
