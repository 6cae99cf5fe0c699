"""What the model thinks of a prompt: log-probabilities of its tokens, the likeliest tokens, and named ones."""

from dataclasses import dataclass

import torch
from torch import Tensor

from emotional_ai_training.tinker_server.engine.base import BaseModel
from emotional_ai_training.tinker_server.errors import InvalidRequest

ROWS = 128
"""Rows of logits held at a time."""


@dataclass(frozen=True, slots=True)
class Scoring:
    """What is asked of a prompt of n tokens; the first has no context and is never scored."""

    logprobs: bool = False
    topk: int = 0
    """Likeliest tokens at each position."""
    last: int | None = None
    """Score only so many tokens at the end, 1 to n - 1."""
    targets: Tensor | None = None
    """Tokens [n - 1, k] to score at positions 1 to n - 1; -1 asks for nothing."""

    def check(self, length: int, vocabulary: int) -> None:
        """Raises InvalidRequest unless it fits a prompt of that length."""
        if not 0 <= self.topk <= vocabulary:
            raise InvalidRequest(f"topk_prompt_logprobs must be 0 to {vocabulary}, got {self.topk}")
        if self.last is not None and not (self.logprobs and 1 <= self.last < length):
            raise InvalidRequest(
                f"prompt_logprobs_last_n needs prompt_logprobs and must be 1 to {length - 1}, got {self.last}"
            )
        if self.targets is not None:
            if self.targets.ndim != 2 or self.targets.shape[0] != length - 1:
                raise InvalidRequest(
                    f"target_prompt_logprobs must be [{length - 1}, k], got {list(self.targets.shape)}"
                )
            if bool(((self.targets < -1) | (self.targets >= vocabulary)).any()):
                raise InvalidRequest(f"target_prompt_logprobs must hold token ids below {vocabulary}, or -1")

    @property
    def asked(self) -> bool:
        """Whether anything is."""
        return self.logprobs or self.topk > 0 or self.targets is not None


@dataclass(frozen=True, slots=True)
class PromptScores:
    """What was asked for, and None for what was not."""

    logprobs: Tensor | None = None
    """[n] fp32, NaN where nothing was scored."""
    topk: tuple[Tensor, Tensor] | None = None
    """Tokens and log-probabilities [n, k]; token 0 and -99999 where nothing was scored."""
    targets: Tensor | None = None
    """[n - 1, k] fp32, 0 where nothing was asked."""


UNSCORED = -99999.0


def score_prompt(base: BaseModel, hidden: Tensor, prompt: tuple[int, ...], asked: Scoring) -> PromptScores:
    """Scores of a prompt of n tokens from its hidden states [n, width]."""
    if not asked.asked or len(prompt) < 2:
        return _nothing(len(prompt), asked)
    first = 1 if asked.last is None or asked.targets is not None else len(prompt) - asked.last
    tokens = torch.tensor(prompt)
    logprobs = torch.full((len(prompt),), float("nan"))
    top_tokens = torch.zeros(len(prompt), asked.topk, dtype=torch.int64)
    top_values = torch.full((len(prompt), asked.topk), UNSCORED)
    targets = None if asked.targets is None else torch.zeros(asked.targets.shape)
    for start in range(first, len(prompt), ROWS):
        rows = slice(start, min(start + ROWS, len(prompt)))
        found = torch.log_softmax(base.logits(hidden[rows.start - 1 : rows.stop - 1]), -1).cpu()
        logprobs[rows] = found.gather(-1, tokens[rows, None])[:, 0]
        if asked.topk:
            top_values[rows], top_tokens[rows] = found.topk(asked.topk)
        if targets is not None and asked.targets is not None:
            wanted = asked.targets[rows.start - 1 : rows.stop - 1]
            targets[rows.start - 1 : rows.stop - 1] = found.gather(-1, wanted.clamp(min=0)).masked_fill(wanted < 0, 0.0)
    if asked.last is not None:
        unscored = slice(0, len(prompt) - asked.last)
        logprobs[unscored], top_tokens[unscored], top_values[unscored] = float("nan"), 0, UNSCORED
    return PromptScores(logprobs if asked.logprobs else None, (top_tokens, top_values) if asked.topk else None, targets)


def _nothing(length: int, asked: Scoring) -> PromptScores:
    """Scores of a prompt that has nothing to score."""
    return PromptScores(
        torch.full((length,), float("nan")) if asked.logprobs else None,
        (torch.zeros(length, asked.topk, dtype=torch.int64), torch.full((length, asked.topk), UNSCORED))
        if asked.topk
        else None,
        None if asked.targets is None else torch.zeros(asked.targets.shape),
    )
