"""Flags of the command line that say which language model speaks, if any; `backend` has where it decodes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from emotional_ai_service.flags.backend import BackendFlags, BackendKind, backend_of
from emotional_ai_service.places import state_dir
from emotional_ai_service.settings import LanguageSettings
from emotional_ai_training.models import cache_dir, check_model_dir, default_model_dir, encoder_dir

Model = Annotated[
    Path | None,
    typer.Option(
        "--model", envvar="EMOTIONAL_AI_MODEL", help="Llama-architecture checkpoint directory. Default: the pulled one."
    ),
]
Threads = Annotated[
    int, typer.Option(min=0, max=256, help="Threads of the language model; 0 leaves one processor to the engine.")
]
EngineOnly = Annotated[
    bool, typer.Option("--engine-only", help="Serve the emotion engine without language: no model is loaded.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageFlags:
    """What was given."""

    engine_only: bool
    model: Path | None
    threads: int
    backend: BackendKind


def language_of(flags: LanguageFlags, backend: BackendFlags, environ: Mapping[str, str]) -> LanguageSettings | None:
    """The language the flags describe; None for none.

    Raises BadParameter for a flag that has no use or lacks another, or ModelError for a model that cannot be served.
    """
    if flags.engine_only:
        if flags.backend is not BackendKind.LOCAL or backend.any_given:
            raise typer.BadParameter(
                "serves no language, so flags of a backend have no use", param_hint="--engine-only"
            )
        return None
    cache = cache_dir(environ)
    chosen = _model_dir(flags, cache, environ)
    return LanguageSettings(
        model_dir=chosen,
        encoder_dir=encoder_dir(cache),
        cache_dir=cache,
        threads=flags.threads,
        backend=backend_of(flags.backend, backend, chosen, state_dir(), environ),
    )


def _model_dir(flags: LanguageFlags, cache: Path, environ: Mapping[str, str]) -> Path:
    if flags.backend is BackendKind.TINKER:  # The weights lie on the server, here is the tokenizer alone.
        tokenizer = environ.get("MODEL_TOKENIZER")
        return flags.model or (Path(tokenizer) if tokenizer else default_model_dir(cache))
    return check_model_dir(flags.model) if flags.model else default_model_dir(cache)
