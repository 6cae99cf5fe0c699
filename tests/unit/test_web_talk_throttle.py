"""What gathers is handed on now and then, however often something comes."""

import asyncio

from emotional_ai.web.conversation.throttle import Throttle


async def turned(times: int) -> None:
    """Lets the loop go round."""
    for _ in range(times):
        await asyncio.sleep(0)


async def test_the_first_is_handed_on_at_once_and_the_next_only_when_it_is_time() -> None:
    handed: list[None] = []
    throttle = Throttle(3600, lambda: handed.append(None))
    throttle.due()
    await turned(3)
    assert len(handed) == 1
    for _ in range(100):
        throttle.due()
        await turned(1)
    assert len(handed) == 1
    throttle.now()
    assert len(handed) == 2


async def test_what_comes_together_is_handed_on_together() -> None:
    handed: list[None] = []
    throttle = Throttle(0, lambda: handed.append(None))
    for _ in range(100):
        throttle.due()
    await turned(3)
    assert len(handed) == 1
    throttle.due()
    await turned(3)
    assert len(handed) == 2
