"""The decoder process: with a tiny model for its life and death, with the default model for its speech."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_decoding import publish_tiny_adapter, tiny_local_model
from tiny_replies import BOTH

from emotional_ai_service.decoding import (
    BlendMode,
    BlendWeight,
    Decoder,
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    LocalDecoder,
    LocalModel,
    Message,
    PromptTooLong,
    Role,
    RuntimeKind,
    Sampling,
    Started,
    Text,
    UnknownAdapter,
    Voice,
    VoiceChange,
)
from emotional_ai_service.workers import Overloaded, WorkerStartFailed, WorkerUnavailable
from emotional_ai_training.models import cache_dir, default_model_dir, pull

ASK = GenerationRequest((Message(Role.USER, "the sea"),), seed=5, sampling=Sampling(temperature=1.5), max_tokens=20)


CALM = (BlendWeight("calm", 0.75),)
TRIES = 10
"""Of what a test must do while a reply is spoken: one of a hundred tokens is over within 60 ms."""


@pytest.fixture(params=BOTH, ids=lambda kind: kind.value)
def tiny(tmp_path: Path, request: pytest.FixtureRequest) -> LocalModel:
    publish_tiny_adapter(tmp_path, "calm", seed=1)
    return tiny_local_model(tmp_path, request.param)


@pytest.fixture
async def decoder(tiny: LocalModel) -> AsyncIterator[LocalDecoder]:
    decoder = LocalDecoder(tiny, threads=1)
    await decoder.start()
    yield decoder
    await decoder.close()


async def reply(
    decoder: Decoder, request: GenerationRequest, voices: AsyncIterator[Voice] | None = None
) -> list[GenerationEvent]:
    async with aclosing(decoder.generate(request, voices)) as events:
        return [event async for event in events]


def text_of(events: list[GenerationEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def test_the_parent_imports_no_torch() -> None:
    program = "import sys, emotional_ai_service.decoding; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_replies_stream_repeat_by_seed_and_do_not_disturb_each_other(decoder: LocalDecoder) -> None:
    alone = await reply(decoder, ASK)
    assert isinstance(alone[0], Started)
    assert isinstance(alone[-1], Finished)
    together = await asyncio.gather(*(reply(decoder, ASK) for _ in range(10)))
    assert {text_of(events) for events in together} == {text_of(alone)}
    assert decoder.describe().name == "model"
    assert len(decoder.describe().digest) == 64


async def test_a_prompt_too_long_reaches_the_caller_with_its_numbers(decoder: LocalDecoder) -> None:
    with pytest.raises(PromptTooLong) as refusal:
        await reply(decoder, GenerationRequest((Message(Role.USER, "x" * 300),), seed=1, max_tokens=100))
    assert refusal.value.tokens > 300
    assert refusal.value.limit == 156
    assert refusal.value.facts == {"tokens": str(refusal.value.tokens), "limit": "156"}


async def test_a_killed_decoder_fails_its_replies_and_speaks_the_same_after_restart(decoder: LocalDecoder) -> None:
    asked = replace(ASK, blend=CALM, max_tokens=100)
    before = text_of(await reply(decoder, asked))
    for _ in range(TRIES):
        lost = await killed_under(decoder, asked)
        assert all(error.retry_seconds > 0 for error in lost)
        assert text_of(await reply(decoder, asked)) == before
        if lost:
            break
    assert lost


async def killed_under(decoder: LocalDecoder, asked: GenerationRequest) -> list[WorkerUnavailable]:
    """Kills the decoder under eight replies and waits until it is back; how those ended that were not whole by then."""
    begun, pid = asyncio.Event(), decoder.pid
    assert pid is not None

    async def told() -> GenerationEvent:
        async with aclosing(decoder.generate(asked)) as events:
            heard = [await anext(events)]
            begun.set()
            heard += [event async for event in events]
        return heard[-1]

    replies = [asyncio.create_task(told()) for _ in range(8)]
    await begun.wait()
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        ends = await asyncio.gather(*replies, return_exceptions=True)
    assert {type(end) for end in ends} <= {WorkerUnavailable, Finished}
    async with asyncio.timeout(60):
        while not decoder.ready:  # noqa: ASYNC110  # another process, which sets no event
            await asyncio.sleep(0.05)
    assert decoder.pid != pid
    return [end for end in ends if isinstance(end, WorkerUnavailable)]


async def test_an_adapter_published_while_serving_is_spoken_with_at_the_next_request(
    decoder: LocalDecoder, tmp_path: Path
) -> None:
    late = replace(ASK, blend=(BlendWeight("late", 1.0),))
    with pytest.raises(UnknownAdapter, match="late"):
        await reply(decoder, late)
    published = publish_tiny_adapter(tmp_path, "late", rank=3, seed=2)
    events = await reply(decoder, late)
    assert isinstance(events[-1], Finished)
    assert events[-1].mode is BlendMode.EXACT
    assert [version.digest for version in events[-1].adapters] == [published.digest]


async def test_voices_reach_the_reply_while_it_is_spoken(decoder: LocalDecoder) -> None:
    for _ in range(TRIES):
        changes, finished = await spoken_to(decoder)
        assert finished.changes[1:] == tuple(changes)
        if changes:
            break
    assert [change.voice for change in changes] == [Voice(CALM, 0.5, 1.0)]
    assert changes[0].token_index > 0


async def spoken_to(decoder: LocalDecoder) -> tuple[list[VoiceChange], Finished]:
    """The changes of a reply that is given another voice once it has begun, and its end."""
    begun = asyncio.Event()

    async def voices() -> AsyncIterator[Voice]:
        await begun.wait()
        yield Voice(CALM, 0.5, 1.0)

    changes: list[VoiceChange] = []
    async with aclosing(decoder.generate(replace(ASK, max_tokens=100, seed=6), voices())) as events:
        async for event in events:
            if isinstance(event, Text):
                begun.set()
            elif isinstance(event, VoiceChange):
                changes.append(event)
    assert isinstance(event, Finished)
    return changes, event


async def test_more_requests_than_it_holds_are_refused_with_a_hint(tmp_path: Path) -> None:
    decoder = LocalDecoder(tiny_local_model(tmp_path, RuntimeKind.TORCH), threads=1, capacity=2)
    await decoder.start()
    try:
        under_way = [decoder.generate(replace(ASK, max_tokens=100)) for _ in range(2)]
        for events in under_way:
            assert isinstance(await anext(events), Started)
        with pytest.raises(Overloaded) as refusal:
            await reply(decoder, ASK)
        assert refusal.value.retry_seconds > 0
        for events in under_way:
            await events.aclose()
        assert isinstance((await reply(decoder, ASK))[-1], Finished)
    finally:
        await decoder.close()


async def test_a_directory_that_is_no_model_fails_the_start_and_says_why(tmp_path: Path) -> None:
    decoder = LocalDecoder(LocalModel(tmp_path, tmp_path), threads=1)
    with pytest.raises(WorkerStartFailed, match=r"is not a model: it has no config\.json"):
        await decoder.start()
    assert not decoder.ready


@pytest.fixture(scope="module")
def default_model() -> LocalModel:
    """The real default model; downloaded and converted by the first test run on a machine."""
    cache = cache_dir(os.environ)
    pull(cache)
    return LocalModel(default_model_dir(cache), cache)


@pytest.mark.timeout(600)
async def test_the_default_model_answers_and_ends_its_turn(default_model: LocalModel) -> None:
    decoder = LocalDecoder(default_model)
    await decoder.start()
    try:
        greedy = Sampling(temperature=0, repetition_penalty=1)
        question = (Message(Role.USER, "What is the capital of France? Answer in one word."),)
        events = await reply(decoder, GenerationRequest(question, seed=0, sampling=greedy, max_tokens=40))
        assert "Paris" in text_of(events)
        assert isinstance(events[-1], Finished)
        assert events[-1].reason is FinishReason.STOP
        assert decoder.describe().context_length == 8192
    finally:
        await decoder.close()
