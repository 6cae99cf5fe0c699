"""Prompts that no cache has seen: each begins with a number of its own, and each session has a blend of its own."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from transformers import AutoTokenizer

from apparatus.turns import Kind, Turn
from emotional_ai_service.decoding.messages import GenerationRequest, Message, Role
from emotional_ai_service.decoding.prompt import prompt_tokens

CONTEXT = 8192
QUESTIONS = (
    "Tell me a long story about a lighthouse keeper and the sea.",
    "What would you say to a friend who lost a race?",
    "Describe the market of a small town on a rainy morning.",
    "How does bread rise, and why does it smell so good?",
)


class Dialogues:
    """Makes turns; `seed` decides the blends and the numbers."""

    def __init__(self, model: Path, seed: int) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(model)
        self._draw = np.random.default_rng(seed)

    def speak(
        self, sessions: int, tokens: int, adapters: Sequence[Path], *, shared: bool = False, way: str = ""
    ) -> Turn:
        """Replies for so many sessions, all of one blend if `shared`; without adapters, of the base model."""
        blends = self.blends(1 if shared else sessions, len(adapters)) * (sessions if shared else 1)
        messages = [(self._system(), QUESTIONS[index % len(QUESTIONS)]) for index in range(sessions)]
        return self._turn(Kind.SPEAK, messages, blends if adapters else (), adapters, tokens, way)

    def first_token(self, others: int, length: int, adapters: Sequence[Path]) -> Turn:
        """A prompt of about `length` tokens while so many others speak."""
        system, words = self._system(), "and then it rained again "
        count = 1
        while len(self._ids(system, words * count)) < length:
            count += 1
        messages = [(self._system(), QUESTIONS[index % len(QUESTIONS)]) for index in range(others)]
        messages.append((system, words * count))
        return self._turn(Kind.FIRST, messages, self.blends(others + 1, len(adapters)), adapters, 1, "")

    def one(self, kind: Kind, blends: int, adapters: Sequence[Path], way: str = "") -> Turn:
        """A turn with few prompts and so many blends."""
        messages = [(self._system(), QUESTIONS[0]) for _ in range(2)]
        return self._turn(kind, messages, self.blends(blends, len(adapters)), adapters, 1, way)

    def blends(self, count: int, adapters: int) -> tuple[tuple[float, ...], ...]:
        """Weights of which none is zero and which sum to 1, rounded as our decoder rounds them."""
        raw = self._draw.uniform(0.2, 1.0, (count, adapters))
        shares = np.round(raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-9) * 1024) / 1024
        return tuple(tuple(float(weight) for weight in row) for row in shares)

    def _turn(
        self,
        kind: Kind,
        messages: Sequence[tuple[str, str]],
        blends: tuple[tuple[float, ...], ...],
        adapters: Sequence[Path],
        tokens: int,
        way: str,
    ) -> Turn:
        prompts = tuple(self._ids(system, question) for system, question in messages)
        return Turn(kind, prompts, tuple(messages), blends, tuple(map(str, adapters)), tokens, way)

    def _system(self) -> str:
        return f"{self._draw.integers(10**6, 10**7)} is your number. You are a warm companion."

    def _ids(self, system: str, question: str) -> tuple[int, ...]:
        messages = (Message(Role.SYSTEM, system), Message(Role.USER, question))
        return tuple(prompt_tokens(self._tokenizer, GenerationRequest(messages, seed=0, max_tokens=1), CONTEXT))
