"""The rounds of the blending benchmark: every scene and every extra once a round, forwards and backwards by turns."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from apparatus.contenders import Contender
from apparatus.dialogues import Dialogues
from apparatus.scenes import Adapters, Blending, Scene
from apparatus.turns import Kind, Measured, Turn

LENGTH: Final = 200
"""Tokens of the prompt whose first token is timed."""
OTHERS: Final = 8
"""Replies being spoken meanwhile."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    tokens: int
    """Of every reply."""
    switches: int
    """Blends switched in a round."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round measured."""

    speeds: Mapping[str, float]
    """Tokens per second by scene."""
    extras: Mapping[str, Measured]
    """By name: a switched blend, a first token, a swapped adapter."""


@dataclass(frozen=True, slots=True)
class Course:
    """Everything a run needs."""

    plan: Plan
    contenders: Mapping[str, Contender]
    dialogues: Dialogues
    sets: Mapping[Adapters, Sequence[Path]]

    def run(self, scenes: Sequence[Scene]) -> list[Round]:
        """A round that is thrown away, with replies of few tokens, then those that count."""
        scenes = [scene for scene in scenes if scene.contender in self.contenders]
        for scene in scenes:
            self._play(scene, 4)
        return [self._round(scenes if n % 2 == 0 else scenes[::-1], n) for n in range(self.plan.rounds)]

    def _round(self, scenes: Sequence[Scene], number: int) -> Round:
        begun = perf_counter()
        speeds = {scene.key: self._play(scene, self.plan.tokens) for scene in scenes}
        extras = {name: self.contenders[who].ask(turn()) for name, (who, turn) in self._extras().items()}
        _tell(f"round {number + 1} of {self.plan.rounds} took {perf_counter() - begun:.0f} s")
        return Round(speeds, extras)

    def _play(self, scene: Scene, tokens: int) -> float:
        adapters = () if scene.blending is Blending.BASE else self.sets[scene.adapters]
        shared = scene.blending is Blending.SHARED
        turn = self.dialogues.speak(scene.served or scene.sessions, tokens, adapters, shared=shared, way=scene.way)
        measured = self.contenders[scene.contender].ask(turn)
        speed = measured["tokens"] / measured["seconds"]
        _tell(f"  {scene.key:36} {speed:7.1f} tokens/s in {measured['seconds']:.1f} s")
        return speed

    def _extras(self) -> Mapping[str, tuple[str, Callable[[], Turn]]]:
        """Who is asked what, by the name of the result."""
        wide, dialogues = self.sets[Adapters.WIDE], self.dialogues
        return {
            "switch": ("ours", lambda: dialogues.one(Kind.SWITCH, self.plan.switches, wide)),
            "switch_cat": ("transformers", lambda: dialogues.one(Kind.SWITCH, 2, wide, "cat")),
            "switch_scales": ("transformers", lambda: dialogues.one(Kind.SWITCH, 5, wide, "scales")),
            "first_token": ("ours", lambda: dialogues.first_token(0, LENGTH, wide)),
            "first_token_beside_8": ("ours", lambda: dialogues.first_token(OTHERS, LENGTH, wide)),
            "swap": ("ours", lambda: dialogues.one(Kind.SWAP, 2, wide)),
        }


def _tell(line: str) -> None:
    """Progress, beside the result."""
    print(line, file=sys.stderr, flush=True)
