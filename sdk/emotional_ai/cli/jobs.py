"""jobs start, list, show, watch, cancel, resume: trainings that run at the service."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Final

import typer

from emotional_ai import names
from emotional_ai.cli import reports
from emotional_ai.cli.output import CommandFailed, emit, note, say
from emotional_ai.cli.progress import follow
from emotional_ai.cli.reach import AsJson, Target, ToldBackoff, connected
from emotional_ai.client import Client
from emotional_ai.limits import GREATEST_SEED
from emotional_ai.training_job import JobUnsuccessful, TrainingJob, succeeded
from emotional_ai.v1 import training_pb2 as pb

LONGEST_ID: Final = 128
"""Characters the contract lets a job id have."""

jobs = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Trainings that run at the service: start, watch, stop, resume."
)


class RecipeName(Enum):
    """What is trained."""

    CONDITIONING = "conditioning"
    STATE_ADAPTERS = "state-adapters"
    CURIOSITY = "curiosity"
    ALL = "all"


def _job_id(given: str) -> str:
    if not 1 <= len(given) <= LONGEST_ID:
        raise typer.BadParameter(f"a job id has 1 to {LONGEST_ID} characters, got {len(given)}")
    return given


Id = Annotated[str, typer.Argument(metavar="ID", help="Job.", callback=_job_id)]
Watching = Annotated[bool, typer.Option("--watch", help="Follow the job to its end.")]
Cost = Annotated[
    float,
    typer.Option("--max-cost", metavar="USD", min=0, help="Most a hosted run may cost; 0 allows local runs only."),
]


def register(app: typer.Typer) -> None:
    """Adds the group."""
    app.add_typer(jobs, name="jobs")


@jobs.command("start")
def start(
    ctx: typer.Context,
    recipe: Annotated[RecipeName, typer.Argument(help="What to train.")] = RecipeName.ALL,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="NAME", help="State to train; all if left out. May be repeated."),
    ] = None,
    base_model: Annotated[
        str, typer.Option(metavar="NAME", help="Base model by the name the training server knows.", show_default=False)
    ] = "",
    rank: Annotated[int | None, typer.Option(min=1, max=128, help="Rank of the adapters, a power of two.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate, in (0, 0.1].")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, max=100, help="Passes over the data.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, max=1024, help="Rows per step.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=GREATEST_SEED, help="Seed of data, initialisation and sampling.")] = 0,
    data: Annotated[
        str, typer.Option(metavar="FILE", help="Prepared data on the service's machine; prepared anew if left out.")
    ] = "",
    max_cost: Cost = 0.0,
    request_id: Annotated[str, typer.Option(metavar="ID", help="Starts once, however often it is sent.")] = "",
    watch: Watching = False,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Start a training. It goes on at the service whatever becomes of this command."""
    config = pb.TrainingConfig(
        base_model=base_model,
        lora_rank=rank,
        learning_rate=learning_rate,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        states=state or (),
        data_path=str(Path(data).absolute()) if data else "",
    )
    with connected(ctx, target, ToldBackoff()) as client:
        job = client.start_job(names.RECIPES[recipe.value], config=config, max_cost_usd=max_cost, request_id=request_id)
        _begun(client, job, watch=watch, json=json)


@jobs.command("list")
def list_all(ctx: typer.Context, json: AsJson = False, target: Target = None) -> None:
    """List every job, newest first."""
    with connected(ctx, target) as client:
        every = list(client.list_jobs())
    if json:
        for one in every:
            emit(reports.job(one))
    elif every:
        say(reports.table(every))
    else:
        note("there are no jobs; `emotional-ai jobs start` begins one")


@jobs.command("show")
def show(ctx: typer.Context, job_id: Id, json: AsJson = False, target: Target = None) -> None:
    """Show where a job stands, and its settings."""
    with connected(ctx, target) as client:
        job = client.get_job(job_id)
    if json:
        emit(reports.job(job))
    else:
        say(reports.details(job))


@jobs.command("watch")
def watch(
    ctx: typer.Context,
    job_id: Id,
    after: Annotated[int, typer.Option(metavar="N", min=0, help="Leave out the first N reports.")] = 0,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Follow a job to its end. Ctrl-C stops watching; the job goes on. Status 1 unless it succeeded."""
    with connected(ctx, target, ToldBackoff()) as client:
        _follow(client.training_job(job_id), after=after, json=json)


@jobs.command("cancel")
def cancel(ctx: typer.Context, job_id: Id, json: AsJson = False, target: Target = None) -> None:
    """Ask a job to stop at its next step; it can be resumed."""
    with connected(ctx, target) as client:
        job = client.cancel_job(job_id)
    if json:
        emit(reports.job(job))
    elif job.status == pb.JOB_STATUS_CANCELLED:
        say(f"cancelled {job.job_id}")
    else:
        say(f"{job.job_id} stops at its next step")


@jobs.command("resume")
def resume(
    ctx: typer.Context,
    job_id: Id,
    max_cost: Cost = 0.0,
    watch: Watching = False,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Have a job that failed, was cancelled or interrupted go on from its last state."""
    with connected(ctx, target, ToldBackoff()) as client:
        job = client.training_job(job_id).resume(max_cost_usd=max_cost)
        _begun(client, job, watch=watch, json=json)


def _begun(client: Client, job: pb.Job, *, watch: bool, json: bool) -> None:
    if json:
        emit(reports.job(job))
    else:
        say(f"{job.job_id} is {names.status(job.status)}")
    if watch:
        _follow(client.training_job(job.job_id), after=job.progress.sequence, json=json)
    else:
        note(f"follow it with: emotional-ai jobs watch {job.job_id}")


def _follow(job: TrainingJob, *, after: int, json: bool) -> None:
    """Shows a job to its end. Raises CommandFailed unless it succeeded."""
    try:
        with job.watch(after_sequence=after) as news:
            follow(news, json=json)
        done = succeeded(job.refresh())
    except KeyboardInterrupt:
        note(f"the job goes on; follow it with: emotional-ai jobs watch {job.job_id}")
        raise
    except JobUnsuccessful as error:
        how = names.status(error.job.status)
        raise CommandFailed(
            f"{job.job_id} {how}{f': {error.job.error}' if error.job.error else ''}; have it go on with: "
            f"emotional-ai jobs resume {job.job_id}"
        ) from error
    if not json:
        say(f"{job.job_id} succeeded; it published {', '.join(done.adapters) or 'no adapters'}")
