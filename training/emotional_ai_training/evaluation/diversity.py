"""How different an adapter's replies to one prompt are, at a fixed temperature: what curiosity is meant to raise."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import tinker

from emotional_ai_training.conditioning import ADAPTERS, prototype, told
from emotional_ai_training.evaluation.before_after import Speaking
from emotional_ai_training.evaluation.measures import broken, distinct
from emotional_ai_training.judge import Judge
from emotional_ai_training.recipes.course import Course
from emotional_ai_training.recipes.examples import ChatTokenizer

SAMPLES: Final = 4
"""Replies to each prompt."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """Means over prompts, of several replies to each."""

    distinct: float
    """Share of different word pairs among all of a prompt's replies, in [0, 1]."""
    distance: float
    """Cosine distance between the embeddings of two of a prompt's replies, in [0, 2]."""
    judged: float
    """The judge's probability of the state, in [0, 1]."""
    broken: float
    """Share of replies without words or in a loop."""

    def metrics(self, prefix: str) -> dict[str, float]:
        """Its numbers by name."""
        return {f"{prefix}_{name}": value for name, value in asdict(self).items()}


def diversity(
    course: Course,
    sampler: tinker.SamplingClient,
    tokenizer: ChatTokenizer,
    judge: Judge,
    state: str,
    prompts: Sequence[str],
    speaking: Speaking,
) -> Diversity:
    """Samples SAMPLES replies to each prompt at the prototype of `state`, all at the temperature of `speaking`."""
    state_told = told(prototype(state))
    params = speaking.params(0, tokenizer.end)
    futures = [
        sampler.sample(tinker.ModelInput.from_ints(tokenizer.prompt(text, state_told)), SAMPLES, params)
        for text in prompts
    ]
    groups = [
        [tokenizer.decode(sequence.tokens) for sequence in course.wait(future, "sampling replies").sequences]
        for future in futures
    ]
    texts = [text for group in groups for text in group]
    read = judge.judge(texts)
    apart = 1.0 - np.stack([part @ part.T for part in np.split(read.embeddings, len(groups))])
    pairs = ~np.eye(SAMPLES, dtype=bool)
    return Diversity(
        distinct=float(np.mean([distinct(group) for group in groups])),
        distance=float(np.mean([one[pairs].mean() for one in apart])),
        judged=float(np.mean(read.both[:, ADAPTERS.index(state)])),
        broken=float(np.mean([broken(text) for text in texts])),
    )
