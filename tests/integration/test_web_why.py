"""The panel `why` and a real service: what is shown adds up, whatever happened."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from random import Random

import pytest
from loopback import PATIENCE, service

from emotional_ai import CHEMICALS, SIGNALS, AsyncClient, InvalidArgument, SessionConfig, SustainedSignals
from emotional_ai.stimuli import signals_of
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.page.why.explained import explained
from emotional_ai.web.page.why.happened import rows
from emotional_ai.web.page.why.otherwise import otherwise
from emotional_ai.web.page.why.spans import between, last_minutes


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


@pytest.fixture
async def client(address: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(address) as made, asyncio.timeout(PATIENCE):
        yield made


async def eventful(client: AsyncClient, seed: int, events: int = 24) -> str:
    """A life of events, conditions, leaps, resets and another personality."""
    random = Random(seed)
    config = SessionConfig()
    config.dynamics.mood.SetInParent()
    config.dynamics.habituation.SetInParent()
    session = (await client.create_session(config=config)).session_id
    for number in range(events):
        some = signals_of({name: random.random() for name in random.sample(SIGNALS, random.randint(1, 4))})
        await client.apply(session, pb.Stimulus(event=some, note=f"<i>{number}</i>"))
        if number % 4 == 1:
            held = SustainedSignals(signals=some, duration_minutes=random.uniform(1, 40))
            await client.apply(session, pb.Stimulus(sustained=held))
        if number % 3 == 1:
            await client.skip(session, random.uniform(1, 90))
        if number == events // 2:
            await client.reset_session(session)
        if number == events // 3:
            now = (await client.get_session(session)).config
            now.dynamics.half_life_minutes.cortisol = 20
            await client.update_session(session, now)
    return session


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_an_explanation_of_a_whole_life_adds_up_resets_and_homeostasis_included(
    client: AsyncClient, seed: int
) -> None:
    shown = explained(await client.explain(await eventful(client, seed)))
    kinds = {part["name"].removesuffix(" (sustained)").replace(" ", "_") for part in shown["parts"]}
    assert {"homeostasis", "resets"} <= kinds
    assert any(part["name"].endswith(" (sustained)") for part in shown["parts"])
    for column, change in enumerate(shown["changes"]):
        drawn = sum(
            one["high"] - one["low"] if one["high"] > 0 else one["low"] - one["high"] for one in change["segments"]
        )
        assert math.isclose(drawn, change["moved"], abs_tol=1e-9)
        told = sum(round(float(part["shown"][column].replace("−", "-")) * 1000) for part in shown["parts"])
        assert round(float(change["before"]) * 1000) + told == round(float(change["after"]) * 1000)


async def test_spans_between_events_and_of_the_last_minutes_add_up_too(client: AsyncClient) -> None:
    session = await eventful(client, 4)
    entries = (await client.history(session, points=2)).entries
    asked = [between(entries, 5, 9), last_minutes(await client.get_session(session), 0.001)]
    for span in asked:
        told = await client.explain(session, start=span.start, end=span.end)
        for change in explained(told)["changes"]:
            total = sum(
                one["high"] - one["low"] if one["high"] > 0 else one["low"] - one["high"] for one in change["segments"]
            )
            assert math.isclose(total, change["moved"], abs_tol=1e-9)


async def test_a_span_between_two_events_holds_both(client: AsyncClient) -> None:
    session = (await client.create_session()).session_id
    for name in ("praise", "threat", "loss"):
        await client.apply(session, signals_of({name: 0.8}))
    entries = (await client.history(session, points=2)).entries
    span = between(entries, 2, 3)
    shown = explained(await client.explain(session, start=span.start, end=span.end))
    assert [part["name"] for part in shown["parts"]] == ["praise", "threat", "homeostasis"]


async def test_the_events_are_listed_with_what_each_moved(client: AsyncClient) -> None:
    session = await eventful(client, 5, events=8)
    entries = (await client.history(session, points=2)).entries
    listed = rows(entries, (await client.explain(session)).entries)
    assert [row["sequence"] for row in listed] == [entry.sequence for entry in entries]
    assert listed[0]["fixed"]
    assert listed[1]["note"] == "<i>0</i>"
    assert any(name in listed[1]["moved"] for name in CHEMICALS)
    kinds = {entry.WhichOneof("effect"): row["fixed"] for entry, row in zip(entries, listed, strict=True)}
    assert {kind: bool(why) for kind, why in kinds.items()} == {
        "created": True,
        "stimulus": False,
        "configured": True,
        "reset": True,
    }


async def test_what_cannot_be_unticked_is_what_the_service_would_refuse(client: AsyncClient) -> None:
    session = await eventful(client, 6, events=4)
    entries = (await client.history(session, points=2)).entries
    for row in rows(entries, []):
        if row["fixed"]:
            with pytest.raises(InvalidArgument, match="not the sequence of a stimulus"):
                await client.counterfactual(session, [row["sequence"]])
        else:
            await client.counterfactual(session, [row["sequence"]], points=2)


async def test_without_the_only_event_it_would_be_at_its_baseline(client: AsyncClient) -> None:
    session = (await client.create_session()).session_id
    await client.apply(session, threat=0.9)
    entries = (await client.history(session, points=2)).entries
    shown = await otherwise(client, session, [entries[1]])
    would = {one["chemical"]: (one["would_be"], one["by"]) for one in shown["differences"]}
    assert would["cortisol"][0] == "0.300"
    assert float(would["cortisol"][1].replace("−", "-")) < -0.1
    assert shown["would_be"] == "neutral"
    times, pictures = shown["curves"]["times"], shown["curves"]["pictures"]
    assert times == sorted(times)
    real, other = next(picture for picture in pictures if picture["title"] == "cortisol")["lines"]
    assert real["values"][0] == other["values"][0] == 0.3
    assert real["values"][-1] > 0.4
    assert set(other["values"]) == {0.3}


async def test_without_several_events_the_life_is_that_of_the_others(client: AsyncClient) -> None:
    session = (await client.create_session()).session_id
    for signals in ({"praise": 0.5}, {"threat": 0.9}, {"loss": 0.7}):
        await client.apply(session, signals_of(signals))
    await client.skip(session, 15)
    entries = (await client.history(session, points=2)).entries
    shown = await otherwise(client, session, [entries[2], entries[3]])
    only = (await client.create_session()).session_id
    await client.apply(only, praise=0.5)
    await client.skip(only, 15)
    alone = (await client.state(only)).chemistry
    for one in shown["differences"]:
        assert float(one["would_be"]) == pytest.approx(getattr(alone, one["chemical"]), abs=0.01)
