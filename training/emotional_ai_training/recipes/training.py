"""One training, stage by stage: each recipe in its turn, then the adapters measured and published."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from peft import PeftModel

from emotional_ai_training.adapters import Manifest, publish
from emotional_ai_training.conditioning import ADAPTERS, CURIOUS, prototype, spoken_temperature, told
from emotional_ai_training.evaluation.before_after import Speaking, StateReport, before_after, neutral_passages
from emotional_ai_training.evaluation.diversity import Diversity, diversity
from emotional_ai_training.evaluation.measures import auc, broken, distinct
from emotional_ai_training.evaluation.scale import (
    Heard,
    Scored,
    Spoken,
    Strength,
    adapted,
    base_model,
    calibrate,
    replies,
    scaled,
)
from emotional_ai_training.jobs import Recipe
from emotional_ai_training.judge import Judge
from emotional_ai_training.recipes.conditioning import PUBLISHED_AS, train_conditioning
from emotional_ai_training.recipes.conditioning import STAGE as CONDITIONING
from emotional_ai_training.recipes.course import Course
from emotional_ai_training.recipes.curiosity import Curiosity, explore
from emotional_ai_training.recipes.data import TrainingData
from emotional_ai_training.recipes.examples import ChatTokenizer
from emotional_ai_training.recipes.exporting import export
from emotional_ai_training.recipes.figures import draw_curves
from emotional_ai_training.recipes.fine_tuning import FineTuning
from emotional_ai_training.recipes.rewards import Floats
from emotional_ai_training.recipes.run_directory import Finished, RunDirectory
from emotional_ai_training.recipes.state_adapters import train_state_adapter
from emotional_ai_training.tinker_api import rest_client, session

EVALUATION: Final = "evaluation"
STRENGTH: Final = "strength"
CURIOSITY: Final = "curiosity"
DIVERSITY_PROMPTS: Final = 15
"""Held-out prompts that diversity is measured on."""
HELD_OUT: Final = 8
"""Held-out examples a run watches."""
SPOKEN_TO: Final = 40
PASSAGES: Final = 12
"""Prompts of the training part, and neutral passages, that a scale is calibrated on."""


@dataclass(frozen=True, slots=True)
class BaseModel:
    """What adapters are trained on."""

    name: str
    digest: str
    """SHA-256 of its weights in hex; of its name where the weights are not on this machine."""
    directory: Path | None
    """Its checkpoint, if it is on this machine."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the whole training."""

    recipe: Recipe
    states: Sequence[str]
    conditioning: FineTuning
    state: FineTuning
    balanced: FineTuning
    curiosity: Curiosity
    speaking: Speaking
    seed: int
    loras_dir: Path
    checkpoints_dir: Path

    def of(self, state: str) -> FineTuning:
        """Settings of a state's own run."""
        return self.balanced if state == PUBLISHED_AS else self.state


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a training measured: a report a published adapter, its strength where that could be calibrated, and diversity
    before and after curiosity, if it was trained."""

    reports: list[StateReport]
    strengths: list[Strength]
    diversity: tuple[Diversity, Diversity] | None


class Training:
    """One training; `run` may be called again in a new process with the same arguments and goes on where it stood."""

    def __init__(
        self,
        settings: Settings,
        base: BaseModel,
        data: TrainingData,
        prompts: Mapping[str, Sequence[str]],
        tokenizer: ChatTokenizer,
        judge: Judge,
        course: Course,
    ) -> None:
        """`prompts` holds the "train" prompts curiosity explores and the held-out "test" prompts of the evaluation."""
        self._settings, self._base, self._data, self._prompts = settings, base, data, prompts
        self._tokenizer, self._judge, self._course = tokenizer, judge, course
        self._runs: dict[str, RunDirectory] = {}

    def run(self) -> Outcome:
        """Trains, measures and publishes what the recipe names."""
        finished = self._trained()
        samplers = {state: done.sampler for state, done in finished.items()}
        reports = self._course.attempts(EVALUATION, partial(self._measured, samplers))
        explored = self._course.attempts(EVALUATION, self._diversity) if CURIOSITY in self._runs else None
        with tempfile.TemporaryDirectory(prefix="emotional-ai-") as folder:
            # All are ready before the first is published, so that nobody speaks with adapters of two trainings for long.
            exported = [self._exported(finished[one.state], Path(folder) / one.state) for one in reports]
            strengths = self._strengths(reports, Path(folder))
            for report, rank in zip(reports, exported, strict=True):
                more = explored[1].metrics("curious") if explored and report.state == CURIOUS else {}
                self._publish(report, Path(folder) / report.state, rank, strengths.get(report.state), more)
        self._draw()
        return Outcome(reports, list(strengths.values()), explored)

    def _draw(self) -> None:
        for name, run in self._runs.items():
            draw_curves({name: run.history()}, run.path / "curves.png")
        everything = {name: run.history() for name, run in self._runs.items()}
        draw_curves(everything, self._settings.checkpoints_dir / "curves.png")

    def _trained(self) -> dict[str, Finished]:
        """Where the adapters to publish lie, by name in the fixed order."""
        recipe, chosen = self._settings.recipe, self._settings.states
        base = self._conditioning()
        found: dict[str, Finished] = {}
        if recipe is Recipe.CONDITIONING:
            found[PUBLISHED_AS] = base
        if recipe in (Recipe.STATE_ADAPTERS, Recipe.ALL):
            found |= {state: self._state(state, base) for state in ADAPTERS if state in chosen}
        if recipe is Recipe.CURIOSITY or (recipe is Recipe.ALL and CURIOUS in found):
            found[CURIOUS] = self._curiosity(found.get(CURIOUS) or self._state(CURIOUS, base))
        return {name: found[name] for name in ADAPTERS if name in found}

    def _conditioning(self) -> Finished:
        config = self._settings.conditioning
        run = self._open(CONDITIONING, config)
        held_out = self._data.held_out_of_all(HELD_OUT)
        return train_conditioning(
            config, self._data.for_conditioning(config.rows_each, self._settings.seed), held_out, run, self._course
        )

    def _state(self, state: str, base: Finished) -> Finished:
        config = self._settings.of(state)
        run = self._open(state, config)
        held_out = self._data.held_out.get(state, [])[:HELD_OUT]
        examples = self._data.for_state(state, self._settings.seed)
        return train_state_adapter(state, config, examples, held_out, base, run, self._course)

    def _curiosity(self, start: Finished) -> Finished:
        config = self._settings.curiosity
        run = self._open(CURIOSITY, config)
        judge = StateJudge(self._judge, CURIOUS)
        return explore(CURIOSITY, config, self._prompts["train"], start, self._tokenizer, judge, run, self._course)

    def _open(self, stage: str, config: FineTuning | Curiosity) -> RunDirectory:
        described = {
            "stage": stage,
            "base_model": self._base.name,
            "base_model_digest": self._base.digest,
            "rank": self._course.rank,
            "seed": self._settings.seed,
            "data": self._data.digest,
            "config": repr(config),
        }
        run = RunDirectory(self._settings.checkpoints_dir / stage, described)
        self._runs[stage] = run
        return run

    def _measured(self, samplers: Mapping[str, str]) -> list[StateReport]:
        progress = self._course.progress
        progress.start(EVALUATION, 0, len(samplers))

        def done(step: int, total: int) -> None:
            self._course.heed(EVALUATION)
            progress.report(EVALUATION, step, total, {})

        with session(self._course.server) as service:
            return before_after(
                self._course,
                service,
                self._tokenizer,
                self._judge,
                self._prompts["test"],
                samplers,
                self._settings.speaking,
                done,
            )

    def _diversity(self) -> tuple[Diversity, Diversity]:
        """Of the curious state before and after curiosity."""
        prompts = self._prompts["test"][:DIVERSITY_PROMPTS]
        found = []
        with session(self._course.server) as service:
            for name in (CURIOUS, CURIOSITY):
                done = self._runs[name].finished()
                assert done is not None
                sampler = self._course.sampler(service, done.sampler)
                speaking = self._settings.speaking
                found.append(diversity(self._course, sampler, self._tokenizer, self._judge, CURIOUS, prompts, speaking))
        return found[0], found[1]

    def _exported(self, finished: Finished, into: Path) -> int:
        """Downloads an adapter; returns its rank."""

        def download() -> int:
            shutil.rmtree(into, ignore_errors=True)
            into.mkdir()
            rest = rest_client(self._course.server, self._course.deadline)
            return export(rest, finished.external, into, self._course.deadline)

        return self._course.attempts(EVALUATION, download)

    def _publish(
        self, report: StateReport, exported: Path, rank: int, strength: Strength | None, more: Mapping[str, float]
    ) -> None:
        lineage = self._lineage(report.state)
        config = self._settings.of(report.state) if report.state in lineage else self._settings.conditioning
        manifest = Manifest(
            name=report.state,
            base_model=self._base.name,
            base_model_digest=self._base.digest,
            prototype=prototype(report.state),
            scale=strength.scale if strength else 1.0,
            scale_calibrated=strength is not None,
            rank=rank,
            recipe=" > ".join(lineage),
            seed=self._settings.seed,
            learning_rate=config.learning_rate,
            steps=sum(len(self._runs[name].history()) for name in lineage),
            data_digest=self._data.digest,
            metrics={**report.metrics(), **more, **(strength.metrics() if strength else {})},
        )
        publish(exported, manifest, self._settings.loras_dir)

    def _lineage(self, state: str) -> list[str]:
        """The runs an adapter has gone through."""
        after = (state, CURIOSITY) if state == CURIOUS else (state,)
        return [name for name in (CONDITIONING, *after) if name in self._runs]

    def _strengths(self, reports: Sequence[StateReport], exported: Path) -> dict[str, Strength]:
        """How strong each adapter is to be, by state; nothing where the base model is not on this machine."""
        if self._base.directory is None:
            return {}
        progress, found = self._course.progress, {}
        progress.start(STRENGTH, 0, len(reports))
        passages = [self._tokenizer.encode(text) for text in neutral_passages()[:PASSAGES]]
        neutral = [(tokens, len(tokens) - 1) for tokens in passages]
        base = base_model(self._base.directory)
        for number, report in enumerate(reports, start=1):
            model = adapted(base, exported / report.state)
            found[report.state] = self._strength(report, model, neutral)
            base = model.unload()
            progress.report(STRENGTH, number, len(reports), {})
        return found

    def _strength(self, report: StateReport, model: PeftModel, neutral: Scored) -> Strength:
        tokenizer, state, column = self._tokenizer, report.state, ADAPTERS.index(report.state)
        state_told = told(prototype(state))

        def begun(prompts: Sequence[str]) -> list[list[int]]:
            return [tokenizer.prompt(text, state_told) for text in prompts]

        def listen(said: Sequence[Sequence[int]]) -> Heard:
            self._course.heed(STRENGTH)
            read = self._judge.judge([tokenizer.decode(reply) for reply in said]).both
            return Heard(float((read.argmax(axis=1) == column).mean()), float(read[:, column].mean()))

        prompts, speaking = self._prompts["train"], self._settings.speaking
        spoken_to = spread(prompts, SPOKEN_TO)
        spoken = Spoken(spoken_temperature(prototype(state)), tokenizer.end, seed=self._settings.seed)
        found = calibrate(model, begun(spoken_to), neutral, spoken, listen)
        as_before = Spoken(speaking.temperature, tokenizer.end, speaking.max_tokens, speaking.top_p, 0.0, speaking.seed)
        with scaled(model, found.scale):
            said = replies(model, begun(self._prompts["test"]), as_before)
        after = [tokenizer.decode(reply) for reply in said]
        read = self._judge.judge(after).both[:, column]
        return Strength(
            state=state,
            scale=found.scale,
            recognised=found.heard.recognised,
            judged=float(read.mean()),
            auc=auc(read, np.asarray(report.read_before)),
            perplexity_ratio=found.perplexity_ratio,
            distinct=distinct(after),
            broken=float(np.mean([broken(text) for text in after])),
        )


class StateJudge:
    """The judge, asked about one state."""

    def __init__(self, judge: Judge, state: str) -> None:
        self._judge, self._column = judge, ADAPTERS.index(state)

    def assess(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """Probability of the state, shape (texts,), and unit embeddings, shape (texts, dimension)."""
        read = self._judge.judge(texts)
        return read.both[:, self._column], read.embeddings


def digest_of_name(name: str) -> str:
    """Stands for the digest of a base model whose weights are elsewhere."""
    return hashlib.sha256(f"model by name: {name}".encode()).hexdigest()


def spread(prompts: Sequence[str], most: int) -> list[str]:
    """All prompts, or `most` of them, evenly from the first on."""
    taken = min(most, len(prompts))
    return [prompts[i * len(prompts) // taken] for i in range(taken)]
