"""The panel `why`: why a session feels as it does, and how it would feel had something not happened.

    spans        which span is asked about
    explained    what moved which chemical by how much in it; the parts add up      browser/explained.js
    happened     the events of the log, each with what it did at its moment         browser/happened.js
    otherwise    the life without some of them, beside the one that was             browser/otherwise.js

What to read, in order: panel, then each of these; why.js puts the three together in the browser.
"""

from emotional_ai.web.page.why.panel import why

__all__ = ["why"]
