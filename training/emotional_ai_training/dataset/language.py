"""Which texts of others an agent may say: of a reply's length, without profanity and without masked names."""

import re
from typing import Final

FEWEST_WORDS: Final = 6
MOST_WORDS: Final = 36

_PROFANITY: Final = re.compile(
    r"\b(?:\w*fuck\w*|\w*shit\w*|\w*bitch\w*|ass|asses|\w*asshole\w*|damn\w*|god ?damn\w*|hell|crap\w*|bastard\w*|"
    r"dick\w*|cock|cocks|cunt\w*|piss\w*|slut\w*|whore\w*|porn\w*|sex\w*|rape\w*|nigg\w*|fag\w*|retard\w*|jerk\w*|"
    r"cum|boob\w*|tits?|penis|vagina|nude\w*|naked|horny|kill\w*|suicid\w*|murder\w*|wtf|stfu|lmfao|lmao|af|omfg|"
    r"idiot\w*|moron\w*|stupid\w*|drug\w*|drunk|racis\w*|nazi\w*|trump|sub|subreddit|reddit\w*|upvot\w*|downvot\w*|op)\b",
    re.IGNORECASE,
)
"""Profanity, violence, and words that only make sense where the comments were posted."""
_MASKS: Final = re.compile(r"\b(?:someone|religion)\b|\[\w+\]|<\w+>|https?:|/?\b[ru]/", re.IGNORECASE)
"""Masked names, also as ordinary words stand for them, addresses and names of forums."""
_READABLE: Final = re.compile(r"[A-Za-z0-9 .,;:!?'\"()-]+")


def is_speakable(text: str) -> bool:
    """Whether an agent may say a clean `text` as it stands."""
    words = len(text.split())
    if not FEWEST_WORDS <= words <= MOST_WORDS or not _READABLE.fullmatch(text):
        return False
    return not (_PROFANITY.search(text) or _MASKS.search(text) or text.isupper())
