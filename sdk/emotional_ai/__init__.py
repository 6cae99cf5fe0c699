"""Client of the Emotional AI service: agents with a living emotional state.

    from emotional_ai import Client

    with Client() as client:
        client.create_session("ada")
        client.apply("ada", praise=0.9, social_warmth=0.6)
        with client.converse("ada", "How are you?") as reply:
            for piece in reply.pieces():
                print(piece, end="")

What to read, in order: `Client` and `AsyncClient` (client, aio), what their methods ask (calls), their streams (streams,
aio_streams), the handles of training jobs (training_job, aio_training_job), errors. The messages of the contract are the types;
all are in `emotional_ai.v1`, those a caller builds also here.
"""

from emotional_ai.aio import AsyncClient
from emotional_ai.aio_streams import AsyncReply, AsyncStateStream, AsyncWatch
from emotional_ai.aio_training_job import AsyncTrainingJob
from emotional_ai.backoff import Backoff
from emotional_ai.calls import Deadlines
from emotional_ai.client import Client
from emotional_ai.connection import DEFAULT_TARGET
from emotional_ai.errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    Details,
    EmotionalAIError,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    RequestRejected,
    ResourceExhausted,
    ServiceFault,
    TryAgain,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    Unknown,
    Violation,
)
from emotional_ai.stimuli import CHEMICALS, SIGNALS
from emotional_ai.streams import Reply, StateStream, Watch
from emotional_ai.training_job import JobCancelled, JobFailed, JobInterrupted, JobUnsuccessful, TrainingJob
from emotional_ai.v1.engine_pb2 import (
    BigFive,
    ChemicalVector,
    Chemistry,
    DynamicsConfig,
    EmotionalState,
    EmotionLabel,
    ExpressionCaps,
    ExpressionConfig,
    SessionConfig,
    Signals,
    Stimulus,
    SustainedSignals,
)
from emotional_ai.v1.inference_pb2 import (
    AdapterWeight,
    BlendChange,
    ChatMessage,
    ExplicitExpression,
    KvPolicy,
    Role,
    Sampling,
)
from emotional_ai.v1.training_pb2 import Job, JobStatus, Recipe, TrainingConfig

__all__ = [
    "CHEMICALS",
    "DEFAULT_TARGET",
    "SIGNALS",
    "Aborted",
    "AdapterWeight",
    "AlreadyExists",
    "AsyncClient",
    "AsyncReply",
    "AsyncStateStream",
    "AsyncTrainingJob",
    "AsyncWatch",
    "Backoff",
    "BigFive",
    "BlendChange",
    "Cancelled",
    "ChatMessage",
    "ChemicalVector",
    "Chemistry",
    "Client",
    "DataLoss",
    "DeadlineExceeded",
    "Deadlines",
    "Details",
    "DynamicsConfig",
    "EmotionLabel",
    "EmotionalAIError",
    "EmotionalState",
    "ExplicitExpression",
    "ExpressionCaps",
    "ExpressionConfig",
    "FailedPrecondition",
    "Internal",
    "InvalidArgument",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobInterrupted",
    "JobStatus",
    "JobUnsuccessful",
    "KvPolicy",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "Recipe",
    "Reply",
    "RequestRejected",
    "ResourceExhausted",
    "Role",
    "Sampling",
    "ServiceFault",
    "SessionConfig",
    "Signals",
    "StateStream",
    "Stimulus",
    "SustainedSignals",
    "TrainingConfig",
    "TrainingJob",
    "TryAgain",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Unknown",
    "Violation",
    "Watch",
]
