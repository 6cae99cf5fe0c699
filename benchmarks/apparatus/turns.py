"""What a benchmark and a contender in a process of its own say to each other: one JSON object a line.

A contender is asked turn by turn and measures itself; between turns it is stopped (contenders.py), so that nothing it leaves
spinning disturbs the next. Only the standard library is imported here: contenders run in environments of their own.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias

Measured: TypeAlias = Mapping[str, float]


class Kind(Enum):
    """What a contender is asked to do."""

    SPEAK = "speak"
    """Replies of exactly `tokens` tokens to all prompts; `tokens` and `seconds` from the first request to the last token."""
    SWITCH = "switch"
    """Blends changed, each of `blends` in turn; see the contender for what it measures."""
    FIRST = "first"
    """The last prompt's first token while replies to the others are being spoken."""
    SWAP = "swap"
    """New content of an adapter, from its publication to the first token with it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing to do."""

    kind: Kind
    prompts: tuple[tuple[int, ...], ...] = ()
    """Token ids, as the model's chat template makes them of `messages`."""
    messages: tuple[tuple[str, str], ...] = ()
    """System message and question of each prompt."""
    blends: tuple[tuple[float, ...], ...] = ()
    """For each prompt one weight per adapter; none for the base model."""
    adapters: tuple[str, ...] = ()
    """Their directories, the same for all prompts; weight 1 applies (alpha / rank) B A."""
    tokens: int = 0
    way: str = ""
    """Which of several ways a contender has."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a contender is started with."""

    model: str
    """Directory of the checkpoint, or of what the contender wants made of it."""
    adapters: tuple[tuple[str, ...], ...]
    """Directories of every set of adapters it will be asked to blend."""
    dtype: str
    """Format of the computation: float32, bfloat16, int8 or int4."""
    threads: int
    options: tuple[tuple[str, str], ...] = ()
    """Settings of the contender's own."""


Player: TypeAlias = Callable[[Turn], Measured]


def written(message: Turn | Setting) -> str:
    """The message as a line."""
    return json.dumps(asdict(message), default=lambda value: value.value)


def serve(build: Callable[[Setting], Player]) -> None:
    """The contender's side: builds from the setting in argv, says so, then plays turn after turn until its input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    play = build(_setting(sys.argv[1]))
    _say(answers, {})
    for line in sys.stdin:
        _say(answers, play(_turn(line)))


def _say(answers: "os._wrap_close | object", measured: Measured) -> None:
    print(json.dumps(dict(measured)), file=answers, flush=True)  # type: ignore[call-overload]


def _turn(line: str) -> Turn:
    read = json.loads(line)
    lists = {name: tuple(map(tuple, read[name])) for name in ("prompts", "messages", "blends")}
    return Turn(Kind(read["kind"]), **lists, adapters=tuple(read["adapters"]), tokens=read["tokens"], way=read["way"])


def _setting(line: str) -> Setting:
    read = json.loads(line)
    lists = {name: tuple(map(tuple, read[name])) for name in ("adapters", "options")}
    return Setting(read["model"], **lists, dtype=read["dtype"], threads=read["threads"])


def strengths(adapters: tuple[str, ...]) -> list[float]:
    """(alpha / rank) times the calibrated scale of each adapter, for engines that ignore them."""
    found = []
    for directory in map(Path, adapters):
        config = json.loads((directory / "adapter_config.json").read_text())
        scale = json.loads((directory / "manifest.json").read_text())["scale"]
        found.append(config["lora_alpha"] / config["r"] * scale)
    return found
