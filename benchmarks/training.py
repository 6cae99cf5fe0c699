"""Training through the SDK and the local Tinker-compatible server, against a plain torch + PEFT loop on the same data.

    python benchmarks/training.py [--quick] [--json]

Both compute in fp32 on all processors, batches of 8 rows of training data, rank 8 on q, k, v and o; they take turns, a few
steps each, within one run. Tokens per second count every token of a row, learned or not. Needs the models
(`emotional-ai models pull`).
"""

import itertools
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import tinker
import torch
from apparatus import outcome
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset.drafting import cells, grammar_drafts, levels_of
from emotional_ai_training.dataset.prompts import load_prompts
from emotional_ai_training.dataset.replies import load_voices
from emotional_ai_training.dataset.rows import Split
from emotional_ai_training.models import cache_dir, default_model_dir
from emotional_ai_training.recipes.course import CLIP, adam
from emotional_ai_training.recipes.examples import ChatTokenizer, Example
from emotional_ai_training.recipes.fine_tuning import mean_loss_data
from emotional_ai_training.tinker_server.process import LocalServer

BATCH: Final = 8
RANK: Final = 8
RATE: Final = 1e-3
SECONDS: Final = 300.0
IGNORED: Final = -100
"""Label of a token that is not learned, to torch's cross-entropy."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    steps: int
    """Steps of each in a round."""


FULL: Final = Plan(rounds=7, steps=4)
QUICK: Final = Plan(rounds=3, steps=2)


def batches(tokenizer: ChatTokenizer, count: int) -> list[list[Example]]:
    """Batches of the project's own training rows, as the grammar writes them."""
    prompts, voices = load_prompts(), load_voices(ADAPTERS)
    drafts = [
        draft
        for cell in cells(ADAPTERS)
        if cell.split is Split.TRAIN
        for draft in itertools.islice(grammar_drafts(cell, prompts, voices[cell.state], seed=0), count * BATCH // 12)
    ]
    rows = [draft.row(str(n), levels_of(str(n), draft.cell.state, 0), {}) for n, draft in enumerate(drafts)]
    examples = [tokenizer.example(row.id, [(m.role, m.content) for m in row.messages]) for row in rows]
    return [examples[start :: len(examples) // BATCH][:BATCH] for start in range(count)]


class PlainLoop:
    """The loop one writes by hand: padded batches, labels, Adam."""

    def __init__(self, directory: Path) -> None:
        torch.manual_seed(0)
        base = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
        targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
        self._model: PeftModel = get_peft_model(base, LoraConfig(r=RANK, lora_alpha=32, target_modules=targets))
        self._parameters = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.Adam(self._parameters, lr=RATE, betas=(0.9, 0.95))

    def steps(self, given: Sequence[Sequence[Example]]) -> list[float]:
        """Losses of steps, in nats per learned token."""
        return [self._step(batch) for batch in given]

    def _step(self, batch: Sequence[Example]) -> float:
        longest = max(len(example.tokens) for example in batch)
        inputs = torch.zeros(len(batch), longest, dtype=torch.long)
        labels = torch.full_like(inputs, IGNORED)
        mask = torch.zeros_like(inputs)
        for row, example in enumerate(batch):
            end = len(example.tokens)
            inputs[row, :end] = torch.tensor(example.tokens)
            labels[row, end - example.trained : end] = inputs[row, end - example.trained : end]
            mask[row, :end] = 1
        loss: torch.Tensor = self._model(input_ids=inputs, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, CLIP)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return loss.item()


def through_sdk(client: tinker.TrainingClient) -> Callable[[Sequence[Sequence[Example]]], list[float]]:
    """The same steps through SDK, wire and server, each submitted before the one before is waited for."""

    def steps(given: Sequence[Sequence[Example]]) -> list[float]:
        submitted = [
            (client.forward_backward(mean_loss_data(batch), "cross_entropy"), client.optim_step(adam(RATE)))
            for batch in given
        ]
        losses = []
        for gradient, optimizer in submitted:
            losses.append(float(gradient.result(SECONDS).metrics["loss:sum"]))
            optimizer.result(SECONDS)
        return losses

    return steps


def timed(
    steps: Callable[[Sequence[Sequence[Example]]], list[float]], given: Sequence[Sequence[Example]]
) -> tuple[float, list[float]]:
    """Tokens per second of steps, and their losses."""
    tokens = sum(len(example.tokens) for batch in given for example in batch)
    begun = perf_counter()
    losses = steps(given)
    return tokens / (perf_counter() - begun), losses


def measure(plan: Plan, directory: Path) -> outcome.Result:
    """Rounds in turns, the first of each not counted."""
    given = batches(ChatTokenizer(directory), (plan.rounds + 1) * plan.steps)
    plain = PlainLoop(directory)
    speeds: dict[str, list[float]] = {"plain": [], "sdk": []}
    ratios = []
    with tempfile.TemporaryDirectory() as state, LocalServer(directory, Path(state)) as server:
        service = tinker.ServiceClient(base_url=server.base_url, api_key=server.api_key)
        client = service.create_lora_training_client(
            directory.name, rank=RANK, seed=0, train_mlp=False, train_unembed=False
        ).result(SECONDS)
        sdk = through_sdk(client)
        for number in range(plan.rounds + 1):
            part = given[number * plan.steps : (number + 1) * plan.steps]
            by_hand, _ = timed(plain.steps, part)
            by_sdk, losses = timed(sdk, part)
            if number:
                speeds["plain"].append(by_hand)
                speeds["sdk"].append(by_sdk)
                ratios.append(by_sdk / by_hand)
        service.close("success").result(SECONDS)
    return {
        "rounds": plan.rounds,
        "ratio": round(median(ratios), 3),
        "plain_tokens_per_second": round(median(speeds["plain"])),
        "sdk_tokens_per_second": round(median(speeds["sdk"])),
        "last_loss": round(losses[-1], 3),
    }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    os.environ["TINKER_TELEMETRY"] = "0"
    disable_progress_bar()  # type: ignore[no-untyped-call]
    result = measure(QUICK if flags.quick else FULL, default_model_dir(cache_dir(os.environ)))
    outcome.show(result, only_json=flags.json)


if __name__ == "__main__":
    main()
