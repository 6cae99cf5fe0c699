"""The room `health`: what answers, how fast, and what waits.

What to read, in order: room, pulse (calls and the time they took), part (what is told); then health.js.
"""

from emotional_ai.web.page.health.room import health

__all__ = ["health"]
