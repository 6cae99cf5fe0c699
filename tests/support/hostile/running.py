"""Draws inputs for a target by number, gives each a bounded time, and tells what came of them."""

import asyncio
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from hostile.tally import Broken, Tally, clock

PATIENCE: Final = 20.0
"""Seconds after which an input hangs."""
WARM: Final = 0.2
"""Part of the inputs that warm the memory up."""
WEIGHED: Final = 500
"""Inputs between two looks at the memory and at whether a normal request is still served."""
MOST_BROKEN: Final = 20


class Target(Protocol):
    """What inputs are sent to."""

    async def one(self, draw: Random) -> str:
        """Sends one input and says what it came to: OK, or the code of a refusal. Raises Broken where it must not."""
        ...

    async def still_serves(self) -> None:
        """Raises Broken unless a normal request gets the right answer. Removes what inputs have left."""
        ...


Opened = Callable[[], AbstractAsyncContextManager[Target]]


@dataclass(frozen=True, slots=True)
class Course:
    """How long, and which inputs."""

    seed: int = 1
    inputs: int = 1000
    first: int = 0
    seconds: float = float("inf")


async def run(name: str, opened: Opened, course: Course, told: Callable[[str], None] = lambda _: None) -> Tally:
    """Sends the inputs of a course to a target."""
    tally, begun = Tally(name), clock()
    async with opened() as target:
        await target.still_serves()
        for number in range(course.first, course.first + course.inputs):
            if clock() - begun > course.seconds or len(tally.broken) >= MOST_BROKEN:
                break
            await _sent(tally, target, number, Random(f"{course.seed} {name} {number}"), told)
            if (number + 1) % WEIGHED == 0:
                await _looked(tally, target, number, warm=tally.inputs >= course.inputs * WARM, told=told)
        await _looked(tally, target, course.first + tally.inputs, warm=True, told=told)
    return tally


async def _sent(tally: Tally, target: Target, number: int, draw: Random, told: Callable[[str], None]) -> None:
    begun = clock()
    try:
        async with asyncio.timeout(PATIENCE):
            outcome = await target.one(draw)
    except TimeoutError:
        outcome = "HUNG"
        _broke(tally, number, f"hung for {PATIENCE:g} s", told)
    except Broken as error:
        outcome = "BROKEN"
        _broke(tally, number, str(error), told)
    except Exception:
        outcome = "CRASHED"
        _broke(tally, number, traceback.format_exc(limit=-6), told)
    tally.took(number, clock() - begun, outcome)


async def _looked(tally: Tally, target: Target, number: int, *, warm: bool, told: Callable[[str], None]) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await target.still_serves()
    except (Broken, TimeoutError) as error:
        _broke(tally, number, f"afterwards: {error!r}", told)
    if warm:
        tally.weigh()


def _broke(tally: Tally, number: int, what: str, told: Callable[[str], None]) -> None:
    line = f"{tally.target} #{number}: {what}"
    tally.broken.append(line)
    told(line)


def sound(tallies: Sequence[Tally], growth: int) -> list[str]:
    """What did not hold, memory included: `growth` bytes are allowed after the warm-up."""
    wrong = [line for tally in tallies for line in tally.broken]
    return wrong + [
        f"{one.target}: memory grew by {one.grown / 2**20:.1f} MiB" for one in tallies if one.grown > growth
    ]
