"""Text to signals: what the words of a person carry, in the conversation so far.

appraiser    the appraiser, and the Appraisal it returns
cues         whom a text speaks about, and whether it asks
mapping      emotions and cues to the twelve signals; valence
novelty      distance to the conversation so far
errors       what is refused
"""

from emotional_ai_service.appraisal.appraiser import Appraisal, Appraiser, FoundEmotion, open_appraiser
from emotional_ai_service.appraisal.errors import MAX_CHARACTERS, AppraisalError, TextTooLong, UnreadableText

__all__ = [
    "MAX_CHARACTERS",
    "Appraisal",
    "AppraisalError",
    "Appraiser",
    "FoundEmotion",
    "TextTooLong",
    "UnreadableText",
    "open_appraiser",
]
