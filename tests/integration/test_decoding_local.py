"""The decoder process: with a tiny model for its life and death, with the default model for its speech."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from tiny_model import write_tiny_model

from emotional_ai_service.decoding import (
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
    Sampling,
    Started,
    Text,
)
from emotional_ai_service.workers import WorkerStartFailed, WorkerUnavailable
from emotional_ai_training.models import cache_dir, default_model_dir, pull

ASK = GenerationRequest((Message(Role.USER, "the sea"),), seed=5, sampling=Sampling(temperature=1.5), max_tokens=20)


@pytest.fixture
def tiny(tmp_path: Path) -> LocalModel:
    return LocalModel(write_tiny_model(tmp_path / "tiny"), tmp_path / "cache")


@pytest.fixture
async def decoder(tiny: LocalModel) -> AsyncIterator[LocalDecoder]:
    decoder = LocalDecoder(tiny, threads=1)
    await decoder.start()
    yield decoder
    await decoder.close()


async def reply(decoder: Decoder, request: GenerationRequest) -> list[GenerationEvent]:
    async with aclosing(decoder.generate(request)) as events:
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
    assert decoder.describe().name == "tiny"
    assert len(decoder.describe().digest) == 64


async def test_a_prompt_too_long_reaches_the_caller_with_its_numbers(decoder: LocalDecoder) -> None:
    with pytest.raises(PromptTooLong) as refusal:
        await reply(decoder, GenerationRequest((Message(Role.USER, "x" * 300),), seed=1, max_tokens=100))
    assert refusal.value.tokens > 300
    assert refusal.value.limit == 156
    assert refusal.value.facts == {"tokens": str(refusal.value.tokens), "limit": "156"}


async def test_a_killed_decoder_fails_its_replies_and_speaks_the_same_after_restart(decoder: LocalDecoder) -> None:
    before = text_of(await reply(decoder, ASK))
    pid = decoder.pid
    assert pid is not None
    under_way = decoder.generate(ASK)
    await anext(under_way)
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(1):
        with pytest.raises(WorkerUnavailable):
            async for _ in under_way:
                pass
    async with asyncio.timeout(60):
        while not decoder.ready:  # noqa: ASYNC110  # another process, which sets no event
            await asyncio.sleep(0.05)
    assert text_of(await reply(decoder, ASK)) == before


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
