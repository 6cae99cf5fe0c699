"""What an evaluation asks, in which state, with what of the system left out. Pure, and fixed by its settings alone.

Every question of one prompt has the same seed in every state and arm, so that states are compared on the same draws.
"""

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from emotional_ai_training.conditioning import ADAPTERS, BASELINE, Levels, prototype
from emotional_ai_training.dataset.prompts import SpelledPrompt
from emotional_ai_training.dataset.rows import CHEMICALS

LEVELS: Final = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
"""Levels a chemical is swept over, the others at their baseline."""
CORNER: Final = (0.15, 0.85)
"""Low and high level of the corners."""


class Arm(StrEnum):
    """What of the system speaks."""

    FULL = "full"
    """All of it."""
    MATCHED = "matched"
    """All but temperature and top_p, which stay as at rest."""
    TOKENS = "tokens"
    """The state told to the base model in tokens and words, as it is conditioned; no adapters, sampling as at rest."""
    ADAPTERS = "adapters"
    """The blend alone; the state is not told, sampling as at rest."""
    SAMPLING = "sampling"
    """Temperature and top_p alone."""
    WORDS = "words"
    """The base model asked in plain words to speak so; nothing else."""
    SHUFFLED = "shuffled"
    """All of it, in a state drawn from the same sweep instead of the one it is counted for."""
    PLAIN = "plain"
    """The base model as it is."""


CONTROLS: Final = (Arm.MATCHED, Arm.TOKENS, Arm.ADAPTERS, Arm.SAMPLING, Arm.WORDS, Arm.SHUFFLED)


class Part(StrEnum):
    """What a question is asked for."""

    SWEEP = "sweep"
    CONTROL = "control"
    PROTOTYPE = "prototype"
    CORNER = "corner"
    PLAIN = "plain"
    HARMFUL = "harmful"
    SYCOPHANCY = "sycophancy"
    DIALOGUE = "dialogue"


@dataclass(frozen=True, slots=True)
class Question:
    """One reply to ask for. `point` names the state within its part; `state` is the one spoken in."""

    part: Part
    arm: Arm
    point: str
    state: Levels
    prompt_id: str
    text: str
    seed: int

    @property
    def key(self) -> str:
        """Names it among all of an evaluation."""
        return key(self.part, self.arm, self.point, self.prompt_id, self.seed)


def key(part: Part, arm: Arm, point: str, prompt_id: str, seed: int) -> str:
    """Names a question among all of an evaluation."""
    return "/".join((part, arm, point, prompt_id, str(seed)))


def rows_of(
    rows: Mapping[str, int], part: Part, arm: Arm, point: str, prompts: Sequence[SpelledPrompt], seed: int
) -> list[int]:
    """Which rows are the replies to every prompt at a point, with a seed of the protocol; `rows` finds a row by its key."""
    return [rows[key(part, arm, point, prompt.id, draw_seed(seed, i))] for i, prompt in enumerate(prompts)]


@dataclass(frozen=True, slots=True)
class Protocol:
    """How much is asked. Raises ValueError for a control level that is not swept, or for nothing to ask."""

    prompts: tuple[SpelledPrompt, ...]
    seeds: tuple[int, ...] = (1, 2)
    levels: tuple[float, ...] = LEVELS
    control_levels: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    """Levels the controls are swept over; among `levels`. Controls take the first seed alone."""
    max_tokens: int = 40

    def __post_init__(self) -> None:
        if not self.prompts or not self.seeds or len(self.levels) < 2:
            raise ValueError("an evaluation needs prompts, seeds and at least two levels")
        if not set(self.control_levels) <= set(self.levels):
            raise ValueError(f"control levels must be among {self.levels}, got {self.control_levels}")

    def steering(self) -> Iterator[Question]:
        """Sweeps, controls, prototypes, corners and the plain model."""
        first = self.seeds[:1]
        yield from self._asked(Part.PLAIN, Arm.PLAIN, [("rest", BASELINE)], self.seeds)
        yield from self._asked(Part.PROTOTYPE, Arm.FULL, [(name, prototype(name)) for name in ADAPTERS], self.seeds)
        yield from self._asked(Part.SWEEP, Arm.FULL, swept(self.levels), self.seeds)
        yield from self._asked(Part.CORNER, Arm.FULL, corners(), first)
        for arm in CONTROLS:
            yield from self._asked(Part.CONTROL, arm, swept(self.control_levels), first)

    def _asked(
        self, part: Part, arm: Arm, points: Sequence[tuple[str, Levels]], seeds: Sequence[int]
    ) -> Iterator[Question]:
        for (point, state), seed in itertools.product(points, seeds):
            for number, prompt in enumerate(self.prompts):
                spoken = _drawn(points, point, prompt.id) if arm is Arm.SHUFFLED else state
                yield Question(part, arm, point, spoken, prompt.id, prompt.text, draw_seed(seed, number))


@dataclass(frozen=True, slots=True)
class Probes:
    """Prompts and seeds that are asked in the states of dialogues."""

    prompts: tuple[SpelledPrompt, ...]
    seeds: tuple[int, ...]


def swept(levels: Sequence[float]) -> list[tuple[str, Levels]]:
    """Every chemical at every level, the others at their baseline, as `dopamine=0.125`."""
    return [(point(i, level), at(i, level)) for i in range(len(CHEMICALS)) for level in levels]


def point(chemical: int, level: float) -> str:
    """The name of a place of a sweep."""
    return f"{CHEMICALS[chemical]}={level:g}"


def at(chemical: int, level: float) -> Levels:
    """The state at rest but for one chemical."""
    return tuple(level if i == chemical else rest for i, rest in enumerate(BASELINE))  # type: ignore[return-value]


def corners() -> list[tuple[str, Levels]]:
    """The sixteen states in which every chemical is low or high, as `lhll`."""
    return [
        ("".join("lh"[high] for high in where), tuple(CORNER[high] for high in where))  # type: ignore[misc]
        for where in itertools.product((0, 1), repeat=4)
    ]


def draw_seed(seed: int, number: int) -> int:
    """The seed of a prompt's draws, the same in every state and arm."""
    return seed * 1_000_003 + number


def _drawn(points: Sequence[tuple[str, Levels]], of: str, prompt_id: str) -> Levels:
    """A state of the same chemical's sweep, drawn for a place and a prompt: it says nothing about the place."""
    chemical = of.partition("=")[0]
    states = [state for name, state in points if name.partition("=")[0] == chemical]
    return random.Random(f"{of}/{prompt_id}").choice(states)
