"""Settings of the service: frozen, filled in by the command line, which checks their ranges."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from emotional_ai_service.access import AccessSettings
from emotional_ai_service.decoding import BlendMode, Precision, RuntimeKind
from emotional_ai_service.observing.settings import ObservingSettings
from emotional_ai_service.room import LIVE_SESSIONS
from emotional_ai_service.safeguard import Notice, Rule, built_in
from emotional_ai_service.stores import TRANSIENT_SESSIONS, Durability, RedisAddress
from emotional_ai_training.jobs import DEFAULT_TARGET


class StoreKind(Enum):
    """Where the logs of sessions are kept."""

    MEMORY = "memory"
    SQLITE = "sqlite"
    REDIS = "redis"
    """In a server that several replicas of the service share."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Which store, and where."""

    kind: StoreKind = StoreKind.SQLITE
    path: Path = Path("emotional-ai.db")
    durability: Durability = Durability.PROCESS
    redis: RedisAddress = field(default_factory=lambda: RedisAddress("127.0.0.1"))
    redis_volatile: bool = False
    """Whether the Redis server may be one that keeps nothing when it ends."""


@dataclass(frozen=True, slots=True)
class LocalBackend:
    """Decoding on this machine, in a process of its own."""

    runtime: RuntimeKind = RuntimeKind.OPENVINO
    precision: Precision = Precision.NATIVE
    replies: int = 16
    """Replies decoded together, at least 1; others wait."""
    kv_megabytes: int = 1024
    """Memory for the key-value cache, in MiB, at least 1."""


@dataclass(frozen=True, slots=True)
class VllmBackend:
    """Decoding on a vLLM server that serves the checkpoint of `LanguageSettings.model_dir`."""

    url: str
    """Such as "http://127.0.0.1:8000"."""
    model: str
    """The name under which it serves the checkpoint."""
    blends_dir: Path
    """A directory of this service's own, which the server reads under the same path; emptied at the start."""
    max_rank: int = 64
    """The server's --max-lora-rank."""
    api_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TinkerBackend:
    """Sampling on a Tinker server; `LanguageSettings.model_dir` need hold no more than the base model's tokenizer."""

    url: str
    """Hosted Tinker if empty."""
    base_model: str
    """As the server names it."""
    api_key: str = field(repr=False)
    adapters_file: Path | None = None
    """JSON that names the adapters on the server; the base model speaks alone without one."""
    mode: BlendMode = BlendMode.NEAREST
    """NEAREST, MIXTURE or RESCORED."""


Backend: TypeAlias = LocalBackend | VllmBackend | TinkerBackend


@dataclass(frozen=True, slots=True)
class LanguageSettings:
    """The language model and the appraiser."""

    model_dir: Path
    """A Llama-architecture checkpoint directory."""
    encoder_dir: Path
    """The sentence encoder of the appraiser."""
    cache_dir: Path
    """Where digests of models are remembered."""
    threads: int = 0
    """Threads of the decoder process; 0 leaves one processor to the engine."""
    backend: Backend = field(default_factory=LocalBackend)
    """Where it decodes."""


@dataclass(frozen=True, slots=True)
class JobSettings:
    """Training jobs, and the adapters they publish. Directories are made when the first job is."""

    jobs_dir: Path = Path("jobs")
    """Where jobs are kept."""
    loras_dir: Path = Path("loras")
    """Where adapters are published, and listed from."""
    base_model: str = ""
    """Base model of jobs that name none; the training server's only model if empty."""
    target: str = DEFAULT_TARGET
    """What runs a job in its process, as module:function."""


@dataclass(frozen=True, slots=True)
class SafetySettings:
    """What replies must keep to, whatever is felt."""

    rules: tuple[Rule, ...] = field(default_factory=built_in)
    """Of the guard over what is said; it is off if there are none."""
    notice: Notice = field(default_factory=Notice)
    """What clients are to disclose now and then."""


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """How long the past is kept, and how much is kept in memory only."""

    keep_us: int | None = None
    """Log entries older than so many microseconds are let go; None keeps all."""
    transient_sessions: int = TRANSIENT_SESSIONS
    """Sessions that may be kept in memory only at a time; 0 allows none."""


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """What tenants may use."""

    path: Path
    """The file that says so; read again when it changes."""
    usage: Path
    """Where what was used today is kept, for the next start. One service's own."""
    reread_seconds: float = 1.0
    """Between looks at whether the file of limits changed, and between writes of what was used; more than 0."""


class AuditWhenFull(Enum):
    """What happens to calls that change something while the audit log cannot be written."""

    REFUSE = "refuse"
    """They are refused with UNAVAILABLE; nothing is changed unseen."""
    SERVE = "serve"
    """They are served; lines that find no room are lost, which the log says loudly and the next line counts."""


class AuditSync(Enum):
    """When a line of the audit log is on the disk."""

    SECOND = "second"
    """Written within about 10 ms and forced to the disk within about a second; the answer does not wait."""
    EACH = "each"
    """Forced to the disk before the answer is sent."""


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Where it is written who changed what."""

    path: Path
    when_full: AuditWhenFull = AuditWhenFull.REFUSE
    sync: AuditSync = AuditSync.SECOND


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the server is built from."""

    host: str = "127.0.0.1"
    port: int = 50051
    """0 takes a free one."""
    store: StoreSettings = field(default_factory=StoreSettings)
    language: LanguageSettings | None = None
    """None serves the emotion engine alone; Converse, Generate and Appraise then answer FAILED_PRECONDITION."""
    jobs: JobSettings = field(default_factory=JobSettings)
    safety: SafetySettings = field(default_factory=SafetySettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    observing: ObservingSettings = field(default_factory=ObservingSettings)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    limits: LimitSettings | None = None
    """None limits nobody."""
    audit: AuditSettings | None = None
    """None keeps no audit log."""
    live_sessions: int = LIVE_SESSIONS
    """Sessions kept in memory."""
    drain_seconds: float = 5.0
    """How long running calls may take to end at shutdown."""
    max_request_bytes: int = 4 * 1024 * 1024
    """Largest request."""
    max_response_bytes: int = 64 * 1024 * 1024
    """Largest response: the export of a long log is one."""
