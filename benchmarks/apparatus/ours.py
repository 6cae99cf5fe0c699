"""Our scheduler as a contender: in its process, without gRPC around it, replies never ending before their length."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from apparatus.adapters import publish_one
from apparatus.turns import Kind, Measured, Player, Setting, Turn, serve
from emotional_ai_service.decoding.fixed_graphs import OFTEN
from emotional_ai_service.decoding.loading import load
from emotional_ai_service.decoding.messages import (
    Blend,
    BlendWeight,
    Finished,
    GenerationRequest,
    Message,
    Precision,
    Role,
    Sampling,
    Text,
    Voice,
    VoiceChange,
)
from emotional_ai_service.decoding.model import LocalModel
from emotional_ai_service.decoding.openvino_runtime import OpenVinoRuntime
from emotional_ai_service.decoding.scheduler import Scheduler, union, weights_of
from emotional_ai_service.workers.messages import Ended, Event, Outcome, Raised
from emotional_ai_training.models import cache_dir, model_digest

GREEDY = Sampling(temperature=0, top_p=1, repetition_penalty=1)
LONG = 2000
"""Tokens of a reply that outlasts its turn."""
PLAYED = 9
"""Services that this process plays: without adapters, with the random ones and with the shipped, each spoken to by 1, 4 and 16.
A service has graphs for two such."""


class Ours:
    """The scheduler, and a number for every request."""

    def __init__(self, setting: Setting) -> None:
        torch.set_num_threads(setting.threads)
        self._model = Path(setting.model)
        self._loras = Path(setting.adapters[0][0]).parent
        self._cache = cache_dir(os.environ)
        model = LocalModel(self._model, self._cache, self._loras, precision=Precision(setting.dtype))
        self._scheduler: Scheduler = load(model)
        self._scheduler._speaker = replace(self._scheduler._speaker, ends=frozenset())
        runtime = self._scheduler._speaker.runtime
        if not isinstance(runtime, OpenVinoRuntime):
            raise TypeError(f"{type(runtime).__name__} is no runtime for this benchmark")
        self._runtime = runtime
        runtime.fixed.most = PLAYED
        self._tickets = 0
        self._seen: set[tuple[int, tuple[str, ...]]] = set()

    def play(self, turn: Turn) -> Measured:
        """One turn."""
        plays = {
            Kind.SPEAK: self._speak,
            Kind.SWITCH: self._switch,
            Kind.FIRST: self._first_token,
            Kind.SWAP: self._swap,
        }
        return plays[turn.kind](turn)

    def _speak(self, turn: Turn) -> Measured:
        self._get_used_to(turn)
        requests = [self._request(turn, index, turn.tokens) for index in range(len(turn.messages))]
        begun = perf_counter()
        for request in requests:
            self._begin(request)
        finished: list[Finished] = []
        while self._scheduler.busy():
            finished += [event for event in self._step() if isinstance(event, Finished)]
        seconds = perf_counter() - begun
        tokens = sum(one.completion_tokens for one in finished)
        if tokens != turn.tokens * len(requests):
            raise RuntimeError(f"{tokens} tokens were spoken instead of {turn.tokens * len(requests)}")
        return {"tokens": tokens, "seconds": seconds}

    def _get_used_to(self, turn: Turn) -> None:
        """Has as many replies with these adapters spoken as a service speaks before it has a graph for them, if it has none."""
        kind = len(turn.messages), turn.adapters if turn.blends else ()
        if kind in self._seen:
            return
        self._seen.add(kind)
        tickets = {self._begin(self._request(turn, index, LONG)) for index in range(len(turn.messages))}
        self._until_spoken(tickets)
        for _ in range(OFTEN):
            self._step()
        self._abandon()
        self._runtime.fixed.settle()

    def _switch(self, turn: Turn) -> Measured:
        """From a new voice to the weights in the runtime's inputs; `spread` is the part from the resolved blend on."""
        ticket = self._begin(replace(self._request(turn, 0, LONG), schedule=()))
        self._until_spoken({ticket})
        scheduler = self._scheduler
        sequence = scheduler._active[ticket]
        whole, spread = [], []
        for weights in turn.blends[1:]:
            voice = Voice(_blend(turn, weights), 0, 1)
            self._step()  # a blend changes at most once a token
            begun = perf_counter()
            scheduler.update(ticket, voice)
            changes = scheduler._turn()
            resolved = perf_counter()
            adapters = union([sequence.blend])
            table = weights_of([sequence.blend], [1], adapters)
            self._runtime.take_weights(scheduler._stacks.of(adapters), table)
            ended = perf_counter()
            if len(changes) != 1:
                raise RuntimeError("the blend did not change")
            whole.append(ended - begun)
            spread.append(ended - resolved)
        self._abandon()
        return {"seconds": median(whole), "spread_seconds": median(spread)}

    def _first_token(self, turn: Turn) -> Measured:
        """`seconds` to the last prompt's first token; `pause_seconds` is the longest of the others meanwhile."""
        last = len(turn.messages) - 1
        others = {self._begin(self._request(turn, index, LONG)) for index in range(last)}
        self._until_spoken(others)
        begun = before = perf_counter()
        self._begin(self._request(turn, last, 1))
        pause = 0.0
        while not any(isinstance(event, Finished) for event in self._step()):
            now = perf_counter()
            before, pause = now, max(pause, now - before)
        seconds = perf_counter() - begun
        self._abandon()
        return {"seconds": seconds, "pause_seconds": pause if others else 0.0}

    def _swap(self, turn: Turn) -> Measured:
        """`seconds` to the first token after new content was published, `usual_seconds` without."""
        name = Path(turn.adapters[0]).name
        usual = self._first(turn, 0)
        begun = perf_counter()
        digest = model_digest(self._model, self._cache)
        publish_one(self._model, digest, self._loras, name, seed=self._tickets)
        published = perf_counter()
        first = self._first(turn, 1)
        # The graphs with the content before are gone: replies are spoken until there are others, before any is timed again.
        self._seen = {(count, adapters) for count, adapters in self._seen if adapters != turn.adapters}
        return {"seconds": first, "usual_seconds": usual, "publish_seconds": published - begun}

    def _first(self, turn: Turn, index: int) -> float:
        begun = perf_counter()
        self._begin(self._request(turn, index, 1))
        while self._scheduler.busy():
            self._step()
        return perf_counter() - begun

    def _request(self, turn: Turn, index: int, tokens: int) -> GenerationRequest:
        system, question = turn.messages[index]
        blend = _blend(turn, turn.blends[index]) if turn.blends else ()
        schedule: tuple[VoiceChange, ...] = ()
        if turn.way == "moving":
            voices = [Voice(_blend(turn, weights), 0, 1) for weights in turn.blends]
            schedule = tuple(VoiceChange(at, voices[(index + at) % len(voices)]) for at in range(tokens))
        return GenerationRequest(
            (Message(Role.SYSTEM, system), Message(Role.USER, question)),
            seed=index,
            sampling=Sampling() if turn.way == "sampled" else GREEDY,
            max_tokens=tokens,
            blend=blend,
            schedule=schedule,
        )

    def _begin(self, request: GenerationRequest) -> int:
        self._tickets += 1
        self._scheduler.begin(self._tickets, request)
        return self._tickets

    def _step(self) -> list[object]:
        return [event for outcome in self._scheduler.step() for event in _events(outcome)]

    def _until_spoken(self, tickets: set[int]) -> None:
        """Steps until each of these replies has begun."""
        missing = set(tickets)
        while missing:
            for outcome in self._scheduler.step():
                if isinstance(outcome, Event) and isinstance(outcome.value, Text):
                    missing.discard(outcome.ticket)
                _events(outcome)

    def _abandon(self) -> None:
        for ticket in range(self._tickets + 1):
            self._scheduler.cancel(ticket)


def _events(outcome: Outcome) -> list[object]:
    if isinstance(outcome, Raised):
        raise outcome.error
    return [] if isinstance(outcome, Ended) else [outcome.value]


def _blend(turn: Turn, weights: tuple[float, ...]) -> Blend:
    return tuple(
        BlendWeight(Path(adapter).name, weight) for adapter, weight in zip(turn.adapters, weights, strict=True)
    )


def build(setting: Setting) -> Player:
    """Loads the model."""
    return Ours(setting).play


if __name__ == "__main__":
    serve(build)
    sys.exit()
