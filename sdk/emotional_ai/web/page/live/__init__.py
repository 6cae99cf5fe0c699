"""The panel `live`: how a session feels, as it moves."""

from emotional_ai.web.page.live.panel import live

__all__ = ["live"]
