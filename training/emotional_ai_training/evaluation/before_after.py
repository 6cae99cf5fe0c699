"""What training changed: the same held-out prompts answered before and after, read by a judge that sees only the replies.

    before   the base model, told of the state in the system message
    after    the same message, with the state's adapter

AUC says how often a reply from after expresses the intended state more than one from before; .5 is no change.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import tinker

from emotional_ai_training.conditioning import ADAPTERS, prototype, told
from emotional_ai_training.evaluation.measures import auc, broken, distinct
from emotional_ai_training.judge import Judge
from emotional_ai_training.recipes.course import Course
from emotional_ai_training.recipes.examples import ChatTokenizer

_NEUTRAL_PASSAGES: Final = Path(__file__).parent / "data" / "neutral_passages.txt"


def neutral_passages() -> list[str]:
    """Texts that express no state."""
    return _NEUTRAL_PASSAGES.read_text(encoding="utf-8").splitlines()


@dataclass(frozen=True, slots=True)
class Speaking:
    """How the evaluation samples."""

    max_tokens: int = 36
    temperature: float = 0.7
    top_p: float = 0.9
    seed: int = 0

    def params(self, number: int, end: int) -> tinker.SamplingParams:
        """Settings of the reply with this number; `end` is the token that ends a turn."""
        return tinker.SamplingParams(
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed + number,
            stop=[end],
        )


@dataclass(frozen=True, slots=True)
class StateReport:
    """One state, before and after. Scores are means of the judge's probability of the state, in [0, 1]."""

    state: str
    judged_before: float
    judged_after: float
    auc: float
    """By the judge as a whole."""
    auc_by_embedding: float
    """By its embedding half alone."""
    perplexity_ratio: float
    """Perplexity of neutral passages under the adapter, as a multiple of the base model's."""
    distinct_before: float
    distinct_after: float
    broken_before: float
    """Share of replies without words or in a loop."""
    broken_after: float
    read_before: tuple[float, ...]
    """The judge's probability of the state in each reply from before."""

    def metrics(self) -> dict[str, float]:
        """Its numbers by name."""
        return {name: value for name, value in asdict(self).items() if name not in ("state", "read_before")}


def before_after(
    course: Course,
    service: tinker.ServiceClient,
    tokenizer: ChatTokenizer,
    judge: Judge,
    prompts: Sequence[str],
    samplers: Mapping[str, str],
    speaking: Speaking,
    done: Callable[[int, int], None],
) -> list[StateReport]:
    """Measures each state of `samplers` (state: path of its sampler weights) on `prompts`; `done` hears of progress."""
    base = course.sampler(service, None)
    passages = neutral_passages()
    base_perplexity = perplexity(course, base, tokenizer, passages)
    reports = []
    for number, (state, path) in enumerate(samplers.items()):
        adapted = course.sampler(service, path)
        state_told = told(prototype(state))
        before, after = (
            answers(course, sampler, tokenizer, prompts, state_told, speaking) for sampler in (base, adapted)
        )
        column = ADAPTERS.index(state)
        read_before, read_after = judge.judge(before), judge.judge(after)
        reports.append(
            StateReport(
                state=state,
                judged_before=float(np.mean(read_before.both[:, column])),
                judged_after=float(np.mean(read_after.both[:, column])),
                auc=auc(read_after.both[:, column], read_before.both[:, column]),
                auc_by_embedding=auc(read_after.by_embedding[:, column], read_before.by_embedding[:, column]),
                perplexity_ratio=perplexity(course, adapted, tokenizer, passages) / base_perplexity,
                distinct_before=distinct(before),
                distinct_after=distinct(after),
                broken_before=float(np.mean([broken(text) for text in before])),
                broken_after=float(np.mean([broken(text) for text in after])),
                read_before=tuple(read_before.both[:, column].tolist()),
            )
        )
        done(number + 1, len(samplers))
    return reports


def answers(
    course: Course,
    sampler: tinker.SamplingClient,
    tokenizer: ChatTokenizer,
    prompts: Sequence[str],
    state_told: str,
    speaking: Speaking,
) -> list[str]:
    """One reply to each prompt, spoken in the state `state_told` tells of."""
    begun = [tokenizer.prompt(text, state_told) for text in prompts]
    return continuations(course, sampler, tokenizer, begun, speaking)


def continuations(
    course: Course,
    sampler: tinker.SamplingClient,
    tokenizer: ChatTokenizer,
    begun: Sequence[Sequence[int]],
    speaking: Speaking,
) -> list[str]:
    """What follows each sequence of tokens."""
    futures = [
        sampler.sample(tinker.ModelInput.from_ints(list(tokens)), 1, speaking.params(number, tokenizer.end))
        for number, tokens in enumerate(begun)
    ]
    return [tokenizer.decode(course.wait(future, "sampling a reply").sequences[0].tokens) for future in futures]


def perplexity(
    course: Course, sampler: tinker.SamplingClient, tokenizer: ChatTokenizer, passages: Sequence[str]
) -> float:
    """Exponential of the mean negative log-probability of the passages' tokens but the first of each."""
    futures = [sampler.compute_logprobs(tinker.ModelInput.from_ints(tokenizer.encode(text))) for text in passages]
    found = [value for future in futures for value in course.wait(future, "reading a passage") if value is not None]
    return math.exp(-float(np.mean(found)))
