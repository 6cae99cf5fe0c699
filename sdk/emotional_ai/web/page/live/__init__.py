"""The panel `live`: how a session feels, as it moves.

    service --> past (a span, from the log) --+--> panel --> live.js in the browser, which keeps the arrays and draws them
                moments (one at a time)    ---+

What to read, in order: panel, points, past; then live.js and the pictures it draws (browser).
"""

from emotional_ai.web.page.live.panel import live

__all__ = ["live"]
