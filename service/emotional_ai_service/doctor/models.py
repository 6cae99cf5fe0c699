"""Models in the cache, and adapters that fit the one that speaks."""

from collections.abc import Iterator

from emotional_ai_service.doctor.finding import Finding, ok, warn, wrong
from emotional_ai_service.doctor.settings import DoctorSettings

PULL = "emotional-ai models pull"


def models(settings: DoctorSettings) -> Iterator[Finding]:
    """Whether the models are there, whole to the last byte."""
    from emotional_ai_training.models import DEFAULT_MODEL, ENCODER, NotAModel, cache_dir, check_model_dir
    from emotional_ai_training.models.catalog import model_dir
    from emotional_ai_training.models.manifest import problem_with

    if settings.model is not None:
        try:
            yield ok("model", f"{check_model_dir(settings.model)} is a model")
        except NotAModel as error:
            yield wrong(
                "model", str(error), "name a Llama-architecture checkpoint directory with --model, or leave it out"
            )
    for source in (ENCODER,) if settings.model is not None else (DEFAULT_MODEL, ENCODER):
        subject, directory = f"model {source.name}", model_dir(cache_dir(settings.environ), source)
        problem = problem_with(directory, source, contents=True)
        if problem is None:
            yield ok(subject, f"whole, in {directory}")
        else:
            yield wrong(subject, f"{directory}: {problem}", PULL)


def adapters(settings: DoctorSettings) -> Iterator[Finding]:
    """Whether the adapters are whole, and were made for the model that speaks."""
    from emotional_ai_training.adapters import AdapterError, Registry

    subject = "adapters"
    try:
        listing = Registry(settings.loras).list()
    except AdapterError as error:
        yield wrong(subject, str(error), f"chmod u+rx {settings.loras}")
        return
    for damaged in listing.damaged:
        yield wrong(subject, str(damaged), "train it anew: emotional-ai train adapters; or remove its directory")
    if not listing.adapters:
        if not listing.damaged:
            yield warn(subject, f"none in {settings.loras}: the base model speaks alone", "make train")
        return
    digest = _speaks(settings)
    for adapter in listing.adapters:
        subject = f"adapter {adapter.name}"
        if digest and adapter.base_model_digest != digest:
            yield wrong(
                subject,
                f"was trained on {adapter.base_model} ({adapter.base_model_digest[:12]}), and not on the model that speaks "
                f"({digest[:12]}): blends leave it out",
                f"emotional-ai train adapters; or serve --model with the directory of {adapter.base_model}",
            )
        else:
            yield ok(subject, f"whole, rank {adapter.rank}" + ("" if digest else "; its model is not there to compare"))


def _speaks(settings: DoctorSettings) -> str:
    """Digest of the model that speaks; empty where there is none."""
    from emotional_ai_training.models import ModelError, cache_dir, check_model_dir, default_model_dir, model_digest

    cache = cache_dir(settings.environ)
    try:
        directory = check_model_dir(settings.model) if settings.model else default_model_dir(cache)
        return model_digest(directory, cache)
    except (ModelError, OSError):
        return ""
