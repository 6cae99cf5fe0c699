"""Supervised fine-tuning: cross-entropy on the agent's replies, exactly resumable.

    submit step N   forward_backward, optim_step, and save_state where one is due, together
    wait for N-1    while the server computes N
    a failure       drops the client; the next attempt begins at the last state the server has saved

The save is queued directly behind the step it follows, so a run that goes on makes the same steps as one that never
stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import tinker
from tinker.types import SaveWeightsResponse

from emotional_ai_training.jobs import JobCancelled
from emotional_ai_training.recipes.course import Course, adam
from emotional_ai_training.recipes.examples import Example
from emotional_ai_training.recipes.run_directory import Finished, RunDirectory
from emotional_ai_training.recipes.schedule import batches, learning_rate
from emotional_ai_training.tinker_api import Future, session


@dataclass(frozen=True, slots=True)
class FineTuning:
    """Settings of one run."""

    learning_rate: float = 1e-3
    """Peak; see `schedule`."""
    batch_size: int = 8
    epochs: int = 1
    rows_each: int = 1000
    """Most rows of one state."""
    save_every: int = 10
    """Steps between checkpoints."""
    seed: int = 0
    """Of the order of examples."""


@dataclass(frozen=True, slots=True)
class _Submitted:
    """One step under way."""

    step: int
    rate: float
    tokens: int
    gradient: Future[tinker.ForwardBackwardOutput]
    optimizer: Future[tinker.OptimStepResponse]
    save: Future[SaveWeightsResponse] | None
    held_out: Future[tinker.ForwardBackwardOutput] | None


def fine_tune(
    stage: str,
    config: FineTuning,
    examples: Sequence[Example],
    held_out: Sequence[Example],
    start: str | None,
    run: RunDirectory,
    course: Course,
) -> Finished:
    """Trains `examples` from the state `start` (None: fresh adapters) and returns where the result lies.

    Metrics a step: loss and, at checkpoints, held_out_loss, both in nats per learned token. Raises JobCancelled at a
    resumable state when the training is cancelled, TinkerFailure or an error of the API when no attempt can mend it.
    """
    if (done := run.finished()) is not None:
        course.progress.finished(stage)
        return done
    plan = batches(len(examples), config.batch_size, config.epochs, config.seed)
    course.progress.start(stage, run.next_step, len(plan))

    def attempt() -> Finished:
        run.rewind()
        with session(course.server) as service:
            client = course.open(service, run, start)
            _train(stage, config, [[examples[i] for i in batch] for batch in plan], held_out, client, run, course)
            return course.finish(client, run)

    return course.attempts(stage, attempt, lambda: run.next_step)


def _train(
    stage: str,
    config: FineTuning,
    steps: Sequence[Sequence[Example]],
    held_out: Sequence[Example],
    client: tinker.TrainingClient,
    run: RunDirectory,
    course: Course,
) -> None:
    waiting: _Submitted | None = None
    for step in range(run.next_step, len(steps)):
        cancelled = course.progress.cancelled
        saves = cancelled or step + 1 == len(steps) or (step + 1) % config.save_every == 0
        rate = learning_rate(step, len(steps), config.learning_rate)
        submitted = _submit(
            client, step, rate, steps[step], held_out if saves else (), f"{stage}-{step + 1}" if saves else ""
        )
        if waiting is not None:
            _settle(stage, waiting, len(steps), run, course)
        waiting = submitted
        if cancelled:
            break
    if waiting is not None:
        _settle(stage, waiting, len(steps), run, course)
    if run.next_step < len(steps):
        raise JobCancelled(f"{stage} stopped after step {run.next_step} of {len(steps)}; it can go on from there")


def _submit(
    client: tinker.TrainingClient,
    step: int,
    rate: float,
    batch: Sequence[Example],
    held_out: Sequence[Example],
    save_as: str,
) -> _Submitted:
    return _Submitted(
        step=step,
        rate=rate,
        tokens=sum(len(example.tokens) for example in batch),
        gradient=client.forward_backward(mean_loss_data(batch), "cross_entropy"),
        optimizer=client.optim_step(adam(rate)),
        save=client.save_state(save_as) if save_as else None,
        held_out=client.forward(mean_loss_data(held_out), "cross_entropy") if held_out else None,
    )


def _settle(stage: str, step: _Submitted, total: int, run: RunDirectory, course: Course) -> None:
    """Waits for a step in the order the server makes it; a state is noted only when all before it went well."""
    metrics = {"loss": course.wait(step.gradient, f"gradient of step {step.step}").metrics["loss:sum"]}
    course.wait(step.optimizer, f"optimizer step {step.step}")
    state = course.wait(step.save, f"saving after step {step.step}").path if step.save is not None else None
    if step.held_out is not None:
        metrics["held_out_loss"] = course.wait(step.held_out, "held-out loss").metrics["loss:sum"]
    metrics |= {"learning_rate": step.rate, "tokens": float(step.tokens)}
    run.metrics(step.step, metrics)
    if state is not None:
        course.replace(run, step.step + 1, state)
    course.progress.report(stage, step.step + 1, total, metrics)


def mean_loss_data(examples: Sequence[Example]) -> list[tinker.Datum]:
    """Data whose loss is the mean over all learned tokens, in nats."""
    learned = sum(example.trained for example in examples)
    return [example.datum(1 / learned) for example in examples]
