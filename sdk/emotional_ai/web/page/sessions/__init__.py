"""The room `sessions`: every session of the service, to be found, opened, made and deleted.

What to read, in order: room, listing (which of them are shown); then sessions.js.
"""

from emotional_ai.web.page.sessions.room import ID_WORDS, sessions

__all__ = ["ID_WORDS", "sessions"]
