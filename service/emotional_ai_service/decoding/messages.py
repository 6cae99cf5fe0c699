"""What goes into a decoder and what comes out of it. Plain frozen values: they cross a process boundary."""

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

DEFAULT_MAX_TOKENS: Final = 160
DEFAULT_REPETITION_PENALTY: Final = 1.1
DEFAULT_MIN_P: Final = 0.1
"""Keeps replies to the point where a state raises the temperature."""
LEAST_DIVISOR: Final = 1e-30
"""Below this temperature fp32 cannot tell tokens apart but by which is the likeliest: it is as 0."""
DEAD_BAND: Final = 0.03
"""A blend is left alone until one of its weights has moved this far, or the temperature or top_p has."""
KV_TOLERANCE: Final = 0.03
"""Difference in any weight beyond which REFRESH_AT_TURN computes cache entries anew."""


class Role(Enum):
    """Who speaks, by the name chat templates use."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class FinishReason(Enum):
    """Why a reply ended."""

    STOP = "stop"
    """The model ended its turn, or a stop string appeared."""
    LENGTH = "length"
    """max_tokens was reached."""


class Precision(Enum):
    """Number format of the computation."""

    NATIVE = "native"
    """bf16 where the processor multiplies it in hardware (avx512_bf16 or amx_bf16), else fp32."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"
    """Weights rounded to eight bits, one scale an output; what that costs in quality stands in the README."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn; see sampling.py. Raises ValueError outside the ranges."""

    temperature: float = 0.8
    """In [0, 2]; 0 is greedy."""
    top_k: int = 0
    """Keeps the k most probable tokens; 0 keeps all."""
    top_p: float = 0.92
    """Nucleus mass, in (0, 1]."""
    repetition_penalty: float = DEFAULT_REPETITION_PENALTY
    """At least 1, which is off."""
    min_p: float = DEFAULT_MIN_P
    """Fraction of the likeliest token's probability below which no token is drawn, in [0, 1); 0 is off."""

    def __post_init__(self) -> None:
        sound = _can_draw(self.temperature, self.top_p) and self.top_k >= 0
        if not (sound and 1 <= self.repetition_penalty < math.inf and 0 <= self.min_p < 1):
            raise ValueError(
                "temperature must be in [0, 2], top_k >= 0, top_p in (0, 1], repetition_penalty >= 1, min_p in [0, 1), "
                f"got {self}"
            )


class KvPolicy(Enum):
    """What happens to entries of the key-value cache when the blend moves."""

    KEEP = "keep"
    """They stay as computed, those of this session's earlier turns too."""
    REFRESH_AT_TURN = "refresh_at_turn"
    """They stay during a reply; at its start, those computed under a blend more than KV_TOLERANCE away are recomputed."""
    STRICT = "strict"
    """They are recomputed at every change."""


class BlendMode(Enum):
    """How a backend realises a blend."""

    BASE = "base"
    """No adapter was applied."""
    EXACT = "exact"
    """The exact weighted sum, token by token."""
    NEAREST = "nearest"
    """The adapter of greatest weight speaks the whole reply."""
    MIXTURE = "mixture"
    """One adapter, drawn by weight, speaks the whole reply."""
    RESCORED = "rescored"
    """Drafts of one adapter, resampled by their score under the others."""


class BlendWeight(NamedTuple):
    """Weight of one adapter."""

    adapter: str
    weight: float
    """1 applies it at its calibrated scale; negative turns it round."""
    layers: tuple[float, ...] = ()
    """Instead of one weight, one per layer of the model."""

    def at(self, layer: int) -> float:
        """The weight in a layer."""
        return self.layers[layer] if self.layers else self.weight


Blend: TypeAlias = tuple[BlendWeight, ...]


@dataclass(frozen=True, slots=True)
class Voice:
    """What moves with the state while a reply is spoken. Raises ValueError outside the ranges of Sampling."""

    blend: Blend
    temperature: float
    top_p: float

    def __post_init__(self) -> None:
        if not _can_draw(self.temperature, self.top_p):
            raise ValueError(f"temperature must be in [0, 2], top_p in (0, 1], got {self}")


@dataclass(frozen=True, slots=True)
class VoiceChange:
    """A voice from one token of the reply on."""

    token_index: int
    """First token spoken with it, from 0."""
    voice: Voice


@dataclass(frozen=True, slots=True)
class KvSpan:
    """Entries of the key-value cache computed under one blend, up to the next span."""

    position: int
    """First position, counted from the beginning of the prompt."""
    blend: Blend


@dataclass(frozen=True, slots=True)
class AdapterVersion:
    """Which content an adapter had."""

    adapter: str
    digest: str
    """SHA-256 in hex."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One reply to be decoded. Raises ValueError outside the ranges, and for weights that are not finite."""

    messages: tuple[Message, ...]
    """The conversation, at least one message; a leading system message is the agent's persona."""
    seed: int
    """In [0, 2^64); the same request with the same seed gives the same reply on one machine."""
    conditioning: str = ""
    """Conditioning tokens and gloss for the system message; empty leaves them out."""
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int = DEFAULT_MAX_TOKENS
    """Most tokens to generate, at least 1."""
    stop: tuple[str, ...] = ()
    """Non-empty strings that end the reply and are not part of it."""
    logprobs: bool = False
    """Report the log-probability of each token."""
    blend: Blend = ()
    """Adapters to speak with, each at most once."""
    schedule: tuple[VoiceChange, ...] = ()
    """Changes known beforehand, by rising token_index; one at token 0 replaces `blend` and the sampling's numbers."""
    kv_policy: KvPolicy = KvPolicy.REFRESH_AT_TURN
    rehearsal: bool = False
    """Accept or refuse the request, as Started says, and decode nothing."""
    session: str = ""
    """Whose earlier turns the key-value cache may be taken from under another blend; empty for nobody's."""
    tenant: str = ""
    """Whose prompts the cache may be taken from at all: how fast a reply comes tells nobody what others asked."""

    @property
    def owner(self) -> str:
        """The session among those of all tenants; empty for nobody's."""
        return f"{self.tenant}/{self.session}" if self.session else ""

    @property
    def voice(self) -> Voice:
        """The voice at the first token."""
        if self.schedule and self.schedule[0].token_index == 0:
            return self.schedule[0].voice
        return Voice(self.blend, self.sampling.temperature, self.sampling.top_p)

    def __post_init__(self) -> None:
        if len({one.adapter for one in self.blend}) < len(self.blend):
            raise ValueError(f"a blend names each adapter once, got {[one.adapter for one in self.blend]}")
        for blend in (self.blend, *(change.voice.blend for change in self.schedule)):
            _check_finite(blend)
        if not self.messages or self.max_tokens < 1 or not 0 <= self.seed < 1 << 64 or "" in self.stop:
            raise ValueError(
                "a request needs a message, max_tokens >= 1, a seed in [0, 2^64) and no empty stop string, "
                f"got {len(self.messages)} messages, max_tokens {self.max_tokens}, seed {self.seed}, stop {self.stop}"
            )


@dataclass(frozen=True, slots=True)
class Started:
    """The prompt was accepted; tokens follow."""

    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the reply, whole characters only."""

    text: str
    token_index: int
    """Index of the first token of this piece in the reply."""
    token_count: int
    """Tokens of this piece; 0 when it only releases text held back for a stop string."""
    logprobs: tuple[float, ...] = ()
    """Natural logarithm of each token's probability under the model itself, before any sampling rule; if asked for."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The reply is complete."""

    reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    """Tokens generated, the token that ended the turn included."""
    first_token_seconds: float
    """Wall seconds from the decoder taking the request on to its first token."""
    total_seconds: float
    """Wall seconds from the decoder taking the request on to the end."""
    mode: BlendMode = BlendMode.BASE
    """How the blend was realised."""
    changes: tuple[VoiceChange, ...] = ()
    """The voice at every token: by rising token_index, the first at 0."""
    kv: tuple[KvSpan, ...] = ()
    """What the key-value cache held at the end; empty where the backend does not say."""
    adapters: tuple[AdapterVersion, ...] = ()
    """Content of every adapter that took part."""
    reused_tokens: int = 0
    """Prompt tokens whose cache entries came from an earlier reply."""
    repetition_penalty: float | None = None
    """The penalty applied, where the backend could not apply the one asked for."""
    min_p: float | None = None
    """The min_p applied, where the backend could not apply the one asked for."""
    queue_seconds: float | None = None
    """Wall seconds of `first_token_seconds` that it waited for a place; None where the backend does not say."""


GenerationEvent: TypeAlias = Started | Text | VoiceChange | Finished


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """Which model speaks."""

    name: str
    digest: str
    """SHA-256 over its weights, in hex."""
    context_length: int
    """Tokens of prompt and reply together, at most."""
    backend: str
    dtype: str
    """Number format it computes in, such as "float32"; empty where the backend does not say."""
    modes: tuple[BlendMode, ...] = (BlendMode.BASE,)
    """How it realises blends."""
    follows: bool = False
    """Whether the voice can change while a reply is spoken."""
    layers: int = 0
    """Number of layers, for weights per layer; 0 where the backend does not say."""


def _check_finite(blend: Blend) -> None:
    for one in blend:
        if not (math.isfinite(one.weight) and all(map(math.isfinite, one.layers))):
            raise ValueError(f"weights must be finite, got {one}")


def _can_draw(temperature: float, top_p: float) -> bool:
    """Whether these are in the ranges of a voice and of sampling."""
    return 0 <= temperature <= 2 and 0 < top_p <= 1
