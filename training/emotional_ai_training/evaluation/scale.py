"""The scale at which an adapter speaks at its full strength, found on held-out replies.

The scale that makes the held-out replies of the adapter's state most probable at the temperature the state is spoken at, among
those that leave neutral text nearly as probable as the base model finds it: what is drawn hotter must be the surer of itself.
Needs the base model on this machine.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM, PreTrainedModel

SCALES: Final = (0.5, 0.75, 1.0, 1.25, 1.5)
GREATEST_PERPLEXITY_RATIO: Final = 1.15


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was found: the scale, and what was measured at each of SCALES."""

    scale: float | None
    """None where no scale leaves neutral text within GREATEST_PERPLEXITY_RATIO."""
    losses: tuple[float, ...]
    """Mean negative log-probability of the state's held-out replies, in nats per token."""
    perplexity_ratios: tuple[float, ...]
    """Perplexity of neutral text as a multiple of the base model's."""


Scored = Sequence[tuple[Sequence[int], int]]
"""Token sequences, and how many of each one's last tokens are scored."""


def calibrate(model_dir: Path, adapter_dir: Path, replies: Scored, neutral: Scored, temperature: float) -> Calibration:
    """Tries every scale on held-out `replies` of the adapter's state, drawn at `temperature`, and on `neutral` text.

    Raises ValueError if either is empty, OSError if a directory holds no model.
    """
    if not replies or not neutral:
        raise ValueError("a calibration needs held-out replies and neutral text")
    base = AutoModelForCausalLM.from_pretrained(model_dir, local_files_only=True, dtype=torch.float32)
    model = adapted(base, adapter_dir)
    with scaled(model, 0.0):
        plain = loss(model, neutral)
    losses, ratios = [], []
    for scale in SCALES:
        with scaled(model, scale):
            losses.append(loss(model, replies, temperature))
            ratios.append(math.exp(loss(model, neutral) - plain))
    return Calibration(choose(losses, ratios), tuple(losses), tuple(ratios))


def adapted(base: PreTrainedModel, adapter_dir: Path) -> PeftModel:
    """The base model with an adapter put on, as it was trained; `unload` takes it off."""
    with warnings.catch_warnings():
        # PEFT asks transformers for an attribute by its old name.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        return PeftModel.from_pretrained(base, str(adapter_dir)).eval()


def choose(losses: Sequence[float], ratios: Sequence[float]) -> float | None:
    """The scale of the smallest loss among those within the bound on neutral text; None if none is."""
    allowed = [i for i, ratio in enumerate(ratios) if ratio <= GREATEST_PERPLEXITY_RATIO]
    return SCALES[min(allowed, key=lambda i: losses[i])] if allowed else None


@torch.inference_mode()
def loss(model: torch.nn.Module, sequences: Scored, temperature: float = 1.0) -> float:
    """Mean negative log-probability of the scored tokens, in nats, drawn at `temperature`; one sequence at a time, unpadded."""
    total, count = 0.0, 0
    for tokens, scored in sequences:
        inputs = torch.tensor([list(tokens)])
        logits = model(inputs[:, :-1], logits_to_keep=scored).logits[0].float() / temperature
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
