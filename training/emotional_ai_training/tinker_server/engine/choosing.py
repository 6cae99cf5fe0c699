"""Which token comes next, and when a reply ends: one sequence at a time, with a random source of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import torch
from torch import Tensor

from emotional_ai_training.tinker_server.errors import InvalidRequest

LONGEST_STOP: Final = 64
"""Characters of a stop string; longer ones are refused."""
CHARACTER_BYTES: Final = 4
"""The most that UTF-8 takes for a character."""
LEAST_TEMPERATURE: Final = 1e-30
"""Below it the likeliest token is taken, as fp32 cannot divide by it."""
LIKELIEST: Final = 1024
"""Tokens sorted at first; all of them only where these do not reach top_p."""


class StopReason(StrEnum):
    """Why a sequence ended."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Stops:
    """What ends a sequence: any of `tokens`, or text that holds any of `strings`."""

    tokens: frozenset[int]
    strings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for text in self.strings:
            if not text or len(text) > LONGEST_STOP:
                raise InvalidRequest(f"a stop string must have 1 to {LONGEST_STOP} characters, got {text[:200]!r}")


@dataclass(frozen=True, slots=True)
class Choice:
    """How tokens are drawn: `temperature` 0 takes the likeliest; `top_k` -1 and `top_p` 1 leave all tokens in."""

    max_tokens: int
    temperature: float = 1.0
    top_k: int = -1
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise InvalidRequest(f"max_tokens must be 1 or more, got {self.max_tokens}")
        if not 0 <= self.temperature < float("inf"):
            raise InvalidRequest(f"temperature must be 0 or more, got {self.temperature}")
        if self.top_k != -1 and self.top_k < 1:
            raise InvalidRequest(f"top_k must be -1 or at least 1, got {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise InvalidRequest(f"top_p must be above 0 and at most 1, got {self.top_p}")


def choose(logprobs: Tensor, choice: Choice, draw: torch.Generator) -> int:
    """A token from log-probabilities [vocabulary]; one number is drawn, on the CPU, so that neighbours change nothing."""
    if choice.temperature < LEAST_TEMPERATURE:
        return int(logprobs.argmax())
    scaled = logprobs / choice.temperature
    if choice.top_k != -1 or choice.top_p < 1:
        return _from_kept(scaled, choice, draw)
    weights = torch.softmax(scaled, -1).double().cumsum(-1)
    return _inverse(weights, draw)


def _from_kept(scaled: Tensor, choice: Choice, draw: torch.Generator) -> int:
    """A token from the `top_k` likeliest, and of those from the fewest that reach `top_p`."""
    count = len(scaled) if choice.top_k == -1 else min(choice.top_k, len(scaled))
    # Only the whole vocabulary's mass is known without sorting it.
    values, tokens = scaled.topk(min(count, LIKELIEST) if choice.top_k == -1 else count)
    whole = torch.logsumexp(scaled if count > len(values) else values, -1)
    if len(values) < count and float(torch.exp(values - whole).sum()) < choice.top_p:
        values, tokens = scaled.topk(count)
        whole = torch.logsumexp(values, -1)
    weights = torch.exp(values - whole).double()
    before = weights.cumsum(-1) - weights
    kept = weights * (before < choice.top_p)
    return int(tokens[_inverse(kept.cumsum(-1), draw)])


def _inverse(cumulative: Tensor, draw: torch.Generator) -> int:
    """The first place whose cumulative weight exceeds a uniform share of the whole."""
    point = torch.rand((), generator=draw, dtype=torch.float64).to(cumulative.device) * cumulative[-1]
    return min(int(torch.searchsorted(cumulative, point, right=True)), len(cumulative) - 1)


def text_stops(decode: Callable[[Sequence[int]], str], tokens: Sequence[int], strings: tuple[str, ...]) -> bool:
    """Whether the text of `tokens` holds a stop string that its last token completed.

    As many tokens are decoded as the longest string has bytes, because each carries one or more, and one before them,
    because some decoders drop the space that begins a text.
    """
    longest = max(len(text.encode()) for text in strings)
    for before in range(1, 1 + CHARACTER_BYTES):
        tail = decode(tokens[-longest - before :])
        if any(text in tail for text in strings):
            return True
        # Begun inside a character, a run of bytes may be unreadable to its end.
        if not tail.startswith("\ufffd"):
            return False
    return False
