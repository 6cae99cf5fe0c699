"""What the open pages know of the service: one stream a session, shared by every page that shows it.

    page --following--> Hub --> Followed, one a session --> bidirectional stream, log, PreviewExpression, Explain
                         +----> Reach, which notices that the service is away, and that it is back

What to read, in order: moment, explaining, followed, reach, hub.
"""

from emotional_ai.web.hub.followed import RATE, Followed, Follower
from emotional_ai.web.hub.hub import Hub
from emotional_ai.web.hub.moment import Moment
from emotional_ai.web.hub.reach import Reach

__all__ = ["RATE", "Followed", "Follower", "Hub", "Moment", "Reach"]
