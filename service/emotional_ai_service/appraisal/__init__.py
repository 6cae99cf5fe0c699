"""Text to signals: what the words of a person carry, in the conversation so far.

appraiser    the appraiser; it imports torch, so only the worker process and measurements import it
result       what it says
worker       the appraiser as the target of a worker process
cues         whom a text speaks about, and whether it asks
mapping      emotions and cues to the twelve signals; valence
novelty      distance to the conversation so far
errors       what is refused
"""

from emotional_ai_service.appraisal.errors import MAX_CHARACTERS, AppraisalError, TextTooLong, UnreadableText
from emotional_ai_service.appraisal.result import Appraisal, FoundEmotion
from emotional_ai_service.appraisal.worker import AppraisalJob

__all__ = [
    "MAX_CHARACTERS",
    "Appraisal",
    "AppraisalError",
    "AppraisalJob",
    "FoundEmotion",
    "TextTooLong",
    "UnreadableText",
]
