"""What the rooms have in common: elements kept up to date while somebody looks, and the browser's half of that.

    browser --looking, away--> Kept --refresh, now and then--> service
    browser <--a method call, if something is otherwise than before

A room declares its component as ever, imports from "emotional-ai-kept" (`Looked`, `Waiting`, `Ask`, `Digest`, times in words),
and its page has STYLE.
"""

from emotional_ai.web.page.kept.kept import STYLE, Kept, in_words

__all__ = ["STYLE", "Kept", "in_words"]
