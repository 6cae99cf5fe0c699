"""What is looked at, as flags and environment name it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from emotional_ai_service.places import jobs_dir, sessions_file


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorSettings:
    """What is looked at."""

    model: Path | None = None
    """A model in place of the pulled one."""
    loras: Path = Path("loras")
    jobs: Path = field(default_factory=lambda: jobs_dir(None))
    db: Path | None = field(default_factory=sessions_file)
    """None where sessions are not kept in a file."""
    redis_url: str = field(default="", repr=False)
    redis_volatile: bool = False
    host: str = "127.0.0.1"
    port: int = 50051
    web_port: int = 8080
    """Of the page."""
    engine_only: bool = False
    """Whether the service is to speak."""
    tokens: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of the settings of training, and where pulled models are; values that are secret are never told."""
