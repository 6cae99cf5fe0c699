"""The panel `touch`: what moves a session by hand.

    press          signals as they are pressed, several at once, or held             press.js
    passing        how fast time passes: freeze, go on, let minutes pass, reset      passing.js
    personality    the editor of a configuration                                     personality.js, browser
      form           a configuration as the editor has it
      checking       what the service says to it, and how it would feel
      replacing      written without losing what somebody else wrote
    keeping        a whole session to a file, and from one                           keeping.js

What to read, in order: panel, then each of these.
"""

from emotional_ai.web.page.touch.panel import touch

__all__ = ["touch"]
