"""The decoder against a small server that speaks vLLM's endpoints: what it asks, and what it makes of the answers."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from tiny_adapters import published
from tiny_model import tiny_tokenizer, write_tiny_model
from vllm_loopback import CONTEXT, MODEL, VllmLoopback, vllm_loopback

from emotional_ai_service.decoding import (
    BlendWeight,
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    Message,
    PromptTooLong,
    Role,
    Sampling,
    Started,
    Text,
    UnknownAdapter,
)
from emotional_ai_service.decoding.errors import CannotBlend, CannotFollow
from emotional_ai_service.decoding.messages import Blend, BlendMode, KvSpan, Voice, VoiceChange
from emotional_ai_service.decoding.vllm import ServerSilent, ServerUnfit, VllmDecoder, VllmSettings
from emotional_ai_service.decoding.vllm.fitness import Fitness, inspect
from emotional_ai_service.decoding.vllm.server import VllmServer
from emotional_ai_service.errors import ModelUnavailable
from emotional_ai_service.workers import Load, Overloaded, WorkerStartFailed
from emotional_ai_training.adapters import Registry
from emotional_ai_training.models import model_digest

pytestmark = pytest.mark.asyncio(loop_scope="module")
CAPACITY, HELD = 4, 2


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("vllm")
    write_tiny_model(home / "tiny")
    digest = model_digest(home / "tiny", home)
    for name in ("one", "two"):
        published(home / "loras", name, base_model_digest=digest)
    return home


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def serving() -> AsyncIterator[VllmLoopback]:
    async with vllm_loopback() as vllm:
        yield vllm


@pytest.fixture
def vllm(serving: VllmLoopback) -> VllmLoopback:
    serving.reset()
    return serving


def settings(home: Path, serving: VllmLoopback) -> VllmSettings:
    return VllmSettings(
        base_url=serving.url,
        model=MODEL,
        model_dir=home / "tiny",
        cache_dir=home,
        registry=Registry(home / "loras"),
        blends_dir=home / "blends",
        blends=HELD,
        capacity=CAPACITY,
        max_rank=5,
        watch_seconds=0.01,
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def decoder(home: Path, serving: VllmLoopback) -> AsyncIterator[VllmDecoder]:
    (home / "blends" / "blend-left").mkdir(parents=True)
    serving.loaded = {"blend-left": str(home / "blends" / "blend-left"), "others": "/elsewhere/others"}
    decoder = VllmDecoder(settings(home, serving))
    await decoder.start()
    assert not (home / "blends" / "blend-left").exists()
    assert set(serving.loaded) == {"others"}, "what an earlier service left is unloaded, and nothing else"
    yield decoder
    await decoder.close()


def ask(*blend: BlendWeight, **fields: object) -> GenerationRequest:
    given = {"sampling": Sampling(0, repetition_penalty=1), "max_tokens": 20, "blend": blend} | fields
    return GenerationRequest((Message(Role.USER, "the sea"),), 5, **given)  # type: ignore[arg-type]


async def reply(decoder: VllmDecoder, request: GenerationRequest) -> list[GenerationEvent]:
    async with aclosing(decoder.generate(request)) as events:
        return [event async for event in events]


def end_of(events: list[GenerationEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def one(weight: float) -> BlendWeight:
    return BlendWeight("one", weight)


async def test_a_reply_says_what_it_was_spoken_with(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    events = await reply(decoder, ask(one(0.5004), BlendWeight("two", -0.25), logprobs=True))
    assert isinstance(events[0], Started)
    texts = [event for event in events if isinstance(event, Text)]
    assert "".join(text.text for text in texts) == tiny_tokenizer().decode(list(vllm.tokens))
    assert [value for text in texts for value in text.logprobs] == [-40.0, -41.0, -42.0]
    end = end_of(events)
    spoken: Blend = (one(0.5), BlendWeight("two", -0.25))
    assert end.mode is BlendMode.EXACT
    assert end.changes == (VoiceChange(0, Voice(spoken, 0.0, 0.92)),)
    assert end.kv == (KvSpan(0, spoken),)
    assert [version.adapter for version in end.adapters] == ["one", "two"]
    assert (end.reason, end.completion_tokens) == (FinishReason.LENGTH, 3)
    assert vllm.asked[-1]["model"] == vllm.loads[-1]
    assert len(vllm.asked[-1]["prompt"]) == events[0].prompt_tokens == end.prompt_tokens


async def test_without_weights_the_base_model_is_asked(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    end = end_of(await reply(decoder, ask(one(0.0))))
    assert (end.mode, end.adapters, end.changes[0].voice.blend) == (BlendMode.BASE, (), ())
    assert vllm.asked[-1]["model"] == MODEL
    assert vllm.loads == []


async def test_the_end_of_a_turn_ends_the_reply_and_is_no_text(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    end = tiny_tokenizer().eos_token_id
    assert isinstance(end, int)
    vllm.tokens = (40, end)
    vllm.finish = "stop"
    events = await reply(decoder, ask())
    assert "".join(event.text for event in events if isinstance(event, Text)) == tiny_tokenizer().decode([40])
    assert (end_of(events).reason, end_of(events).completion_tokens) == (FinishReason.STOP, 2)
    assert vllm.asked[-1]["stop_token_ids"] == [end]


async def test_blends_asked_for_at_once_are_loaded_once(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    asked = [one(1.5), one(1.51), one(1.52)]
    ends = await asyncio.gather(*(reply(decoder, ask(weight)) for weight in asked))
    assert len(vllm.loads) == 1
    # Whichever looked up its adapters first: each does so in a thread of its own.
    ((spoken,),) = {end_of(events).changes[0].voice.blend for events in ends}
    assert spoken in asked


async def test_a_voice_sent_back_is_spoken_exactly(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    await reply(decoder, ask(one(1.0)))
    events = await reply(decoder, ask(schedule=(VoiceChange(0, Voice((one(1.01),), 0.5, 0.9)),)))
    assert end_of(events).changes == (VoiceChange(0, Voice((one(1.01),), 0.5, 0.9)),)


async def test_idle_blends_are_unloaded_and_removed(home: Path, decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    for weight in (0.1, 0.3, 0.6, 0.9):
        await reply(decoder, ask(one(weight)))
    held = {name for name in vllm.loaded if name != "others"}
    assert {entry.name for entry in (home / "blends").iterdir()} == held == set(vllm.loads[-HELD:])


async def test_what_the_server_fails_to_unload_is_unloaded_later(
    home: Path, decoder: VllmDecoder, vllm: VllmLoopback
) -> None:
    for weight in (1.1, 1.3):
        await reply(decoder, ask(one(weight)))
    held = {name for name in vllm.loaded if name != "others"}
    vllm.keeps = True
    await reply(decoder, ask(one(1.6)))
    assert held < set(vllm.loaded)
    vllm.keeps = False
    await reply(decoder, ask(one(1.8)))
    left = {name for name in vllm.loaded if name != "others"}
    assert {entry.name for entry in (home / "blends").iterdir()} == left == set(vllm.loads[-HELD:])


async def test_blends_in_use_are_kept_and_one_more_is_refused(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    vllm.speaking.clear()
    async with AsyncExitStack() as stack:
        for weight in (-0.1, -0.4):
            events = await stack.enter_async_context(aclosing(decoder.generate(ask(one(weight)))))
            assert isinstance(await anext(events), Started)
            assert isinstance(await anext(events), Text)
        with pytest.raises(Overloaded, match="all 2 blends") as refusal:
            await reply(decoder, ask(one(-0.9)))
        assert refusal.value.retry_seconds > 0
    vllm.speaking.set()
    assert end_of(await reply(decoder, ask(one(-0.9)))).mode is BlendMode.EXACT


async def test_an_adapter_replaced_is_a_blend_of_another_name(
    home: Path, decoder: VllmDecoder, vllm: VllmLoopback
) -> None:
    first = end_of(await reply(decoder, ask(one(0.7))))
    published(home / "loras", "one", fill=0.25, base_model_digest=decoder.describe().digest)
    second = end_of(await reply(decoder, ask(one(0.7))))
    assert first.adapters != second.adapters
    assert vllm.asked[-2]["model"] != vllm.asked[-1]["model"]


async def test_a_blend_the_server_lost_is_loaded_again(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    await reply(decoder, ask(one(0.8)))
    vllm.loaded.clear()
    assert end_of(await reply(decoder, ask(one(0.8)))).completion_tokens == 3
    assert vllm.loads[-1] == vllm.asked[-1]["model"]


async def test_leaving_early_leaves_the_server_too(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    vllm.speaking.clear()
    async with aclosing(decoder.generate(ask())) as events:
        async for event in events:
            if isinstance(event, Text):
                break
    async with asyncio.timeout(10):
        await vllm.left.acquire()


async def test_a_stop_string_leaves_the_server_too(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    vllm.tokens = (40, 41, 42, 43, 44)
    whole = tiny_tokenizer().decode(list(vllm.tokens))
    events = await reply(decoder, ask(stop=(whole[2],)))
    assert "".join(event.text for event in events if isinstance(event, Text)) == whole[:2]
    assert (end_of(events).reason, end_of(events).completion_tokens) == (FinishReason.STOP, 3)


async def test_an_accepted_request_has_loaded_and_asked_nothing_yet(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    async with aclosing(decoder.generate(ask(one(1.9)))) as events:
        assert isinstance(await anext(events), Started)
    assert vllm.loads == vllm.asked == []


async def test_a_server_that_fails_at_a_request_is_unavailable(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    async with aclosing(decoder.generate(ask())) as events:
        await anext(events)
        vllm.alive = False
        with pytest.raises(ModelUnavailable, match="the engine is dead"):
            await anext(events)


@pytest.mark.parametrize("status", [307, 429, 500, 502])
async def test_what_stands_before_it_may_be_busy_or_wrong(
    decoder: VllmDecoder, vllm: VllmLoopback, status: int
) -> None:
    async with aclosing(decoder.generate(ask())) as events:
        await anext(events)
        vllm.answers = status
        with pytest.raises(ModelUnavailable, match=f"{status}: what stands before it"):
            await anext(events)


async def test_what_it_cannot_do_is_refused(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    async def voices() -> AsyncIterator[Voice]:
        yield Voice((), 1.0, 1.0)

    with pytest.raises(CannotFollow):
        await anext(decoder.generate(ask(), voices()))
    with pytest.raises(CannotFollow):
        await reply(decoder, ask(schedule=(VoiceChange(2, Voice((), 1.0, 1.0)),)))
    with pytest.raises(UnknownAdapter, match="nobody"):
        await reply(decoder, ask(BlendWeight("nobody", 1.0)))
    with pytest.raises(PromptTooLong) as refusal:
        await reply(decoder, ask(max_tokens=CONTEXT))
    assert refusal.value.limit == 0
    assert vllm.asked == []


async def test_ranks_beyond_the_servers_are_refused(home: Path, decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    published(home / "loras", "three", base_model_digest=decoder.describe().digest)
    with pytest.raises(CannotBlend, match="up to rank 5, and the ranks of these adapters sum to 6"):
        await reply(decoder, ask(one(1.0), BlendWeight("two", 1.0), BlendWeight("three", 1.0)))
    shutil.rmtree(home / "loras" / "three")
    assert vllm.loads == []


async def test_a_load_refused_is_told_and_tried_anew(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    vllm.refusal = "no memory left"
    with pytest.raises(CannotBlend, match="no memory left"):
        await reply(decoder, ask(one(-1.5)))
    vllm.refusal = ""
    assert end_of(await reply(decoder, ask(one(-1.5)))).mode is BlendMode.EXACT


async def test_more_requests_than_there_may_be_are_refused(decoder: VllmDecoder, vllm: VllmLoopback) -> None:
    vllm.speaking.clear()
    async with AsyncExitStack() as stack:
        for _ in range(CAPACITY):
            events = await stack.enter_async_context(aclosing(decoder.generate(ask())))
            await anext(events)
        assert not decoder.ready
        assert decoder.load() == Load(running=CAPACITY)
        with pytest.raises(Overloaded):
            await reply(decoder, ask())
    assert decoder.ready
    assert decoder.load() == Load()


@pytest.mark.parametrize("finish", ["", "abort"])
async def test_a_reply_broken_off_is_not_taken_for_complete(
    decoder: VllmDecoder, vllm: VllmLoopback, finish: str
) -> None:
    vllm.finish = finish
    with pytest.raises(ServerSilent) as refusal:
        await reply(decoder, ask())
    assert refusal.value.retry_seconds > 0


@pytest.mark.parametrize(
    ("left_out", "problem"),
    [("token_ids", "does not send replies as vLLM does"), ("logprobs", "0 logprobs for 1 tokens")],
)
async def test_what_a_server_leaves_out_is_not_made_up(
    decoder: VllmDecoder, vllm: VllmLoopback, left_out: str, problem: str
) -> None:
    vllm.silent = (left_out,)
    with pytest.raises(ServerSilent, match=problem):
        await reply(decoder, ask(logprobs=True))


async def test_a_server_that_fails_is_unavailable_and_not_ready_until_it_is_back(
    decoder: VllmDecoder, vllm: VllmLoopback
) -> None:
    vllm.alive = False
    with pytest.raises(ModelUnavailable, match="is not well"):
        await reply(decoder, ask())
    async with asyncio.timeout(10):
        while decoder.ready:
            await vllm.looked.acquire()
        vllm.alive = True
        while not decoder.ready:
            await vllm.looked.acquire()
    assert end_of(await reply(decoder, ask())).completion_tokens == 3


async def test_whether_the_server_knows_our_penalty_is_found_out(home: Path, vllm: VllmLoopback) -> None:
    server = VllmServer(settings(home, vllm))
    assert await inspect(server, settings(home, vllm)) == Fitness(CONTEXT, penalises=True)
    vllm.penalises = False
    assert await inspect(server, settings(home, vllm)) == Fitness(CONTEXT, penalises=False)
    await server.close()


async def start_of(settings: VllmSettings) -> str:
    """What a decoder that does not start says."""
    decoder = VllmDecoder(settings)
    try:
        with pytest.raises(ServerUnfit) as refusal:
            await decoder.start()
    finally:
        await decoder.close()
    return str(refusal.value)


async def test_a_server_started_otherwise_is_named_with_the_command(home: Path, vllm: VllmLoopback) -> None:
    fit = settings(home, vllm)
    problem = await start_of(replace(fit, model="llama"))
    assert f"serves {MODEL}" in problem
    assert "--served-model-name llama" in problem
    vllm.updates = False
    assert "does not load adapters while it runs" in await start_of(fit)
    vllm.updates = True
    vllm.strict = True
    assert "refuses a plain completion (400: prompt must be text)" in await start_of(fit)
    vllm.strict = False
    strange: tuple[object, ...] = ({"models": []}, [], {"data": [1]})
    for listing in strange:
        vllm.listing = listing
        assert "does not say what it serves as vLLM does" in await start_of(fit)
    vllm.listing = None
    own = replace(fit, blends_dir=home / "own")
    vllm.loaded["blend-stuck"] = str(home / "own" / "blend-stuck")
    vllm.keeps = True
    assert "does not forget what an earlier service left (500: it is stuck)" in await start_of(own)
    vllm.keeps = False
    del vllm.loaded["blend-stuck"]
    (home / "file").touch()
    decoder = VllmDecoder(replace(fit, blends_dir=home / "file"))
    with pytest.raises(WorkerStartFailed, match="blends_dir: "):
        await decoder.start()
    await decoder.close()
    gone = await start_of(replace(fit, base_url="http://127.0.0.1:9"))
    assert "does not answer" in gone
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True" in gone
