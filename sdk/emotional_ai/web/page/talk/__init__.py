"""The panel `talk`: a conversation with a session, its replies tinted by who said what.

    talk.js in the browser --say, again, stop--> panel --> conversation (shared by every page of the session)
    talk.js <--turns whole, replies bit by bit-- told <--- conversation

What to read, in order: panel, asked, told; then talk.js and what it is made of (browser).
"""

from emotional_ai.web.page.talk.panel import talk

__all__ = ["talk"]
