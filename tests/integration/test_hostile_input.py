"""A short course of what `make fuzz` does at length: every door is sent spoiled input, and none breaks."""

import asyncio
from random import Random

import pytest
from hostile.courses import COURSES, GROWTH
from hostile.inputs import havoc, spoil, spoiled_json
from hostile.running import Course, run, sound
from hostile.tally import Broken, Tally, table

from emotional_ai.v1 import engine_pb2 as pb

INPUTS = {"rpcs": 1500, "sequences": 800, "exports": 500, "wired": 250, "tinkering": 250, "bridging": 500, "doors": 500}


@pytest.mark.parametrize("name", COURSES)
def test_no_input_breaks_hangs_or_fills(name: str) -> None:
    tally = asyncio.run(run(name, COURSES[name].opened, Course(seed=8, inputs=INPUTS[name])))
    assert sound([tally], GROWTH) == []
    assert tally.inputs == INPUTS[name]
    assert len(tally.outcomes) > 1
    assert tally.outcomes["OK"]


def test_an_input_can_be_made_again_from_its_seed_and_number() -> None:
    def made() -> tuple[bytes, bytes, str]:
        draw = Random("1 rpcs 4711")
        request = pb.ApplyStimuliRequest(session_id="ada", stimuli=[pb.Stimulus(skip_minutes=5)])
        return (
            spoil(draw, request).SerializeToString(),
            havoc(draw, b"some bytes"),
            repr(spoiled_json(draw, {"a": [1]})),
        )

    assert made() == made()


class Breaking:
    """Breaks at every third input, crashes at every fifth, and hangs at none."""

    def __init__(self) -> None:
        self._sent = 0

    async def one(self, draw: Random) -> str:
        self._sent += 1
        if self._sent % 3 == 0:
            raise Broken("a promise")
        if self._sent % 5 == 0:
            raise ZeroDivisionError
        return "OK" if draw.random() < 2 else "NEVER"

    async def still_serves(self) -> None:
        if self._sent > 9:
            raise Broken("no more")

    async def __aenter__(self) -> "Breaking":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


def test_what_breaks_is_told_by_its_number() -> None:
    tally = asyncio.run(run("breaking", Breaking, Course(inputs=10)))
    assert tally.outcomes == {"OK": 5, "BROKEN": 3, "CRASHED": 2}
    told = sound([tally], 0)
    assert [line.partition(":")[0] for line in told] == [f"breaking #{number}" for number in (2, 4, 5, 8, 9, 10)]
    assert "ZeroDivisionError" in told[1]
    assert "afterwards" in told[-1]


def test_memory_that_grows_is_told() -> None:
    assert sound([Tally("growing", grown=2 << 20)], 1 << 20) == ["growing: memory grew by 2.0 MiB"]
    assert "2.0 MiB" in table([Tally("growing", inputs=1, grown=2 << 20)])
