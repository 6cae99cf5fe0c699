"""A whole training as a job runs it: from the plan and the environment to published adapters.

    server        the one TINKER_API_KEY names, or the embedded one, ended with the training
    data          read from `data_path`, or prepared, the base model speaking its own replay rows
    cost          estimated and checked before a hosted run
    training      the recipes in their order (`training`), then measured and published

This is the composition root of a job's process: the one place that reads its settings from the environment.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from transformers.utils.logging import disable_progress_bar

from emotional_ai_training.adapters import check_writable
from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset import (
    Split,
    held_out_prompts,
)
from emotional_ai_training.evaluation.before_after import Speaking
from emotional_ai_training.jobs import Plan, Reporter
from emotional_ai_training.judge import Judge
from emotional_ai_training.models import cache_dir, default_model_dir, encoder_dir, model_digest
from emotional_ai_training.recipes.course import Course
from emotional_ai_training.recipes.curiosity import Curiosity
from emotional_ai_training.recipes.data import read_data, training_data
from emotional_ai_training.recipes.errors import SettingRefused
from emotional_ai_training.recipes.examples import ChatTokenizer
from emotional_ai_training.recipes.fine_tuning import FineTuning
from emotional_ai_training.recipes.preparation import prepared
from emotional_ai_training.recipes.progress import Progress
from emotional_ai_training.recipes.settings import TrainingSettings, check_strength, training_settings
from emotional_ai_training.recipes.training import (
    BaseModel,
    Outcome,
    Settings,
    Training,
    digest_of_name,
)
from emotional_ai_training.recipes.workload import (
    ASKED,
    CONDITIONING_ROWS,
    asked,
    billed,
    states_of,
    strength_work,
    work,
)
from emotional_ai_training.tinker_api import (
    EmbeddedServer,
    Estimate,
    RemoteServer,
    TinkerServer,
    check_cost,
    choose_base_model,
    rest_client,
)

QUICK_ANSWER: Final = 60.0
"""Wall seconds a server may take to say what it trains."""
BALANCED_PASSES: Final = 2
"""`balanced` has the farthest to go: even replies are the least like the base model's."""
CURIOSITY_RATE: Final = 0.8
"""Peak learning rate of curiosity, as a share of the other recipes'."""


def run_plan(plan: Plan, reporter: Reporter) -> tuple[str, ...]:
    """Runs a plan and returns the names of the adapters it published; a hosted run costs at most what the plan allows.

    Raises JobCancelled at a resumable state; the same plan then goes on from there.
    """
    outcome = train(plan, reporter, partial(check_cost, most_dollars=plan.max_cost_usd))
    return tuple(report.state for report in outcome.reports)


def train(
    plan: Plan, reporter: Reporter, approve: Callable[[Estimate], None], begun: Callable[[], None] = lambda: None
) -> Outcome:
    """Runs a plan and returns what its adapters measured; raises as `run_plan` does.

    `approve` is asked before a hosted run, and raises CostRefused to stop it. `begun` is called once there is nothing left
    to refuse: settings, data, base model and price are right.
    """
    os.environ.setdefault("TINKER_TELEMETRY", "0")
    logging.getLogger("tinker").setLevel(logging.ERROR)  # it warns of every wait; deadlines and attempts are ours
    disable_progress_bar()  # type: ignore[no-untyped-call]  # the bars are the training's
    settings = training_settings(os.environ)
    check_strength(plan.lora_rank, plan.learning_rate)
    cache = cache_dir(os.environ)
    check_writable(plan.loras_dir)
    chosen = _settings(plan)
    states = states_of(chosen)
    given = read_data(plan.data_path, states) if plan.data_path else None  # before a server is started for nothing
    with training_server(settings, plan.checkpoints_dir, cache) as (server, directory):
        name = choose_base_model(
            rest_client(server, QUICK_ANSWER), plan.base_model or settings.model_name, QUICK_ANSWER
        )
        tokenizer = ChatTokenizer(_tokenizer_dir(settings, directory))
        data = training_data(given, plan.data_path, tokenizer) if given and plan.data_path else None
        if settings.paid:
            trained, sampled = billed(work(chosen, data))
            approve(Estimate(trained, sampled, settings.train_price, settings.sample_price))
        begun()
        base = BaseModel(name, model_digest(directory, cache) if directory else digest_of_name(name), directory)
        judge = Judge(encoder_dir(cache))
        if data is None:
            course = Course(server, name, plan.lora_rank, plan.seed, Progress(reporter, {}))
            file = prepared(plan.checkpoints_dir, base.digest, course, tokenizer, judge)
            data = training_data(read_data(file, states), file, tokenizer)
        everything = work(chosen, data) | (strength_work(chosen) if directory else {})
        course = Course(server, name, plan.lora_rank, plan.seed, Progress(reporter, everything))
        prompts = {
            "train": [prompt.text for prompt in held_out_prompts(Split.TRAIN)],
            "test": asked(held_out_prompts(Split.TEST), ASKED),
        }
        return Training(chosen, base, data, prompts, tokenizer, judge, course).run()


@contextmanager
def training_server(
    settings: TrainingSettings, checkpoints: Path, cache: Path
) -> Iterator[tuple[TinkerServer, Path | None]]:
    """The server to train on, and the directory of its base model if it is on this machine."""
    if settings.remote is not None:
        yield RemoteServer(settings.remote), None
        return
    directory = settings.model_dir or default_model_dir(cache)
    with EmbeddedServer(directory, checkpoints / "tinker") as server:
        yield server, directory


def _settings(plan: Plan) -> Settings:
    return Settings(
        recipe=plan.recipe,
        states=plan.states or ADAPTERS,
        conditioning=FineTuning(
            plan.learning_rate, plan.batch_size, plan.epochs, rows_each=CONDITIONING_ROWS, seed=plan.seed
        ),
        state=FineTuning(plan.learning_rate, plan.batch_size, plan.epochs, seed=plan.seed),
        balanced=FineTuning(plan.learning_rate, plan.batch_size, BALANCED_PASSES * plan.epochs, seed=plan.seed),
        curiosity=Curiosity(learning_rate=CURIOSITY_RATE * plan.learning_rate, seed=plan.seed),
        speaking=Speaking(seed=plan.seed),
        seed=plan.seed,
        loras_dir=plan.loras_dir,
        checkpoints_dir=plan.checkpoints_dir,
    )


def _tokenizer_dir(settings: TrainingSettings, model: Path | None) -> Path:
    directory = model or settings.tokenizer_dir
    if directory is None:
        raise SettingRefused("MODEL_TOKENIZER", "", "name a directory with the tokenizer of the server's base model")
    return directory
