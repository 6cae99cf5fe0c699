"""The language model, behind one Protocol.

    decoder           the Protocol
    messages          requests and events
    errors            what a decoder refuses

    local             the decoder on this machine: a process of its own; model says what it loads
    loading           checkpoint, runtime and scheduler put together; warming computes the usual shapes once
    scheduler         continuous batching; sequence is one reply under way
    blocks            the key-value cache, block by block, shared by prompts that begin alike
    bank              the adapters there are; adapters reads one, stack lays several one below the other
    blends            a blend as it is computed: contents and rounded weights
    batch             what a runtime computes in one call, and the Protocol of runtimes
    openvino_runtime  on a CPU, with the graph of openvino_graph
    torch_runtime     the reference, and a GPU
    llama             the architecture: numbers, rotary frequencies, weights
    prompt            persona, state and conversation through the chat template
    sampling          from logits to a token
    ends              tokens that end a turn
    streaming         from tokens to whole characters, up to a stop string

    vllm              an existing vLLM server
    tinker            hosted sampling

Modules that import torch are imported in the worker process only.
"""

from emotional_ai_service.decoding.decoder import Decoder
from emotional_ai_service.decoding.errors import (
    AdapterRefused,
    CannotBlend,
    CannotFollow,
    DecoderUnsuited,
    DecodingError,
    PromptRefused,
    PromptTooLong,
    UnknownAdapter,
    WrongLayers,
)
from emotional_ai_service.decoding.local import LocalDecoder
from emotional_ai_service.decoding.messages import (
    DEAD_BAND,
    KV_TOLERANCE,
    AdapterVersion,
    Blend,
    BlendMode,
    BlendWeight,
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    KvPolicy,
    KvSpan,
    Message,
    ModelDescription,
    Precision,
    Role,
    Sampling,
    Started,
    Text,
    Voice,
    VoiceChange,
)
from emotional_ai_service.decoding.model import LocalModel, RuntimeKind

__all__ = [
    "DEAD_BAND",
    "KV_TOLERANCE",
    "AdapterRefused",
    "AdapterVersion",
    "Blend",
    "BlendMode",
    "BlendWeight",
    "CannotBlend",
    "CannotFollow",
    "Decoder",
    "DecoderUnsuited",
    "DecodingError",
    "FinishReason",
    "Finished",
    "GenerationEvent",
    "GenerationRequest",
    "KvPolicy",
    "KvSpan",
    "LocalDecoder",
    "LocalModel",
    "Message",
    "ModelDescription",
    "Precision",
    "PromptRefused",
    "PromptTooLong",
    "Role",
    "RuntimeKind",
    "Sampling",
    "Started",
    "Text",
    "UnknownAdapter",
    "Voice",
    "VoiceChange",
    "WrongLayers",
]
