"""Models run in processes of their own, supervised here, so that the emotion engine neither imports nor waits for them.

spec        what a process runs and how much of the machine it may take
handle      the parent's side: requests as async streams, cancellation, restart
child       the child's side: reads requests, works in steps
target      what runs in a child: the Protocol, and RoundRobin for one generator per request
messages    what the two say to each other
load        how much is under way in one
errors      what a worker refuses or fails with
"""

from emotional_ai_service.workers.errors import Overloaded, WorkerFault, WorkerStartFailed, WorkerUnavailable
from emotional_ai_service.workers.handle import Worker
from emotional_ai_service.workers.load import Load
from emotional_ai_service.workers.spec import WorkerSpec
from emotional_ai_service.workers.target import RoundRobin, Target

__all__ = [
    "Load",
    "Overloaded",
    "RoundRobin",
    "Target",
    "Worker",
    "WorkerFault",
    "WorkerSpec",
    "WorkerStartFailed",
    "WorkerUnavailable",
]
