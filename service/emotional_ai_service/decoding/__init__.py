"""The language model, behind one Protocol.

    decoder      the Protocol
    local        a checkpoint directory in a worker process on this machine
    messages     requests and events
    prompt       persona, state and conversation through the chat template
    engine       the decode loop; loading puts a model into it
    sampling     from logits to a token
    streaming    from tokens to whole characters, up to a stop string
    errors       what a decoder refuses

The modules that import torch (prompt, engine, loading, sampling) are imported in the worker process only.
"""

from emotional_ai_service.decoding.decoder import Decoder
from emotional_ai_service.decoding.errors import DecodingError, PromptRefused, PromptTooLong, UnknownAdapter
from emotional_ai_service.decoding.local import LocalDecoder, LocalModel
from emotional_ai_service.decoding.messages import (
    BlendWeight,
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    Message,
    ModelDescription,
    Precision,
    Role,
    Sampling,
    Started,
    Text,
)

__all__ = [
    "BlendWeight",
    "Decoder",
    "DecodingError",
    "FinishReason",
    "Finished",
    "GenerationEvent",
    "GenerationRequest",
    "LocalDecoder",
    "LocalModel",
    "Message",
    "ModelDescription",
    "Precision",
    "PromptRefused",
    "PromptTooLong",
    "Role",
    "Sampling",
    "Started",
    "Text",
    "UnknownAdapter",
]
