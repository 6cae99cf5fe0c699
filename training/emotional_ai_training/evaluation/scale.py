"""The scale at which an adapter speaks at its full strength, found by having it speak.

The least scale at which the judge reads the adapter's state in nearly every reply, among those that leave neutral text nearly
as probable as the base model finds it; where none is read that often, the one at which it is most probable. The least of all is
tried in any case. The likelihood of held-out replies would choose another: they are worded as their author words them, and
adapters that have learned to stay with the prompt would be too quiet to be heard. Needs the base model on this machine.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM, PreTrainedModel

SCALES: Final = (0.75, 1.0, 1.25)
"""Beyond the last an adapter no longer speaks as it is told: at 2, `balanced` was even where it was told of low levels."""
RECOGNISED: Final = 0.95
"""Share of replies in which a state is to be read; nine in ten leave calm, which the base model has of itself, too quiet."""
GREATEST_PERPLEXITY_RATIO: Final = 1.10
"""Of the few passages that are read here; on all of them it is to stay below 1.15."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """How replies are drawn: at most `max_tokens`, up to the token `end`."""

    temperature: float
    end: int
    max_tokens: int = 36
    top_p: float = 0.92
    min_p: float = 0.1
    """Both as the service draws by default; unlike there, repetition is not penalised."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """What was read in replies, both in [0, 1]."""

    recognised: float
    """Share of replies in which the state was read before every other."""
    probability: float
    """Mean probability of the state."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What was measured at one scale."""

    scale: float
    heard: Heard
    perplexity_ratio: float
    """Perplexity of neutral text as a multiple of the base model's."""


@dataclass(frozen=True, slots=True)
class Strength:
    """How strong an adapter is made, and what its state's replies read as then, to the prompts of its report."""

    state: str
    scale: float
    recognised: float
    """Share of replies to other prompts in which the state was read when the scale was chosen, in [0, 1]."""
    judged: float
    auc: float
    """Against the replies from before."""
    perplexity_ratio: float
    """Of the neutral passages the scale was chosen by."""
    distinct: float
    broken: float

    def metrics(self) -> dict[str, float]:
        """Its numbers by name, but for the scale."""
        return {
            "recognised": self.recognised,
            "judged_at_scale": self.judged,
            "auc_at_scale": self.auc,
            "perplexity_ratio_at_scale": self.perplexity_ratio,
            "distinct_at_scale": self.distinct,
            "broken_at_scale": self.broken,
        }


Scored = Sequence[tuple[Sequence[int], int]]
"""Token sequences, and how many of each one's last tokens are scored."""
Listen = Callable[[list[list[int]]], Heard]
"""Reads the state in replies, which are tokens."""


def calibrate(
    model: PeftModel, prompts: Sequence[Sequence[int]], neutral: Scored, spoken: Spoken, listen: Listen
) -> Tried:
    """The scale an adapter is to have, and what was measured at it.

    Speaks to all `prompts`, tokens up to where the reply begins, at one scale after another, `listen` being asked after each;
    what it raises ends the search. Raises ValueError if there are no prompts or no neutral text.
    """
    if not prompts or not neutral:
        raise ValueError("a calibration needs prompts and neutral text")
    with scaled(model, 0.0):
        plain = loss(model, neutral)

    def tries() -> Iterator[Tried]:
        for scale in SCALES:
            with scaled(model, scale):
                ratio = math.exp(loss(model, neutral) - plain)
                if ratio > GREATEST_PERPLEXITY_RATIO and scale > SCALES[0]:
                    continue
                said = replies(model, prompts, spoken)
            yield Tried(scale, listen(said), ratio)

    return choose(tries())


def choose(tries: Iterator[Tried]) -> Tried:
    """The first whose state is read often enough, else the first of those whose state is most probable.

    There is at least one; no more are made than needed.
    """
    seldom: list[Tried] = []
    for tried in tries:
        if tried.heard.recognised >= RECOGNISED:
            return tried
        seldom.append(tried)
    return max(seldom, key=lambda one: one.heard.probability)


@torch.inference_mode()
def replies(model: PeftModel, prompts: Sequence[Sequence[int]], spoken: Spoken) -> list[list[int]]:
    """One reply to each prompt, as tokens without the prompt; the same draws for the same seed."""
    longest = max(map(len, prompts))
    tokens = torch.tensor([[spoken.end] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spoken.seed)
        drawn = model.generate(  # type: ignore[no-untyped-call]
            input_ids=tokens,
            attention_mask=mask,
            max_new_tokens=spoken.max_tokens,
            do_sample=True,
            temperature=spoken.temperature,
            top_k=0,
            top_p=spoken.top_p,
            min_p=spoken.min_p,
            repetition_penalty=1.0,
            eos_token_id=spoken.end,
            pad_token_id=spoken.end,
        )
    return [row[longest:].tolist() for row in drawn]


def base_model(directory: Path) -> PreTrainedModel:
    """A base model in fp32. Raises OSError or ValueError for a directory that holds none."""
    return AutoModelForCausalLM.from_pretrained(directory, local_files_only=True, dtype=torch.float32)


def adapted(base: PreTrainedModel, adapter_dir: Path) -> PeftModel:
    """The base model with an adapter put on, as it was trained; `unload` takes it off."""
    with warnings.catch_warnings():
        # PEFT asks transformers for an attribute by its old name.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        return PeftModel.from_pretrained(base, str(adapter_dir)).eval()


@torch.inference_mode()
def loss(model: torch.nn.Module, sequences: Scored) -> float:
    """Mean negative log-probability of the scored tokens, in nats; one sequence at a time, unpadded."""
    total, count = 0.0, 0
    for tokens, scored in sequences:
        inputs = torch.tensor([list(tokens)])
        logits = model(inputs[:, :-1], logits_to_keep=scored).logits[0].float()
        targets = inputs[0, -scored:]
        total += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
        count += scored
    return total / count


@contextmanager
def scaled(model: torch.nn.Module, scale: float) -> Iterator[None]:
    """The model with its adapter at a scale while the block lasts."""
    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    for layer in layers:
        layer.set_scale("default", scale)
    try:
        yield
    finally:
        for layer in layers:
            layer.set_scale("default", 1.0)
