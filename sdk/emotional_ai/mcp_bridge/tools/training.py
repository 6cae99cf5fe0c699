"""start_training, get_training_status, cancel_training: adapters are trained by jobs of the service."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field

from emotional_ai import names
from emotional_ai.aio import AsyncClient
from emotional_ai.calls import new_request_id
from emotional_ai.mcp_bridge.arguments import Arguments
from emotional_ai.mcp_bridge.refusals import Code, Refused
from emotional_ai.mcp_bridge.settings import Toolset
from emotional_ai.mcp_bridge.tool import Answer, Call, Hints, Rounded, Tool
from emotional_ai.v1 import training_pb2 as pb

RecipeName = Literal["conditioning", "state-adapters", "curiosity", "all"]
JobId = Annotated[str, Field(min_length=1, max_length=128, description="The job, as start_training named it.")]


class Training(Arguments):
    """What to train. Zero and empty mean the recipe's default."""

    recipe: Annotated[
        RecipeName,
        Field(
            description="conditioning, state-adapters (one per state), curiosity (of high_dopamine), or all of them."
        ),
    ] = "all"
    states: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=128)]],
        Field(default_factory=list, max_length=64, description="States to train, such as high_dopamine; all if empty."),
    ]
    base_model: Annotated[str, Field(max_length=256, description="Base model by the training server's name.")] = ""
    lora_rank: Annotated[int, Field(ge=0, le=128, description="Rank of the adapters, a power of two in 1..128.")] = 0
    learning_rate: Annotated[float, Field(ge=0, le=0.1, description="Peak learning rate, in (0, 0.1].")] = 0.0
    epochs: Annotated[int, Field(ge=0, le=100, description="Passes over the data, 1..100.")] = 0
    batch_size: Annotated[int, Field(ge=0, le=1024, description="Rows per step, 1..1024.")] = 0
    seed: Annotated[int, Field(ge=0, le=2**53 - 1, description="Seed of data, initialisation and sampling.")] = 0
    max_cost_usd: Annotated[
        float,
        Field(ge=0, le=1_000_000, description="Most a hosted run may cost, in US dollars; 0 allows local runs only."),
    ] = 0.0
    resume_job_id: Annotated[
        str, Field(max_length=128, description="Job to go on with instead, as it was set; give no other settings.")
    ] = ""

    def config(self) -> pb.TrainingConfig | None:
        """As the contract has it; None where a job goes on and nothing else is asked of it: it keeps its settings."""
        config = pb.TrainingConfig(
            base_model=self.base_model,
            lora_rank=self.lora_rank or None,
            learning_rate=self.learning_rate or None,
            epochs=self.epochs or None,
            batch_size=self.batch_size or None,
            seed=self.seed,
            states=self.states,
        )
        return None if self.resume_job_id and config == pb.TrainingConfig() else config


class Newest(Arguments):
    """Which job."""

    job_id: Annotated[str, Field(max_length=128, description="The job; left out, the newest.")] = ""


class Named(Arguments):
    """Which job, by name."""

    job_id: JobId


class Job(Answer):
    """Where a training stands."""

    job_id: Annotated[str, Field(description="The job.")]
    recipe: Annotated[str, Field(description="What it trains by.")]
    status: Annotated[str, Field(description="queued, running, succeeded, failed, cancelled or interrupted.")]
    stage: Annotated[str, Field(description="What is being trained.")]
    step: Annotated[int, Field(description="Steps done in this stage.")]
    total_steps: Annotated[int, Field(description="Steps in this stage.")]
    remaining_seconds: Annotated[Rounded, Field(description="Wall seconds to its end as expected; 0 if unknown.")]
    metrics: Annotated[dict[str, Rounded], Field(description="Latest metrics by name, such as loss.")]
    adapters: Annotated[list[str], Field(description="Adapters it published.")]
    error: Annotated[str, Field(description="Why it failed; empty otherwise.")]

    @classmethod
    def of(cls, job: pb.Job) -> Self:
        """From the contract's message."""
        report = job.progress
        return cls(
            job_id=job.job_id,
            recipe=names.recipe(job.recipe),
            status=names.status(job.status),
            stage=report.stage,
            step=report.step,
            total_steps=report.total_steps,
            remaining_seconds=report.remaining_seconds if math.isfinite(report.remaining_seconds) else 0.0,
            metrics={one.name: one.value for one in report.metrics if math.isfinite(one.value)},
            adapters=list(job.adapters),
            error=job.error,
        )

    def told(self) -> str:
        """In a sentence."""
        far = f", {self.stage} {self.step} of {self.total_steps}" if self.total_steps else ""
        left = f", about {self.remaining_seconds / 60:.0f} min left" if self.remaining_seconds else ""
        ended = f"; it published {', '.join(self.adapters)}" if self.adapters else ""
        return f"{self.job_id} ({self.recipe}) is {self.status}{far}{left}{ended}" + (
            f": {self.error}" if self.error else "."
        )


async def start_training(call: Call, training: Training) -> Job:
    """Starts a job, or has one go on."""
    request_id = new_request_id()

    async def started(client: AsyncClient) -> pb.Job:
        recipe = names.RECIPES[training.recipe]
        if training.resume_job_id and "recipe" not in training.model_fields_set:
            recipe = (await client.get_job(training.resume_job_id)).recipe
        return await client.start_job(
            recipe,
            config=training.config(),
            resume_job_id=training.resume_job_id,
            max_cost_usd=training.max_cost_usd,
            request_id=request_id,
        )

    return Job.of(await call.engine.ask(started))


async def get_training_status(call: Call, which: Newest) -> Job:
    """Where a job stands."""

    async def found(client: AsyncClient) -> pb.Job:
        if which.job_id:
            return await client.get_job(which.job_id)
        async for newest in client.list_jobs(page_size=1):
            return newest
        raise Refused(Code.NOT_FOUND, "there are no trainings yet; start_training begins one")

    return Job.of(await call.engine.ask(found))


async def cancel_training(call: Call, which: Named) -> Job:
    """Asks a job to stop at its next step."""
    return Job.of(await call.engine.ask(lambda client: client.cancel_job(which.job_id)))


START_TRAINING = Tool(
    name="start_training",
    title="Start a training",
    description=(
        "Starts a training of the emotional adapters and returns at once with its job_id; it goes on at the service for many "
        "minutes and publishes adapters at its end. Uses all processors. Ask the person before starting one, and before "
        "allowing a cost."
    ),
    toolset=Toolset.TRAINING,
    hints=Hints(open_world=True),
    takes=Training,
    gives=Job,
    run=start_training,
)
GET_TRAINING_STATUS = Tool(
    name="get_training_status",
    title="How a training goes",
    description="Says where a training stands: status, stage, steps, metrics such as the loss, time left. Changes nothing.",
    toolset=Toolset.TRAINING,
    hints=Hints(read_only=True, idempotent=True, open_world=True),
    takes=Newest,
    gives=Job,
    run=get_training_status,
)
CANCEL_TRAINING = Tool(
    name="cancel_training",
    title="Stop a training",
    description="Asks a training to stop at its next step. start_training with resume_job_id has it go on from there.",
    toolset=Toolset.TRAINING,
    hints=Hints(destructive=True, idempotent=True, open_world=True),
    takes=Named,
    gives=Job,
    run=cancel_training,
)
