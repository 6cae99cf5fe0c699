"""The rounds of the blending benchmark: every scene and every extra once a round, forwards and backwards by turns."""

import sys
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from apparatus.contenders import OTHERS, Contender, ContenderFailed
from apparatus.dialogues import Dialogues
from apparatus.scenes import Adapters, Blending, Scene
from apparatus.turns import Kind, Measured, Turn

LENGTH: Final = 200
"""Tokens of the prompt whose first token is timed."""
SPEAKERS: Final = 8
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
    others: Sequence[float]
    """Of each turn, the share of all processors that others took."""


class Course:
    """The rounds of a run. A contender of `dispensable` that fails is left out from then on, its reason in `failures`."""

    def __init__(
        self,
        plan: Plan,
        contenders: Mapping[str, Contender],
        dialogues: Dialogues,
        sets: Mapping[Adapters, Sequence[Path]],
        dispensable: Container[str],
    ) -> None:
        self._plan = plan
        self._contenders = contenders
        self._dialogues = dialogues
        self._sets = sets
        self._dispensable = dispensable
        self.failures: dict[str, str] = {}

    def run(self, scenes: Sequence[Scene]) -> list[Round]:
        """A round that is thrown away, with replies of few tokens, then those that count."""
        scenes = [scene for scene in scenes if scene.contender in self._contenders]
        self._speeds(scenes, 4)
        return [self._round(scenes if n % 2 == 0 else scenes[::-1], n) for n in range(self._plan.rounds)]

    def _round(self, scenes: Sequence[Scene], number: int) -> Round:
        begun = perf_counter()
        spoken = self._speeds(scenes, self._plan.tokens)
        extras = {name: self._contenders[who].ask(turn()) for name, (who, turn) in self._extras().items()}
        others = [measured[OTHERS] for measured in (*spoken.values(), *extras.values())]
        tell(f"round {number + 1} of {self._plan.rounds} took {perf_counter() - begun:.0f} s")
        return Round({key: one["tokens"] / one["seconds"] for key, one in spoken.items()}, extras, others)

    def _speeds(self, scenes: Sequence[Scene], tokens: int) -> Mapping[str, Measured]:
        spoken: dict[str, Measured] = {}
        for scene in scenes:
            if scene.contender in self.failures:
                continue
            try:
                spoken[scene.key] = self._play(scene, tokens)
            except ContenderFailed as error:
                if scene.contender not in self._dispensable:
                    raise
                self.failures[scene.contender] = str(error)
                tell(f"  {scene.contender} failed and is left out: {error}")
        return spoken

    def _play(self, scene: Scene, tokens: int) -> Measured:
        adapters = () if scene.blending is Blending.BASE else self._sets[scene.adapters]
        shared = scene.blending is Blending.SHARED
        turn = self._dialogues.speak(scene.served or scene.sessions, tokens, adapters, shared=shared, way=scene.way)
        measured = self._contenders[scene.contender].ask(turn)
        speed, seconds, others = measured["tokens"] / measured["seconds"], measured["seconds"], measured[OTHERS]
        tell(f"  {scene.key:36} {speed:7.1f} tokens/s in {seconds:5.1f} s, others took {others:4.0%}")
        return measured

    def _extras(self) -> Mapping[str, tuple[str, Callable[[], Turn]]]:
        """Who is asked what, by the name of the result."""
        wide, dialogues = self._sets[Adapters.WIDE], self._dialogues
        return {
            "switch": ("ours", lambda: dialogues.one(Kind.SWITCH, self._plan.switches, wide)),
            "switch_cat": ("transformers", lambda: dialogues.one(Kind.SWITCH, 2, wide, "cat")),
            "switch_scales": ("transformers", lambda: dialogues.one(Kind.SWITCH, 5, wide, "scales")),
            "first_token": ("ours", lambda: dialogues.first_token(0, LENGTH, wide)),
            "first_token_beside_8": ("ours", lambda: dialogues.first_token(SPEAKERS, LENGTH, wide)),
            "swap": ("ours", lambda: dialogues.one(Kind.SWAP, 2, wide)),
        }


def tell(line: str) -> None:
    """Progress, beside the result."""
    print(line, file=sys.stderr, flush=True)
