"""A whole training as a job runs it: from the plan and the environment to published adapters.

    server        the one TINKER_API_KEY names, or the embedded one, ended with the training
    data          read from `data_path`, or prepared, the base model speaking its own replay rows
    cost          estimated and checked before a hosted run
    training      the recipes in their order (`training`), then measured and published

This is the composition root of a job's process: the one place that reads the environment.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Final

from transformers.utils.logging import disable_progress_bar

from emotional_ai_training.adapters import check_writable
from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset import (
    News,
    PrepareConfig,
    SpelledPrompt,
    Split,
    held_out_prompts,
    prepare,
    write_rows,
)
from emotional_ai_training.evaluation.before_after import Speaking, answers
from emotional_ai_training.jobs import Plan, Recipe, Reporter
from emotional_ai_training.judge import Judge
from emotional_ai_training.models import cache_dir, default_model_dir, encoder_dir, model_digest
from emotional_ai_training.recipes.course import Course
from emotional_ai_training.recipes.curiosity import Curiosity
from emotional_ai_training.recipes.data import TrainingData, read_data, training_data
from emotional_ai_training.recipes.errors import SettingRefused
from emotional_ai_training.recipes.examples import ChatTokenizer
from emotional_ai_training.recipes.fine_tuning import FineTuning
from emotional_ai_training.recipes.progress import Progress
from emotional_ai_training.recipes.settings import TrainingSettings, training_settings
from emotional_ai_training.recipes.training import (
    CURIOSITY,
    CURIOUS_STATE,
    EVALUATION,
    BaseModel,
    Outcome,
    Settings,
    Training,
    digest_of_name,
)
from emotional_ai_training.tinker_api import (
    EmbeddedServer,
    Estimate,
    RemoteServer,
    TinkerServer,
    check_cost,
    choose_base_model,
    estimate,
    rest_client,
    session,
)

log = logging.getLogger(__name__)

MODEL_VARIABLE: Final = "EMOTIONAL_AI_MODEL"
DATA: Final = "data"
QUICK_ANSWER: Final = 60.0
"""Wall seconds a server may take to say what it trains."""
ROWS: Final = 80
"""Rows prepared for a state's own run."""
CONDITIONING_ROWS: Final = 50
"""Rows of a state in the base conditioning."""
STATE_RATE: Final = 0.7
BALANCED_RATE: Final = 1.0
BALANCED_PASSES: Final = 2
"""`balanced` has the farthest to go: one pass like the others' left the judge's AUC at .76."""
CURIOSITY_RATE: Final = 0.5
"""Peak learning rates of the later recipes, as a share of the first one's."""
ASKED: Final = 42
"""Held-out prompts of the evaluation."""
SPOKEN_TOKENS: Final = 110
"""Tokens a sampled reply costs with its prompt, about; for plans, not for bills."""


def run_plan(plan: Plan, reporter: Reporter) -> tuple[str, ...]:
    """Runs a plan and returns the names of the adapters it published; a hosted run costs at most what the plan allows.

    Raises JobCancelled at a resumable state; the same plan then goes on from there.
    """
    outcome = train(plan, reporter, partial(check_cost, most_dollars=plan.max_cost_usd))
    return tuple(report.state for report in outcome.reports)


def train(plan: Plan, reporter: Reporter, approve: Callable[[Estimate], None]) -> Outcome:
    """Runs a plan and returns what its adapters measured; raises as `run_plan` does.

    `approve` is asked before a hosted run, and raises CostRefused to stop it.
    """
    os.environ.setdefault("TINKER_TELEMETRY", "0")
    logging.getLogger("tinker").setLevel(logging.ERROR)  # it warns of every wait; deadlines and attempts are ours
    disable_progress_bar()  # type: ignore[no-untyped-call]  # the bars are the training's
    settings = replace(training_settings(os.environ), lora_rank=plan.lora_rank, learning_rate=plan.learning_rate)
    cache = cache_dir(os.environ)
    check_writable(plan.loras_dir)
    chosen = _settings(plan)
    states = _states(chosen)
    given = read_data(plan.data_path, states) if plan.data_path else None  # before a server is started for nothing
    with training_server(settings, plan.checkpoints_dir, cache) as (server, directory):
        name = choose_base_model(
            rest_client(server, QUICK_ANSWER), plan.base_model or settings.model_name, QUICK_ANSWER
        )
        tokenizer = ChatTokenizer(_tokenizer_dir(settings, directory))
        base = BaseModel(name, model_digest(directory, cache) if directory else digest_of_name(name), directory)
        judge = Judge(encoder_dir(cache))
        course = Course(server, name, plan.lora_rank, plan.seed, Progress(reporter, {}))
        file = plan.data_path or _prepared(plan, course, tokenizer, judge)
        data = training_data(given or read_data(file, states), file, tokenizer)
        planned = work(chosen, data)
        if settings.remote is not None and settings.remote.base_url is None:
            sampled = planned.get(CURIOSITY, 0) + planned[EVALUATION]
            approve(estimate(int(sum(planned.values())), int(sampled), settings.train_price, settings.sample_price))
        course = Course(server, name, plan.lora_rank, plan.seed, Progress(reporter, planned))
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
    named = os.environ.get(MODEL_VARIABLE)
    directory = Path(named) if named else default_model_dir(cache)
    with EmbeddedServer(directory, checkpoints / "tinker") as server:
        yield server, directory


def work(settings: Settings, data: TrainingData) -> dict[str, float]:
    """Tokens each stage will take, about."""
    planned: dict[str, float] = {}
    together = data.for_conditioning(settings.conditioning.rows_each, settings.seed)
    conditioning = sum(len(example.tokens) for example in together)
    planned["conditioning"] = float(conditioning * settings.conditioning.epochs)
    states = _states(settings)
    for state in states:
        planned[state] = float(
            sum(len(example.tokens) for example in data.for_state(state, settings.seed)) * settings.of(state).epochs
        )
    if settings.recipe in (Recipe.CURIOSITY, Recipe.ALL):
        replies = settings.curiosity.steps * settings.curiosity.prompts * settings.curiosity.group
        planned[CURIOSITY] = float(2 * replies * SPOKEN_TOKENS)
    planned[EVALUATION] = float(2 * max(len(states), 1) * ASKED * SPOKEN_TOKENS)
    return planned


def _states(settings: Settings) -> list[str]:
    """The states whose adapters a recipe trains."""
    if settings.recipe is Recipe.CONDITIONING:
        return []
    if settings.recipe is Recipe.CURIOSITY:
        return [CURIOUS_STATE]
    return [state for state in ADAPTERS if state in settings.states]


@dataclass(frozen=True, slots=True)
class BaseSpeaker:
    """The base model's own replies, told of no state: what replay rows hold."""

    course: Course
    tokenizer: ChatTokenizer

    def reply(self, prompts: list[str]) -> list[str]:
        """One reply to each prompt, up to its last whole sentence; empty where there is none."""
        self.course.progress.report(DATA, 1, 2, {})
        with session(self.course.server) as service:
            sampler = self.course.sampler(service, None)
            return [
                whole_sentences(text) for text in answers(self.course, sampler, self.tokenizer, prompts, "", Speaking())
            ]


def whole_sentences(text: str) -> str:
    """A text cut behind its last sentence mark, so that a reply that ran out of room does not teach to stop mid-word."""
    end = max(text.rfind(mark) for mark in ".!?")
    return text[: end + 1]


def asked(prompts: Sequence[SpelledPrompt], count: int) -> list[str]:
    """`count` prompts, as many of each kind of news as there can be, always the same."""
    by_news = [[prompt.text for prompt in prompts if prompt.news is news] for news in News]
    taken = chain.from_iterable(zip_longest(*by_news))
    return list(islice((text for text in taken if text is not None), count))


def _prepared(plan: Plan, course: Course, tokenizer: ChatTokenizer, judge: Judge) -> Path:
    """The file of rows among the checkpoints, prepared if it is not there."""
    file = plan.checkpoints_dir / "training_data.jsonl"
    if not file.is_file():
        course.progress.report(DATA, 0, 2, {})
        prepared = prepare(
            PrepareConfig(seed=plan.seed, train_rows=ROWS, test_rows=0),
            judge,
            log.info,
            speaker=BaseSpeaker(course, tokenizer),
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        write_rows(file, prepared.rows)
        course.progress.report(DATA, 2, 2, {})
    return file


def _settings(plan: Plan) -> Settings:
    return Settings(
        recipe=plan.recipe,
        states=plan.states or ADAPTERS,
        conditioning=FineTuning(
            plan.learning_rate, plan.batch_size, plan.epochs, rows_each=CONDITIONING_ROWS, seed=plan.seed
        ),
        state=FineTuning(STATE_RATE * plan.learning_rate, plan.batch_size, plan.epochs, seed=plan.seed),
        balanced=FineTuning(
            BALANCED_RATE * plan.learning_rate, plan.batch_size, BALANCED_PASSES * plan.epochs, seed=plan.seed
        ),
        curiosity=Curiosity(learning_rate=CURIOSITY_RATE * plan.learning_rate, seed=plan.seed),
        speaking=Speaking(seed=plan.seed),
        seed=plan.seed,
        loras_dir=plan.loras_dir,
        checkpoints_dir=plan.checkpoints_dir,
    )


def _tokenizer_dir(settings: TrainingSettings, model: Path | None) -> Path:
    directory = settings.tokenizer_dir or model
    if directory is None:
        raise SettingRefused("MODEL_TOKENIZER", "", "name a directory with the tokenizer of the server's base model")
    return directory
