"""Curiosity: reinforcement learning of the high-dopamine adapter, so that eagerness looks further than one phrase.

    each step   sample a group of replies to each prompt, at a dopamine level of its own
                reward = judge's probability of the state, up to `enough`, - repetition + curiosity, gated by dopamine
                importance-sampling policy gradient on the group's advantages, less beta * (log p - log p_reference)
                beta follows the measured divergence, and the run stops where it leaves its bound

The reference is the adapter the run begins with. The penalty's controller: Ziegler et al. 2019, arXiv:1909.08593.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import tinker
from numpy.typing import NDArray

from emotional_ai_training.conditioning import BASELINE, told
from emotional_ai_training.jobs import JobCancelled
from emotional_ai_training.recipes.course import Course, adam
from emotional_ai_training.recipes.examples import ChatTokenizer, real, whole
from emotional_ai_training.recipes.journal import append_line, read_lines, replace_text
from emotional_ai_training.recipes.rewards import Floats, advantages, fresh_pairs, novelty, repetition, rewards
from emotional_ai_training.recipes.run_directory import Finished, Metrics, RunDirectory
from emotional_ai_training.tinker_api import Future, session

REMEMBERED: Final = 64
"""Replies that novelty is measured against, beside the group's own."""


class Judge(Protocol):
    """Tells how much a text expresses the state, without knowing the state it was spoken in."""

    def assess(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """Probability of the state, shape (texts,), and unit embeddings, shape (texts, dimension)."""
        ...


@dataclass(frozen=True, slots=True)
class Curiosity:
    """Settings of the run."""

    steps: int = 8
    prompts: int = 4
    """Prompts a step."""
    group: int = 4
    """Replies to each prompt."""
    max_tokens: int = 36
    temperature: float = 1.0
    """1, so that sampled log-probabilities are those of the policy that is trained."""
    learning_rate: float = 3e-4
    strength: float = 4.0
    """Weight of curiosity in the reward (lambda): novelty varies within a group about a quarter as much as the judge."""
    enough: float = 0.5
    """Probability of the state from which more of it earns nothing, so that it is left to curiosity what else is said."""
    cap: float = 1.0
    """Novelty beyond which nothing more is earned."""
    dopamine: tuple[float, ...] = (0.60, 0.75, 0.90, 0.90)
    """Levels the prompts of a step are spoken at, in turn."""
    beta: float = 0.05
    """First weight of the divergence penalty."""
    divergence_target: float = 0.2
    """Divergence per token from the reference that the penalty steers to, in nats."""
    divergence_bound: float = 0.6
    """Divergence per token at which the run ends, in nats."""
    save_every: int = 4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """One sampled reply."""

    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    reference: tuple[float, ...]
    """Log-probabilities of the same tokens under the reference."""
    text: str

    @property
    def divergence(self) -> float:
        """Estimate of KL(policy, reference) per token, in nats, from the sampled tokens."""
        return float(np.mean(np.subtract(self.logprobs, self.reference)))


def explore(
    stage: str,
    config: Curiosity,
    prompts: Sequence[str],
    start: Finished,
    tokenizer: ChatTokenizer,
    judge: Judge,
    run: RunDirectory,
    course: Course,
) -> Finished:
    """Trains from `start`. Metrics a step: reward, task, curiosity, divergence, beta, repetition.

    Raises as `fine_tune` does.
    """
    if (done := run.finished()) is not None:
        course.progress.finished(stage)
        return done
    course.progress.start(stage, run.next_step, config.steps)

    def attempt() -> Finished:
        run.rewind()
        with session(course.server) as service:
            client = course.open(service, run, start.state)
            reference = course.sampler(service, start.sampler)
            explorer = _Explorer(stage, config, prompts, tokenizer, judge, run, course, client, reference)
            explorer.train()
            return course.finish(client, run)

    return course.attempts(stage, attempt, lambda: run.next_step)


class _Explorer:
    """One attempt: the clients, and what the steps so far have left."""

    def __init__(
        self,
        stage: str,
        config: Curiosity,
        prompts: Sequence[str],
        tokenizer: ChatTokenizer,
        judge: Judge,
        run: RunDirectory,
        course: Course,
        client: tinker.TrainingClient,
        reference: tinker.SamplingClient,
    ) -> None:
        self._stage, self._config, self._prompts, self._tokenizer = stage, config, prompts, tokenizer
        self._judge, self._run, self._course = judge, run, course
        self._client, self._reference = client, reference
        history = run.history()
        self._beta = history[-1]["beta"] if history else config.beta
        self._memory = _Memory(run.path / "replies.jsonl", run.next_step, judge)

    def train(self) -> None:
        """Makes the steps that are left, none behind one that left the bound; JobCancelled if told to stop."""
        total = self._config.steps
        if (history := self._run.history()) and history[-1]["divergence"] > self._config.divergence_bound:
            return
        for step in range(self._run.next_step, total):
            metrics = self._step(step)
            stops = self._course.progress.cancelled
            out_of_bound = metrics["divergence"] > self._config.divergence_bound
            self._run.metrics(step, metrics)
            if stops or out_of_bound or step + 1 == total or (step + 1) % self._config.save_every == 0:
                saved = self._course.wait(self._client.save_state(f"{self._stage}-{step + 1}"), "saving")
                self._course.replace(self._run, step + 1, saved.path)
            self._course.progress.report(self._stage, step + 1, total, metrics)
            if out_of_bound:
                self._course.progress.say(
                    f"{self._stage}: the divergence left its bound at step {step + 1}; ending here"
                )
                return
            if stops and step + 1 < total:
                raise JobCancelled(f"{self._stage} stopped after step {step + 1} of {total}; it can go on from there")

    def _step(self, step: int) -> Metrics:
        config = self._config
        levels = [config.dopamine[i % len(config.dopamine)] for i in range(config.prompts)]
        groups = self._sample(step, levels)
        replies = list(chain.from_iterable(groups))
        task, embeddings = self._judge.assess([reply.text for reply in replies])
        repeated = np.array([repetition(reply.tokens) for reply in replies], dtype=np.float32)
        task = np.minimum(task, np.float32(config.enough)) - repeated
        novelties, earned, learned = [], [], list[Floats]()
        for index, (group, dopamine) in enumerate(zip(groups, levels, strict=True)):
            part = slice(index * config.group, index * config.group + len(group))
            meant = novelty(embeddings[part], self._memory.embeddings)
            novel = (meant + fresh_pairs([reply.text for reply in group])) / 2
            reward = rewards(task[part].tolist(), novel.tolist(), dopamine, config.strength, config.cap)
            novelties.append(novel)
            earned.append(reward)
            learned.append(advantages(reward))
        self._update(replies, np.concatenate(learned), step)
        self._memory.add(step, [reply.text for reply in replies], embeddings)
        divergence = float(np.mean([reply.divergence for reply in replies]))
        metrics = {
            "reward": float(np.concatenate(earned).mean()),
            "task": float(task.mean()),
            "curiosity": float(np.concatenate(novelties).mean()),
            "repetition": float(repeated.mean()),
            "divergence": divergence,
        }
        self._steer(divergence)
        return {**metrics, "beta": self._beta}

    def _sample(self, step: int, levels: Sequence[float]) -> list[list[Reply]]:
        """Groups of replies, one group a prompt, with their log-probabilities under policy and reference."""
        config, draw = self._config, random.Random(f"{self._config.seed}/{step}")
        sampler = self._course.wait(self._client.save_weights_and_get_sampling_client(), "taking the policy's weights")
        prompts = [
            tuple(self._tokenizer.prompt(text, told((dopamine, *BASELINE[1:]))))
            for text, dopamine in zip(draw.sample(self._prompts, config.prompts), levels, strict=True)
        ]
        futures = [
            sampler.sample(
                tinker.ModelInput.from_ints(list(prompt)),
                config.group,
                tinker.SamplingParams(
                    max_tokens=config.max_tokens,
                    temperature=config.temperature,
                    seed=draw.randrange(2**31),
                    stop=[self._tokenizer.end],
                ),
            )
            for prompt in prompts
        ]
        sampled = [self._course.wait(future, "sampling").sequences for future in futures]
        scored = [
            [
                self._reference.compute_logprobs(tinker.ModelInput.from_ints([*prompt, *sequence.tokens]))
                for sequence in group
            ]
            for prompt, group in zip(prompts, sampled, strict=True)
        ]
        return [
            [self._reply(prompt, sequence, future) for sequence, future in zip(group, futures, strict=True)]
            for prompt, group, futures in zip(prompts, sampled, scored, strict=True)
        ]

    def _reply(
        self, prompt: tuple[int, ...], sequence: tinker.SampledSequence, scored: Future[list[float | None]]
    ) -> Reply:
        reference = self._course.wait(scored, "scoring by the reference")
        assert sequence.logprobs is not None
        return Reply(
            prompt=prompt,
            tokens=tuple(sequence.tokens),
            logprobs=tuple(sequence.logprobs),
            reference=tuple(value for value in reference[len(prompt) :] if value is not None),
            text=self._tokenizer.decode(sequence.tokens),
        )

    def _update(self, replies: Sequence[Reply], group_advantages: Floats, step: int) -> None:
        learned = sum(len(reply.tokens) for reply in replies)
        data = [
            policy_datum(reply, float(advantage), self._beta, learned)
            for reply, advantage in zip(replies, group_advantages, strict=True)
        ]
        gradient = self._client.forward_backward(data, "importance_sampling")
        optimizer = self._client.optim_step(adam(self._config.learning_rate))
        self._course.wait(gradient, f"gradient of step {step}")
        self._course.wait(optimizer, f"optimizer step {step}")

    def _steer(self, divergence: float) -> None:
        error = divergence / self._config.divergence_target - 1.0
        self._beta *= 1.0 + 0.3 * min(max(error, -0.5), 0.5)


class _Memory:
    """Replies of earlier steps, kept on disk so that a run that goes on measures novelty as if it had not stopped."""

    def __init__(self, file: Path, next_step: int, judge: Judge) -> None:
        self._file = file
        kept = [row for row in read_lines(file) if row["step"] < next_step]
        replace_text(file, "".join(json.dumps(row) + "\n" for row in kept))
        texts = [text for row in kept for text in row["replies"]][-REMEMBERED:]
        self.embeddings: NDArray[np.float32] = judge.assess(texts)[1] if texts else np.zeros((0, 0), dtype=np.float32)

    def add(self, step: int, texts: Sequence[str], embeddings: Floats) -> None:
        """Remembers a step's replies, forgetting the oldest."""
        append_line(self._file, {"step": step, "replies": list(texts)})
        earlier = self.embeddings if self.embeddings.size else embeddings[:0]
        self.embeddings = np.concatenate([earlier, embeddings])[-REMEMBERED:]


def policy_datum(reply: Reply, advantage: float, beta: float, learned: int) -> tinker.Datum:
    """A reply for the importance-sampling loss: its advantage, less beta times each token's divergence.

    Divided by `learned`, all tokens of the step, so that the loss is a mean.
    """
    before = len(reply.prompt) - 1
    penalised = [
        (advantage - beta * (own - reference)) / learned
        for own, reference in zip(reply.logprobs, reply.reference, strict=True)
    ]
    tokens = [*reply.prompt, *reply.tokens]
    return tinker.Datum(
        model_input=tinker.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": whole(tokens[1:]),
            "logprobs": real([0.0] * before + list(reply.logprobs)),
            "advantages": real([0.0] * before + penalised),
        },
    )
