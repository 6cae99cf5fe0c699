"""What is counted of replies and appraisals, read off a decoder that speaks when it is told to."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest
from scripted_decoder import ScriptedDecoder, WordAppraiser

from emotional_ai_service.appraisal import AppraisalJob
from emotional_ai_service.decoding import GenerationEvent, GenerationRequest, Message, Role, Text
from emotional_ai_service.decoding.errors import AdapterRefused
from emotional_ai_service.decoding.messages import BlendWeight, Voice
from emotional_ai_service.observing.speech import ObservedAppraiser, ObservedDecoder, SpeechCounts

ASKED = GenerationRequest((Message(Role.USER, "hello"),), seed=1)
Observed = tuple[ScriptedDecoder, SpeechCounts, ObservedDecoder]


@pytest.fixture
def observed() -> Observed:
    decoder, counts = ScriptedDecoder(tokens=3), SpeechCounts()
    return decoder, counts, ObservedDecoder(decoder, counts, None)


async def heard(events: AsyncGenerator[GenerationEvent, None]) -> list[GenerationEvent]:
    async with asyncio.timeout(10), aclosing(events):
        return [event async for event in events]


async def until_text(events: AsyncGenerator[GenerationEvent, None]) -> None:
    async with asyncio.timeout(10):
        while not isinstance(await anext(events), Text):
            pass


async def test_a_whole_reply_is_counted_with_the_voice_it_took_up(observed: Observed) -> None:
    decoder, counts, speaking = observed
    decoder.let(1)

    async def voices() -> AsyncIterator[Voice]:
        yield Voice((BlendWeight("alpha", 0.5),), 0.9, 0.9)

    events = speaking.generate(ASKED, voices())
    await until_text(events)
    await asyncio.wait_for(decoder.heard.get(), 10)
    decoder.let(2)
    await heard(events)
    assert (counts.tokens, counts.blend_changes, counts.ends) == (3, 1, {"length": 1})
    assert (counts.first_token.count, counts.reply.count, counts.queue.count) == (1, 1, 0)
    assert counts.speaking == 0


async def test_a_reply_that_is_left_and_one_that_is_refused_are_told_apart(observed: Observed) -> None:
    decoder, counts, speaking = observed
    decoder.let(1)
    left = speaking.generate(ASKED)
    await until_text(left)
    assert counts.speaking == 1
    await left.aclose()
    decoder.refuses = ("alpha",)
    with pytest.raises(AdapterRefused):
        await heard(speaking.generate(replace(ASKED, blend=(BlendWeight("alpha", 1.0),))))
    assert counts.ends == {"left": 1, "AdapterRefused": 1}
    assert (counts.speaking, decoder.speaking, counts.tokens) == (0, 0, 1)


async def test_an_admission_is_no_reply(observed: Observed) -> None:
    _, counts, speaking = observed
    async with aclosing(speaking.generate(replace(ASKED, rehearsal=True))) as events:
        await anext(events)
    assert counts == SpeechCounts(
        batch=counts.batch,
        queue=counts.queue,
        first_token=counts.first_token,
        reply=counts.reply,
        appraisal=counts.appraisal,
    )
    assert counts.batch.count == counts.reply.count == 0


async def test_replies_spoken_together_are_counted_as_pieces_of_them_come(observed: Observed) -> None:
    decoder, counts, speaking = observed
    replies = [speaking.generate(replace(ASKED, seed=seed)) for seed in range(2)]
    for reply in replies:
        decoder.let(1)
        await until_text(reply)
    for reply in replies:
        await reply.aclose()
    assert counts.batch.count == 2
    assert counts.batch.total == 1 + 2


async def test_an_appraisal_is_passed_on_and_timed() -> None:
    counts = SpeechCounts()
    found = [part async for part in ObservedAppraiser(WordAppraiser(), counts, None).request(AppraisalJob(("kind",)))]
    assert [one.classified for part in found for one in part] == [True]
    assert counts.appraisal.count == 1
