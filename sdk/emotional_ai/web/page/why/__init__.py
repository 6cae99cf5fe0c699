"""The panel `why`."""

from emotional_ai.web.page.why.panel import why

__all__ = ["why"]
