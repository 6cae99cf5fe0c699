"""The room `adapters`: the language model, and what its replies can be blended of.

What to read, in order: room, cards; then adapters.js.
"""

from emotional_ai.web.page.adapters.room import adapters

__all__ = ["adapters"]
