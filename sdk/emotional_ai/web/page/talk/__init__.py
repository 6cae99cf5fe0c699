"""The panel `talk`."""

from emotional_ai.web.page.talk.panel import talk

__all__ = ["talk"]
