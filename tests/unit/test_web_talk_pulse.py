"""What gathers is handed on now and then, however often something comes."""

import asyncio

from emotional_ai.web.conversation.pulse import Pulse


async def turned(times: int) -> None:
    """Lets the loop go round."""
    for _ in range(times):
        await asyncio.sleep(0)


async def test_the_first_is_handed_on_at_once_and_the_next_only_when_it_is_time() -> None:
    beats: list[None] = []
    pulse = Pulse(3600, lambda: beats.append(None))
    pulse.due()
    await turned(3)
    assert len(beats) == 1
    for _ in range(100):
        pulse.due()
        await turned(1)
    assert len(beats) == 1
    pulse.now()
    assert len(beats) == 2


async def test_what_comes_together_is_handed_on_together() -> None:
    beats: list[None] = []
    pulse = Pulse(0, lambda: beats.append(None))
    for _ in range(100):
        pulse.due()
    await turned(3)
    assert len(beats) == 1
    pulse.due()
    await turned(3)
    assert len(beats) == 2
