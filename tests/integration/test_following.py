"""A reply follows its session's state while it is spoken: real gRPC, real states, a decoder that waits for the test."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from loopback import PATIENCE
from scripted_decoder import FOLLOWS, ScriptedDecoder, Speaking, speaking_service
from tiny_adapters import published

from emotional_ai import AsyncClient, NotFound, Sampling
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai_service.core.timeline import Agent, Moment
from emotional_ai_service.decoding.messages import DEAD_BAND, BlendWeight, Voice, VoiceChange
from emotional_ai_service.engine import Engine
from emotional_ai_service.following import Pace, distance, follow
from emotional_ai_service.stores import MemoryStore
from emotional_ai_service.wire import config_to
from emotional_ai_training.conditioning import ADAPTERS

QUICK = Pace(drift_seconds=0.002, least_seconds=0.001)
START_US = 1_800_000_000_000_000
MINUTE_US = 60_000_000


class Clock:
    """Wall microseconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = START_US

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def loras(tmp_path: Path) -> Path:
    for name in ADAPTERS:
        published(tmp_path / "loras", name)
    return tmp_path / "loras"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def talking(decoder: ScriptedDecoder, loras: Path, clock: Clock) -> AsyncIterator[tuple[Speaking, AsyncClient]]:
    async with (
        asyncio.timeout(PATIENCE),
        speaking_service(decoder, loras, clock, QUICK) as served,
        AsyncClient(served.address) as client,
    ):
        await client.create_session("ada")
        yield served, client


def weights(change: pb.BlendChange) -> dict[str, float]:
    return {one.adapter: one.weight for one in change.blend}


async def test_a_stimulus_during_a_reply_changes_the_voice_and_the_stream_says_where(loras: Path, clock: Clock) -> None:
    decoder = ScriptedDecoder(tokens=4)
    async with talking(decoder, loras, clock) as (served, client):
        async with client.converse("ada", "The meeting is at ten.") as reply:
            events = aiter(reply)
            order = [(await anext(events)).WhichOneof("event") for _ in range(2)]
            decoder.let(1)
            order.append((await anext(events)).WhichOneof("event"))
            moved = (await client.apply("ada", threat=0.9)).chemistry
            heard = await decoder.heard.get()
            decoder.let(3)
            order += [event.WhichOneof("event") async for event in events]
        assert order == ["appraisal", "started", "text", "blend_change", "text", "text", "text", "finished"]
        (change,) = reply.changes
        assert reply.finished is not None
        applied = reply.finished.applied
        preview = await client.preview_expression("ada")
        assert await served.subscribers("ada") == 0
    assert change.token_index == 1
    assert {one.adapter: one.weight for one in heard.blend} == weights(change)
    assert weights(change) == {one.adapter: one.weight for one in preview.blend if one.weight}
    assert change.temperature == preview.temperature == heard.temperature
    assert change.top_p == preview.top_p
    assert weights(change)["high_cortisol"] > 0
    assert moved.cortisol > 0.3
    assert [one.token_index for one in applied.changes] == [0, 1]
    assert applied.changes[1] == change
    assert {one.adapter: one.weight for one in applied.blend} == {"balanced": 1.0}
    assert applied.blend_mode == pb.BLEND_MODE_EXACT
    assert decoder.speaking == 0


async def test_the_voice_drifts_by_itself_as_time_passes(loras: Path, clock: Clock) -> None:
    decoder = ScriptedDecoder(tokens=3)
    async with talking(decoder, loras, clock) as (_, client):
        await client.apply("ada", threat=1.0)
        async with client.generate("Hello", under="ada") as reply:
            events = aiter(reply)
            assert (await anext(events)).started.state.version == 2
            said: list[float] = []
            for _ in range(2):
                clock.now += MINUTE_US
                said.append((await decoder.heard.get()).top_p)
                decoder.let(1)
                assert (await anext(events)).WhichOneof("event") == "blend_change"
                assert (await anext(events)).WhichOneof("event") == "text"
            decoder.let(1)
            await reply.read()
    assert [change.token_index for change in reply.changes] == [0, 1]
    assert [change.top_p for change in reply.changes] == said
    assert said[0] != said[1]


async def test_a_reply_that_moved_is_asked_for_again_from_its_record(loras: Path, clock: Clock) -> None:
    decoder = ScriptedDecoder()
    async with talking(decoder, loras, clock) as (_, client):
        async with client.converse("ada", "I lost it", sampling=Sampling(max_tokens=9)) as reply:
            events = aiter(reply)
            decoder.let(1)
            for _ in range(3):
                await anext(events)
            await client.apply("ada", social_warmth=1.0)
            await decoder.heard.get()
            decoder.let(5)
            async for _ in events:
                pass
        first = decoder.asked[-1]
        session = await client.get_session("ada")
        async with client.replay("I lost it", reply, config=session.config) as again:
            await again.read()
        second = decoder.asked[-1]
        assert reply.finished is not None
    assert len(second.schedule) == 2
    assert second.schedule[0] == VoiceChange(0, first.voice)
    assert second.schedule[1].voice != first.voice
    assert (second.voice, second.seed, second.conditioning) == (first.voice, first.seed, first.conditioning)
    assert second.kv_policy == first.kv_policy
    assert second.max_tokens == 3
    assert second.messages == first.messages


@pytest.mark.parametrize("how", ["converse", "generate"])
async def test_a_fixed_blend_stays_as_the_reply_began(loras: Path, clock: Clock, how: str) -> None:
    decoder = ScriptedDecoder()
    async with talking(decoder, loras, clock) as (served, client):
        spoken = (
            client.converse("ada", "Hello", fixed_blend=True)
            if how == "converse"
            else client.generate("Hello", under="ada", fixed_blend=True)
        )
        async with spoken as reply:
            async for event in reply:
                if event.WhichOneof("event") == "started":
                    assert await served.subscribers("ada") == 0
                    await client.apply("ada", threat=0.9)
                    decoder.let(3)
    assert reply.finished is not None
    assert not reply.changes
    assert len(reply.finished.applied.changes) == 1


async def test_a_decoder_that_does_not_follow_is_not_asked_to(loras: Path, clock: Clock) -> None:
    decoder = ScriptedDecoder(replace(FOLLOWS, follows=False))
    decoder.let(3)
    async with talking(decoder, loras, clock) as (_, client):
        async with client.converse("ada", "Hello") as reply:
            assert await reply.read() == "t0 t1 t2 "
        assert not reply.changes


async def test_numbers_the_caller_set_stay_while_the_blend_moves(loras: Path, clock: Clock) -> None:
    decoder = ScriptedDecoder()
    async with talking(decoder, loras, clock) as (_, client):
        sampling = Sampling(temperature=0.25, top_p=0.5)
        async with client.generate("Hello", under="ada", sampling=sampling) as reply:
            events = aiter(reply)
            await anext(events)
            await client.apply("ada", reward=1.0)
            await decoder.heard.get()
            decoder.let(3)
            order = [event.WhichOneof("event") async for event in events]
        assert order == ["blend_change", "text", "text", "text", "finished"]
        assert reply.finished is not None
        for change in reply.finished.applied.changes:
            assert (change.temperature, change.top_p) == (0.25, 0.5)
        assert weights(reply.changes[0])["high_dopamine"] > 0


async def test_deleting_the_session_ends_the_following_and_not_the_reply(loras: Path, clock: Clock) -> None:
    decoder = ScriptedDecoder()
    async with talking(decoder, loras, clock) as (_, client):
        async with client.generate("Hello", under="ada") as reply:
            events = aiter(reply)
            await anext(events)
            await client.delete_session("ada")
            decoder.let(3)
            assert [event.WhichOneof("event") async for event in events] == ["text", "text", "text", "finished"]
        with pytest.raises(NotFound):
            await client.state("ada")


async def test_a_client_that_leaves_leaves_nothing_behind(loras: Path, clock: Clock) -> None:
    decoder = ScriptedDecoder()
    async with talking(decoder, loras, clock) as (served, client):
        for _ in range(5):
            async with client.converse("ada", "You are kind") as reply:
                events = aiter(reply)
                await anext(events)
                await anext(events)
                decoder.let(1)
                await anext(events)
                assert decoder.speaking == 1
            # Until the cancellation arrives; before that, the reply that was left takes what the next one is let.
            while decoder.speaking or await served.subscribers("ada"):  # noqa: ASYNC110  # no event tells of it
                await asyncio.sleep(0.001)
        following = [task.get_name() for task in asyncio.all_tasks() if "_listen" in repr(task.get_coro())]
    assert following == []


async def test_many_stimuli_are_one_change_at_the_next_token(loras: Path, clock: Clock) -> None:
    decoder = ScriptedDecoder(tokens=2)
    async with talking(decoder, loras, clock) as (_, client):
        async with client.generate("Hello", under="ada") as reply:
            events = aiter(reply)
            await anext(events)
            for _ in range(20):
                await client.apply("ada", threat=0.3)
            expression = await client.preview_expression("ada")
            blend = tuple(BlendWeight(one.adapter, one.weight) for one in expression.blend)
            latest = Voice(blend, expression.temperature, expression.top_p)
            while distance(heard := await decoder.heard.get(), latest) >= DEAD_BAND:
                pass
            decoder.let(2)
            assert [event.WhichOneof("event") async for event in events] == ["blend_change", "text", "text", "finished"]
        assert weights(reply.changes[0]) == {one.adapter: one.weight for one in heard.blend}


async def test_an_adapter_that_is_removed_during_a_reply_is_named_no_more(loras: Path, clock: Clock) -> None:
    decoder = ScriptedDecoder()
    async with talking(decoder, loras, clock) as (_, client), client.generate("Hello", under="ada") as reply:
        events = aiter(reply)
        await anext(events)
        shutil.rmtree(loras / "high_cortisol")
        await client.apply("ada", threat=1.0)
        heard = await decoder.heard.get()
        decoder.let(3)
        assert await reply.read()
    assert {one.adapter for one in heard.blend} == {"balanced"}
    assert heard.blend[0].weight < 1


async def test_many_replies_that_come_and_go_leave_nothing_behind(loras: Path, clock: Clock) -> None:
    """Sessions that are stimulated, left, deleted and finished at random, two dozen at a time."""
    decoder, draw = ScriptedDecoder(tokens=4), Random(0)

    async def live(client: AsyncClient, name: str, fate: str) -> str:
        await client.create_session(name)
        said = ""
        async with client.converse(name, "You are kind") as reply:
            async for event in reply:
                match event.WhichOneof("event"):
                    case "started":
                        await client.apply(name, threat=0.9)
                        if fate == "deleted":
                            await client.delete_session(name)
                    case "text":
                        said += event.text.text
                        if fate == "left":
                            break
                decoder.let(1)
        return said

    fates = draw.choices(("finished", "left", "deleted"), k=96)
    async with talking(decoder, loras, clock) as (served, client):
        decoder.let(len(fates))
        for begin in range(0, len(fates), 24):
            async with asyncio.TaskGroup() as group:
                lives = [
                    group.create_task(live(client, f"s{number}", fates[number])) for number in range(begin, begin + 24)
                ]
            for number, one in enumerate(lives, start=begin):
                assert one.result() == ("t0 " if fates[number] == "left" else "t0 t1 t2 t3 ")
        while decoder.speaking:  # noqa: ASYNC110  # until the last cancellation arrives
            await asyncio.sleep(0.001)
        for number, fate in enumerate(fates):
            if fate != "deleted":
                while await served.subscribers(f"s{number}"):  # noqa: ASYNC110  # likewise
                    await asyncio.sleep(0.001)
    assert not [task for task in asyncio.all_tasks() if "_listen" in repr(task.get_coro())]


# ---- the voices themselves


class Looks:
    """A voice of the temperature the test sets; counts how often it was asked for."""

    def __init__(self) -> None:
        self.value = 1.0
        self.count = 0
        self._looked = asyncio.Event()

    async def renewed(self) -> "Looks":
        return self

    def voice(self, moment: Moment) -> Voice:
        self.count += 1
        self._looked.set()
        return Voice((), self.value, 0.9)

    async def more(self, count: int) -> None:
        target = self.count + count
        while self.count < target:
            self._looked.clear()
            await self._looked.wait()


async def engine_with_ada(clock: Clock) -> Engine:
    engine = Engine(MemoryStore(), clock)
    await engine.create("ada", config_to(Agent()), None)
    return engine


async def test_within_the_dead_band_nothing_is_given_out_and_a_slow_drift_is_in_steps(clock: Clock) -> None:
    engine, looks, got = await engine_with_ada(clock), Looks(), list[float]()

    async def listen() -> None:
        async with aclosing(follow(engine, "ada", looks, Voice((), 1.0, 0.9), QUICK)) as voices:
            async for voice in voices:
                got.append(voice.temperature)

    listening = asyncio.create_task(listen())
    for step in range(10):  # a quarter of the band each
        looks.value = 1 - step / 128
        await looks.more(2)
    listening.cancel()
    await asyncio.wait((listening,))
    assert got == [1 - 4 / 128, 1 - 8 / 128]
    assert not (await engine.session("ada")).subscriptions


async def test_following_a_session_that_is_gone_is_over_at_once(clock: Clock) -> None:
    engine = await engine_with_ada(clock)
    await engine.delete("ada")
    assert [voice async for voice in follow(engine, "ada", Looks(), Voice((), 0.8, 0.9), QUICK)] == []


def test_the_distance_of_two_voices_is_the_greatest_of_their_differences() -> None:
    def voice(t: float = 0.8, p: float = 0.9, **blend: float) -> Voice:
        return Voice(tuple(BlendWeight(name, weight) for name, weight in blend.items()), t, p)

    assert distance(voice(), voice()) == 0
    assert distance(voice(a=1.0), voice(a=0.75, b=0.125)) == 0.25
    assert distance(voice(b=0.5), voice(a=0.25)) == 0.5
    assert distance(voice(t=1.0), voice(t=0.5, p=0.875)) == 0.5
    assert distance(voice(p=0.5), voice(p=0.75)) == 0.25
