"""Reading ahead: a slow caller takes the newest response, and nothing is lost from the count."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai.ahead import Ahead, AsyncAhead

PATIENCE = 20
COUNTS = st.lists(st.integers(0, 5), max_size=30)


class Broken(Exception):
    """How a call may end."""


def counted(response: tuple[int, int]) -> int:
    return response[1]


@given(COUNTS, st.booleans())
def test_the_newest_comes_last_and_every_count_is_in_the_sum(counts: list[int], breaks: bool) -> None:
    def call() -> Iterator[tuple[int, int]]:
        yield from enumerate(counts)
        if breaks:
            raise Broken

    taken: list[tuple[tuple[int, int], int]] = []
    with pytest.raises(Broken) if breaks else nullcontext():
        taken.extend(Ahead(call(), counted))
    numbers = [response[0] for response, _ in taken]
    assert numbers == sorted(set(numbers))
    assert numbers[-1:] == [len(counts) - 1] * bool(counts)
    assert sum(total for _, total in taken) == sum(counts)


def test_a_slow_caller_takes_the_newest() -> None:
    waiting: queue.Queue[int] = queue.Queue()
    read_on = threading.Event()

    def call() -> Iterator[int]:
        yield 1
        yield from iter(waiting.get, 0)
        read_on.set()
        yield from iter(waiting.get, 0)

    states = iter(Ahead(call(), lambda _: 1))
    assert next(states) == (1, 1)
    for number in (2, 3, 4, 0):
        waiting.put(number)
    assert read_on.wait(PATIENCE)
    assert next(states) == (4, 3)
    waiting.put(0)
    assert list(states) == []


@given(COUNTS, st.booleans())
def test_by_asyncio_the_newest_comes_last_too(counts: list[int], breaks: bool) -> None:
    async def call() -> AsyncIterator[tuple[int, int]]:
        for response in enumerate(counts):
            yield response
            if response[1]:
                await asyncio.sleep(0)
        if breaks:
            raise Broken

    async def main() -> list[tuple[tuple[int, int], int]]:
        taken = []
        with pytest.raises(Broken) if breaks else nullcontext():
            async for one in AsyncAhead(call(), counted):
                taken.append(one)  # noqa: PERF401  # what was taken before it broke stays
        return taken

    taken = asyncio.run(main())
    numbers = [response[0] for response, _ in taken]
    assert numbers == sorted(set(numbers))
    assert numbers[-1:] == [len(counts) - 1] * bool(counts)
    assert sum(total for _, total in taken) == sum(counts)


async def test_by_asyncio_a_slow_caller_takes_the_newest() -> None:
    waiting: asyncio.Queue[int] = asyncio.Queue()
    read_on = asyncio.Event()

    async def call() -> AsyncIterator[int]:
        yield 1
        while number := await waiting.get():
            yield number
        read_on.set()

    async with asyncio.timeout(PATIENCE):
        states = aiter(AsyncAhead(call(), lambda _: 1))
        assert await anext(states) == (1, 1)
        for number in (2, 3, 4, 0):
            waiting.put_nowait(number)
        await read_on.wait()
        assert await anext(states) == (4, 3)
        with pytest.raises(StopAsyncIteration):
            await anext(states)


async def test_by_asyncio_a_call_that_was_cancelled_ends_the_reading() -> None:
    async def call() -> AsyncIterator[int]:
        yield 1
        raise asyncio.CancelledError

    async with asyncio.timeout(PATIENCE):
        assert [one async for one in AsyncAhead(call(), lambda _: 1)] == [(1, 1)]
