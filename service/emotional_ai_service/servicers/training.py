"""The Training service."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final

from emotional_ai.v1 import training_pb2 as pb
from emotional_ai.v1 import training_pb2_grpc
from emotional_ai_service.callers import Scope, caller
from emotional_ai_service.errors import InvalidRequest, Violation
from emotional_ai_service.guard import Context
from emotional_ai_service.jobs import Jobs
from emotional_ai_service.settings import JobSettings
from emotional_ai_service.wire import timestamp
from emotional_ai_training.conditioning import ADAPTERS, CURIOUS
from emotional_ai_training.jobs import JobDamaged, JobStanding, Plan, ProgressReport, Recipe, Standing, id_in

DEFAULT_PAGE: Final = 100
RECIPES: Final = {
    pb.RECIPE_CONDITIONING: Recipe.CONDITIONING,
    pb.RECIPE_STATE_ADAPTERS: Recipe.STATE_ADAPTERS,
    pb.RECIPE_CURIOSITY: Recipe.CURIOSITY,
    pb.RECIPE_ALL: Recipe.ALL,
}
_RECIPES: Final = {recipe: number for number, recipe in RECIPES.items()}
STATUSES: Final = {
    Standing.QUEUED: pb.JOB_STATUS_QUEUED,
    Standing.RUNNING: pb.JOB_STATUS_RUNNING,
    Standing.SUCCEEDED: pb.JOB_STATUS_SUCCEEDED,
    Standing.FAILED: pb.JOB_STATUS_FAILED,
    Standing.CANCELLED: pb.JOB_STATUS_CANCELLED,
    Standing.INTERRUPTED: pb.JOB_STATUS_INTERRUPTED,
}


class TrainingServicer(training_pb2_grpc.TrainingServicer):
    """Serves jobs; `settings` fill in what a request leaves open."""

    def __init__(self, jobs: Jobs, settings: JobSettings) -> None:
        self._jobs = jobs
        self._settings = settings

    async def StartJob(
        self, request: pb.StartJobRequest, context: Context[pb.StartJobRequest, pb.StartJobResponse]
    ) -> pb.StartJobResponse:
        recipe = RECIPES[request.recipe]
        if request.resume_job_id:
            if request.HasField("config"):
                raise InvalidRequest([Violation("config", "must be unset: a resumed job keeps its settings")])
            found = await self._jobs.resume(request.resume_job_id, request.request_id, recipe, request.max_cost_usd)
        else:
            found = await self._jobs.start(request.request_id, _plan(request, recipe, self._settings))
        return pb.StartJobResponse(job=_job_to(found))

    async def GetJob(
        self, request: pb.GetJobRequest, context: Context[pb.GetJobRequest, pb.GetJobResponse]
    ) -> pb.GetJobResponse:
        return pb.GetJobResponse(job=_job_to(await self._jobs.get(request.job_id)))

    async def ListJobs(
        self, request: pb.ListJobsRequest, context: Context[pb.ListJobsRequest, pb.ListJobsResponse]
    ) -> pb.ListJobsResponse:
        found, following = await self._jobs.page(request.page_token, request.page_size or DEFAULT_PAGE)
        return pb.ListJobsResponse(
            jobs=[_damaged_to(one) if isinstance(one, JobDamaged) else _job_to(one) for one in found],
            next_page_token=following,
        )

    async def CancelJob(
        self, request: pb.CancelJobRequest, context: Context[pb.CancelJobRequest, pb.CancelJobResponse]
    ) -> pb.CancelJobResponse:
        return pb.CancelJobResponse(job=_job_to(await self._jobs.cancel(request.job_id)))

    async def WatchJob(
        self, request: pb.WatchJobRequest, context: Context[pb.WatchJobRequest, pb.WatchJobResponse]
    ) -> AsyncIterator[pb.WatchJobResponse]:
        async with aclosing(self._jobs.watch(request.job_id, request.after_sequence)) as news:  # type: ignore[type-var]
            async for piece in news:
                progress = None if piece.report is None else _progress_to(piece.report)
                yield pb.WatchJobResponse(progress=progress, status=STATUSES[piece.standing])


def _plan(request: pb.StartJobRequest, recipe: Recipe, settings: JobSettings) -> Callable[[Path], Plan]:
    """The plan of a request, its defaults filled in, given a job's directory. Raises InvalidRequest naming each wrong field."""
    config, standard = request.config, Plan(recipe=recipe, checkpoints_dir=Path())
    states, wrong = _states(list(config.states), recipe)
    data_path = Path(config.data_path) if config.data_path else None
    if data_path is not None and Scope.ADMIN not in caller().scopes:
        # Whether a file is there, and what training on it tells, is for whoever runs the machine.
        wrong.append(
            Violation("config.data_path", "names a file of the service's machine: only tokens of scope admin may")
        )
    elif data_path is not None and not _is_file(data_path):
        wrong.append(Violation("config.data_path", f"there is no file {config.data_path!r} on the service's machine"))
    if wrong:
        raise InvalidRequest(wrong)

    def plan(job_dir: Path) -> Plan:
        return Plan(
            recipe=recipe,
            checkpoints_dir=job_dir.resolve() / "checkpoints",
            loras_dir=settings.loras_dir.resolve(),
            base_model=config.base_model or settings.base_model,
            lora_rank=config.lora_rank if config.HasField("lora_rank") else standard.lora_rank,
            learning_rate=config.learning_rate if config.HasField("learning_rate") else standard.learning_rate,
            epochs=config.epochs if config.HasField("epochs") else standard.epochs,
            batch_size=config.batch_size if config.HasField("batch_size") else standard.batch_size,
            seed=config.seed,
            states=states,
            data_path=data_path.resolve() if data_path else None,
            max_cost_usd=request.max_cost_usd,
        )

    return plan


def _is_file(path: Path) -> bool:
    """False, too, for what cannot be the name of a file."""
    try:
        return path.is_file()
    except OSError:
        return False


def _states(asked: list[str], recipe: Recipe) -> tuple[tuple[str, ...], list[Violation]]:
    """The states to train in the fixed order of adapters, and what is wrong with those asked for."""
    known = (CURIOUS,) if recipe is Recipe.CURIOSITY else ADAPTERS
    wrong = [
        Violation(f"config.states[{index}]", f"this recipe trains no state {name!r}, only {', '.join(known)}")
        for index, name in enumerate(asked)
        if name not in known
    ]
    return tuple(name for name in known if not asked or name in asked), wrong


def _job_to(found: JobStanding) -> pb.Job:
    record, outcome = found.record, found.outcome
    return pb.Job(
        job_id=record.job_id,
        recipe=_RECIPES[record.plan.recipe],
        config=_config_to(record.plan),
        status=STATUSES[found.standing],
        created_at=timestamp(record.created_us),
        ended_at=timestamp(outcome.ended_us) if outcome else None,
        progress=_progress_to(found.progress) if found.progress else None,
        error=outcome.error if outcome else "",
        adapters=outcome.adapters if outcome else (),
    )


def _damaged_to(error: JobDamaged) -> pb.Job:
    """A job that cannot be read still stands in the list, saying so."""
    return pb.Job(job_id=id_in(error.path.parent.name), status=pb.JOB_STATUS_FAILED, error=str(error))


def _config_to(plan: Plan) -> pb.TrainingConfig:
    return pb.TrainingConfig(
        base_model=plan.base_model,
        lora_rank=plan.lora_rank,
        learning_rate=plan.learning_rate,
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        seed=plan.seed,
        states=plan.states,
        data_path=str(plan.data_path) if plan.data_path else "",
    )


def _progress_to(report: ProgressReport) -> pb.JobProgress:
    return pb.JobProgress(
        sequence=report.sequence,
        time=timestamp(report.time_us),
        stage=report.stage,
        step=report.step,
        total_steps=report.total_steps,
        metrics=[pb.Metric(name=name, value=value) for name, value in sorted(report.metrics.items())],
        remaining_seconds=report.remaining_seconds,
    )
