"""Sampling: prompts read in batches, replies decoded together, each sequence with a random source of its own.

Log-probabilities are the model's own, at temperature 1 over the whole vocabulary, whatever the sampling settings: they
equal what compute_logprobs says of the same text, which is what a policy-gradient ratio needs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor
from transformers import DynamicCache

from emotional_ai_training.tinker_server.engine.adapter import Adapter
from emotional_ai_training.tinker_server.engine.base import BaseModel
from emotional_ai_training.tinker_server.engine.batching import rectangles
from emotional_ai_training.tinker_server.engine.cache import Layers, SharedCache, layers_of
from emotional_ai_training.tinker_server.engine.choosing import Choice, StopReason, Stops, choose, text_stops
from emotional_ai_training.tinker_server.engine.scoring import PromptScores, Scoring, score_prompt
from emotional_ai_training.tinker_server.errors import InvalidRequest

TOGETHER: Final = 64
"""Sequences decoded together."""


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """One prompt and what is wanted of it.

    Sample i of a request depends on the seed, i and the weights alone, but for rounding: what is read together is rounded
    together, which shifts log-probabilities by some 1e-3 in bf16 and 1e-6 in fp32.
    """

    prompt: tuple[int, ...]
    samples: int
    choice: Choice
    stops: Stops
    seed: int
    scoring: Scoring = field(default_factory=Scoring)
    topk: int = 0
    """Likeliest tokens reported for each sampled one."""

    def check(self, base: BaseModel) -> None:
        """Raises InvalidRequest unless the model can do it."""
        if not self.prompt:
            raise InvalidRequest("the prompt is empty")
        base.check_tokens(min(self.prompt), max(self.prompt))
        if not 1 <= self.samples <= 1024:
            raise InvalidRequest(f"num_samples must be 1 to 1024, got {self.samples}")
        if len(self.prompt) >= base.context_length:
            raise InvalidRequest(
                f"{len(self.prompt)} prompt tokens leave no room for another in the model's {base.context_length}; a prompt "
                f"may have {base.context_length - 1}, for compute_logprobs too, as it is sent as sampling one token"
            )
        if len(self.prompt) + self.choice.max_tokens > base.context_length:
            raise InvalidRequest(
                f"{len(self.prompt)} prompt tokens and max_tokens {self.choice.max_tokens} exceed the model's "
                f"{base.context_length}"
            )
        if not 0 <= self.topk <= base.vocabulary:
            raise InvalidRequest(f"topk_sample_logprobs must be 0 to {base.vocabulary}, got {self.topk}")
        self.scoring.check(len(self.prompt), base.vocabulary)


@dataclass(slots=True)
class Sampled:
    """One sequence: its tokens, the one that ended it included, with their log-probabilities."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    topk: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    reason: StopReason | None = None


@dataclass(frozen=True, slots=True)
class SampleResult:
    """The sequences of a request, and the scores of its prompt."""

    sequences: tuple[Sampled, ...]
    scores: PromptScores


@dataclass(frozen=True, slots=True)
class _Live:
    """A sequence being decoded, and where its prompt was read: prompt batch and row."""

    request: SampleRequest
    sequence: Sampled
    draw: torch.Generator
    prompt: tuple[int, int]

    def take(self, logprobs: Tensor, base: BaseModel) -> None:
        """Draws the next token from log-probabilities [vocabulary]."""
        token = choose(logprobs, self.request.choice, self.draw)
        sequence, stops = self.sequence, self.request.stops
        sequence.tokens.append(token)
        sequence.logprobs.append(float(logprobs[token]))
        if self.request.topk:
            values, tokens = logprobs.topk(self.request.topk)
            sequence.topk.append((tokens.cpu(), values.cpu()))
        if token in stops.tokens or (stops.strings and text_stops(base.text, sequence.tokens, stops.strings)):
            sequence.reason = StopReason.STOP
        elif len(sequence.tokens) == self.request.choice.max_tokens:
            sequence.reason = StopReason.LENGTH


def sample(base: BaseModel, adapter: Adapter | None, requests: Sequence[SampleRequest]) -> list[SampleResult]:
    """Results in the order of `requests`, each of which was checked."""
    results: list[SampleResult] = []
    with base.wearing(adapter), torch.inference_mode():
        for group in _groups(requests):
            results += _sampled(base, group)
    return results


def _groups(requests: Sequence[SampleRequest]) -> Iterator[list[SampleRequest]]:
    group: list[SampleRequest] = []
    for request in requests:
        if group and sum(member.samples for member in group) + request.samples > TOGETHER:
            yield group
            group = []
        group.append(request)
    if group:
        yield group


def _sampled(base: BaseModel, requests: Sequence[SampleRequest]) -> list[SampleResult]:
    prompts: list[Layers] = []
    live: dict[int, list[_Live]] = {}
    scores: dict[int, PromptScores] = {}
    for rectangle in rectangles([request.prompt for request in requests]):
        members = [requests[member] for member in rectangle.members]
        cache = DynamicCache(config=base.model.config) if any(m.choice.max_tokens > 1 for m in members) else None
        hidden = base.body(rectangle.tokens, cache)
        for row, (place, request) in enumerate(zip(rectangle.members, members, strict=True)):
            own = hidden[row, : len(request.prompt)]
            scores[place] = score_prompt(base, own, request.prompt, request.scoring)
            first = torch.log_softmax(base.logits(own[-1:]), -1)[0]
            live[place] = [
                _Live(request, Sampled(), _source(request.seed, index), (len(prompts), row))
                for index in range(request.samples)
            ]
            for sequence in live[place]:
                sequence.take(first, base)
        prompts.append([] if cache is None else layers_of(cache))
    unfinished = [one for place in range(len(requests)) for one in live[place] if one.sequence.reason is None]
    for start in range(0, len(unfinished), TOGETHER):
        _decode(base, prompts, unfinished[start : start + TOGETHER])
    return [SampleResult(tuple(one.sequence for one in live[place]), scores[place]) for place in range(len(requests))]


def _decode(base: BaseModel, prompts: Sequence[Layers], live: list[_Live]) -> None:
    """Decodes sequences to their ends; rows of ended ones are dropped once they are half of the batch."""
    room = max(one.request.choice.max_tokens for one in live)
    used = sorted({one.prompt[0] for one in live})
    rows = [(used.index(one.prompt[0]), one.prompt[1]) for one in live]
    shared = SharedCache([prompts[batch] for batch in used], rows, [len(one.request.prompt) for one in live], room)
    while live:
        tokens = torch.tensor([[one.sequence.tokens[-1]] for one in live])
        positions, mask = shared.next(base.device)
        hidden = base.step(tokens, shared.cache, positions, mask)
        logprobs = torch.log_softmax(base.logits(hidden), -1)
        for row, one in enumerate(live):
            if one.sequence.reason is None:
                one.take(logprobs[row], base)
        going = [row for row, one in enumerate(live) if one.sequence.reason is None]
        if 2 * len(going) <= len(live):
            live = [live[row] for row in going]
            if live:
                shared.keep(going)


def _source(seed: int, index: int) -> torch.Generator:
    """The random source of one sample."""
    return torch.Generator().manual_seed((seed * 0x9E3779B97F4A7C15 + index) % 2**63)
