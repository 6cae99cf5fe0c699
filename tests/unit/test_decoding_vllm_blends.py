"""Which blends a server holds: hysteresis, the order of giving up, and loading once however many ask."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from emotional_ai_service.decoding.vllm.blends import Blends
from emotional_ai_service.decoding.vllm.recipes import Part, Recipe
from emotional_ai_service.decoding.vllm.shelf import Shelf, ShelfFull


def recipe(weight: int, digest: str = "1" * 64) -> Recipe:
    """A blend of one adapter, by its weight in thousandths."""
    return Recipe("base", (Part("one", digest, 1.0, 8, Path("/loras/one"), (weight,)),))


def shelf_of(*weights: int, capacity: int = 8, tolerance: float = 0.03) -> Shelf:
    shelf = Shelf(capacity, tolerance)
    for weight in weights:
        shelf.put(recipe(weight))
    return shelf


def found(shelf: Shelf, weight: int, *, exactly: bool = False) -> int | None:
    place = shelf.nearest(recipe(weight), exactly=exactly)
    return None if place is None else place.recipe.parts[0].weights[0]


def test_the_nearest_blend_within_the_tolerance_will_do() -> None:
    shelf = shelf_of(100, 150, 500)
    assert found(shelf, 120) == 100
    assert found(shelf, 130) == 150
    assert found(shelf, 530) == 500
    assert found(shelf, 531) is None


def test_a_weight_that_wavers_keeps_its_blend() -> None:
    shelf = shelf_of(500)
    assert [found(shelf, weight) for weight in (470, 529, 500, 471, 530)] == [500] * 5


def test_exactly_takes_no_other() -> None:
    shelf = shelf_of(100)
    assert found(shelf, 101, exactly=True) is None
    assert found(shelf, 100, exactly=True) == 100


def test_the_latest_used_among_equals_is_taken() -> None:
    shelf = shelf_of(100, 120)
    assert found(shelf, 110) == 120
    place = shelf.nearest(recipe(100), exactly=True)
    assert place is not None
    shelf.begin(place)
    assert found(shelf, 110) == 100


def test_a_tolerance_of_nothing_takes_only_the_same() -> None:
    shelf = shelf_of(100, tolerance=0)
    assert found(shelf, 101) is None
    assert found(shelf, 100) == 100


def test_another_content_is_never_near() -> None:
    shelf = shelf_of(500)
    assert shelf.nearest(recipe(500, "2" * 64), exactly=False) is None


def test_the_blend_idle_longest_is_given_up_and_never_one_in_use() -> None:
    shelf = shelf_of(100, 200, 300, capacity=3)
    oldest = shelf.nearest(recipe(100), exactly=True)
    assert oldest is not None
    shelf.begin(oldest)
    shelf.end(oldest)  # used since
    assert shelf.put(recipe(400))[1] == recipe(200)
    in_use = shelf.nearest(recipe(300), exactly=True)
    assert in_use is not None
    shelf.begin(in_use)
    assert shelf.put(recipe(500))[1] == recipe(100)
    assert recipe(300).name in shelf.names
    assert len(shelf.names) == 3


def test_a_shelf_all_in_use_is_full() -> None:
    shelf = shelf_of(100, capacity=1)
    place = shelf.nearest(recipe(100), exactly=True)
    assert place is not None
    shelf.begin(place)
    with pytest.raises(ShelfFull):
        shelf.put(recipe(900))
    shelf.end(place)
    assert shelf.put(recipe(900))[1] == recipe(100)


class Loads:
    """A loader that remembers, waits to be let go, and fails on demand."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.begun = asyncio.Event()
        self.failure: Exception | None = None

    async def load(self, recipe: Recipe) -> None:
        self.log.append(("load", recipe.parts[0].weights[0]))
        self.begun.set()
        await self.go.wait()
        if self.failure is not None:
            raise self.failure

    async def unload(self, recipe: Recipe) -> None:
        self.log.append(("unload", recipe.parts[0].weights[0]))


async def use(blends: Blends, weight: int) -> int:
    async with blends.using(recipe(weight), exactly=False) as used:
        return used.parts[0].weights[0]


async def test_many_that_ask_at_once_load_it_once() -> None:
    loads = Loads()
    blends = Blends(Shelf(4, 0.03), loads)
    assert await asyncio.gather(*(use(blends, 500 + offset) for offset in range(10))) == [500] * 10
    assert loads.log == [("load", 500)]


async def test_an_idle_blend_is_unloaded_before_the_next_is_loaded() -> None:
    loads = Loads()
    blends = Blends(Shelf(1, 0.0), loads)
    for weight in (100, 200, 100):
        await use(blends, weight)
    assert loads.log == [("load", 100), ("unload", 100), ("load", 200), ("unload", 200), ("load", 100)]


async def test_a_blend_in_use_is_not_unloaded() -> None:
    loads = Loads()
    blends = Blends(Shelf(2, 0.0), loads)
    async with AsyncExitStack() as stack:
        for weight in (100, 200):
            await stack.enter_async_context(blends.using(recipe(weight), exactly=True))
        with pytest.raises(ShelfFull):
            await use(blends, 300)
        assert await use(blends, 200) == 200
    assert await use(blends, 300) == 300
    assert loads.log == [("load", 100), ("load", 200), ("unload", 100), ("load", 300)]


async def test_a_failure_reaches_all_that_wait_and_the_next_tries_again() -> None:
    loads = Loads()
    blends = Blends(Shelf(2, 0.0), loads)
    loads.failure = OSError("no room")
    outcomes = await asyncio.gather(*(use(blends, 100) for _ in range(3)), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["no room"] * 3
    loads.failure = None
    assert await use(blends, 100) == 100
    assert loads.log == [("load", 100), ("load", 100)]


async def test_one_that_goes_away_while_loading_leaves_it_to_the_others() -> None:
    loads = Loads()
    loads.go.clear()
    blends = Blends(Shelf(2, 0.0), loads)
    first, second = asyncio.create_task(use(blends, 100)), asyncio.create_task(use(blends, 100))
    await loads.begun.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    loads.go.set()
    assert await second == 100
    assert loads.log == [("load", 100)]


async def test_closing_ends_what_is_being_loaded() -> None:
    loads = Loads()
    loads.go.clear()
    blends = Blends(Shelf(2, 0.0), loads)
    waiting = asyncio.create_task(use(blends, 100))
    await loads.begun.wait()
    await blends.close()
    assert waiting in (await asyncio.wait([waiting], timeout=10))[0]
