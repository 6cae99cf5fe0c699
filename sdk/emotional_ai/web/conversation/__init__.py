"""What is said in the sessions, kept for every page that shows one: the service keeps no text.

    page --say, again, stop--> Conversation, one a session --Converse, Generate--> service
    page <------listener------ Conversation <--------------pieces, voices--------- service

What to read, in order: tinted (which voice said which part), reply, turn, throttle, audience, conversation,
conversations.
"""

from emotional_ai.web.conversation.audience import Bounds, Grown, Told
from emotional_ai.web.conversation.conversation import Busy, Conversation
from emotional_ai.web.conversation.conversations import Conversations
from emotional_ai.web.conversation.reply import Outcome, Reply, Supposed
from emotional_ai.web.conversation.tinted import Part, Tinted, Voice
from emotional_ai.web.conversation.turn import Turn

__all__ = [
    "Bounds",
    "Busy",
    "Conversation",
    "Conversations",
    "Grown",
    "Outcome",
    "Part",
    "Reply",
    "Supposed",
    "Tinted",
    "Told",
    "Turn",
    "Voice",
]
