"""The panel `touch`."""

from emotional_ai.web.page.touch.panel import touch

__all__ = ["touch"]
