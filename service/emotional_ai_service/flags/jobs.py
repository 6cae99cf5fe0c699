"""Flags of the command line that say where training jobs and the adapters they publish are kept, and what they train."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from emotional_ai_service.places import jobs_dir
from emotional_ai_service.settings import JobSettings
from emotional_ai_training.models import DEFAULT_MODEL

JobsDir = Annotated[
    Path | None,
    typer.Option(
        "--jobs",
        metavar="DIR",
        help="Where training jobs are kept. Default: FILE.jobs with --db FILE, else ~/.local/state/emotional-ai/jobs",
    ),
]
LorasDir = Annotated[Path, typer.Option("--loras", metavar="DIR", help="Trained adapters, published and listed.")]
BaseModel = Annotated[
    str,
    typer.Option(
        "--base-model",
        envvar="MODEL_NAME",
        help="Base model of training jobs that name none. Default: the model at hand, or the only one TINKER_API_KEY opens.",
    ),
]
JobTarget = Annotated[str, typer.Option("--job-target", hidden=True, help="What runs a training job: module:function.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFlags:
    """What was given."""

    jobs: Path | None
    loras: Path
    base_model: str
    job_target: str


def jobs_of(flags: JobFlags, database: Path | None, model: Path | None, environ: Mapping[str, str]) -> JobSettings:
    """The settings the flags describe, beside a `database` and for a `model` as far as they were given.

    Raises BadParameter for a place of adapters that is no directory.
    """
    if flags.loras.exists() and not flags.loras.is_dir():
        raise typer.BadParameter(f"{flags.loras} is not a directory", param_hint="--loras")
    return JobSettings(
        (flags.jobs or jobs_dir(database)).resolve(),
        flags.loras.resolve(),
        flags.base_model or _base_model(model, environ),
        flags.job_target,
    )


def _base_model(model: Path | None, environ: Mapping[str, str]) -> str:
    # The embedded server names a model by its directory; another server's line-up is not known here.
    if environ.get("TINKER_API_KEY"):
        return ""
    return model.resolve().name if model else DEFAULT_MODEL.name
