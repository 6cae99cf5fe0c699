"""Settings of a whole service with a tiny model, to be observed."""

from pathlib import Path

from loopback import in_file
from tiny_training import roomy_model

from emotional_ai_service.decoding import Precision, RuntimeKind
from emotional_ai_service.observing import MetricsAddress, ObservingSettings
from emotional_ai_service.settings import JobSettings, LanguageSettings, LocalBackend, Settings
from emotional_ai_training.models import cache_dir, encoder_dir

ANY_PORT = ObservingSettings(metrics=MetricsAddress(port=0))


def speaking_settings(place: Path, observing: ObservingSettings) -> Settings:
    """A service on a file, with a tiny model."""
    cache = cache_dir({})
    language = LanguageSettings(
        model_dir=roomy_model(place / "tiny"),
        encoder_dir=encoder_dir(cache),
        cache_dir=place / "cache",
        threads=1,
        backend=LocalBackend(runtime=RuntimeKind.TORCH, precision=Precision.FLOAT32, replies=3, kv_megabytes=4),
    )
    jobs = JobSettings(place / "jobs", place / "loras")
    return Settings(port=0, store=in_file(place / "s.db").store, language=language, jobs=jobs, observing=observing)
