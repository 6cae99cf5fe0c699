"""A conversation as the page keeps it: real gRPC, real states, words that a test lets out one by one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from faltering_speech import Faltering, Fault, faltering_service
from loopback import PATIENCE
from scripted_decoder import ScriptedDecoder, Speaking, speaking_service
from scripted_speech import Script, scripted_service
from tiny_adapters import published

from emotional_ai import AsyncClient, Chemistry, Sampling
from emotional_ai.web.conversation import (
    Bounds,
    Busy,
    Conversation,
    Conversations,
    Grown,
    Outcome,
    Part,
    Reply,
    Supposed,
    Told,
    Turn,
)
from emotional_ai.web.conversation.conversation import MOST_AGAIN, MOST_TURNS
from emotional_ai.web.conversation.conversations import MOST
from emotional_ai_service.decoding.messages import GenerationRequest
from emotional_ai_service.following import Pace
from emotional_ai_training.conditioning import ADAPTERS

QUICK = Pace(drift_seconds=0.002, least_seconds=0.001)
AFRAID = Supposed("high_cortisol", Chemistry(dopamine=0.3, serotonin=0.3, cortisol=0.9, oxytocin=0.3))


@dataclass
class Page:
    """What one page hears of a conversation."""

    heard: list[Told] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def __call__(self, told: Told) -> None:
        self.heard.append(told)
        self.news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for what must become true by what is heard."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self.news.clear()
                await self.news.wait()

    def grown(self, key: str) -> str:
        """What of a reply was heard bit by bit."""
        growths = (told for told in self.heard if isinstance(told, Grown) and told.key == key)
        return "".join(part.text for growth in growths for part in growth.parts)


@dataclass(frozen=True)
class Talk:
    """A conversation, and a page that listens."""

    client: AsyncClient
    conversation: Conversation
    page: Page

    async def ended(self, reply: Callable[[], Reply] | None = None) -> None:
        """Waits until the reply, the last turn's by default, is no longer spoken."""
        spoken = reply or (lambda: self.conversation.turns[-1].reply)
        await self.page.until(lambda: spoken().outcome is not Outcome.SPEAKING)

    async def said(self, text: str, sampling: Sampling | None = None) -> Turn:
        """A whole turn."""
        self.conversation.say(text, sampling or Sampling())
        await self.ended()
        return self.conversation.turns[-1]


@asynccontextmanager
async def talking(target: str) -> AsyncIterator[Talk]:
    async with asyncio.timeout(PATIENCE), AsyncClient(target) as client:
        conversations, page = Conversations(client), Page()
        conversation = conversations.of(await client.create_session("ada"))
        conversation.join(page)
        try:
            yield Talk(client, conversation, page)
        finally:
            await conversations.close()


@asynccontextmanager
async def scripted(decoder: ScriptedDecoder, tmp_path: Path) -> AsyncIterator[tuple[Speaking, Talk]]:
    for name in ADAPTERS:
        published(tmp_path / "loras", name)
    async with speaking_service(decoder, tmp_path / "loras", pace=QUICK) as served, talking(served.address) as talk:
        yield served, talk


def prompts(decoder: ScriptedDecoder) -> list[list[str]]:
    """The texts of each prompt a reply was spoken to."""
    return [[message.content for message in asked.messages] for asked in replies(decoder)]


def replies(decoder: ScriptedDecoder) -> list[GenerationRequest]:
    """What was asked of the decoder, without the rehearsals."""
    return [asked for asked in decoder.asked if not asked.rehearsal]


async def test_a_reply_comes_bit_by_bit_and_keeps_what_was_heard_and_the_state_it_is_spoken_in(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=3)
    async with scripted(decoder, tmp_path) as (_, talk):
        talk.conversation.say("I lost it", Sampling(seed=5, max_tokens=9))
        for heard in ("t0 ", "t0 t1 "):
            decoder.let(1)
            await talk.page.until(lambda heard=heard: talk.page.grown("1") == heard)  # type: ignore[misc]
        decoder.let(1)
        await talk.ended()
        turn, state = talk.conversation.turns[0], await talk.client.state("ada")
        assert (turn.reply.outcome, turn.reply.text, turn.reply.tokens) == (Outcome.FINISHED, "t0 t1 t2 ", 3)
        assert turn.appraisal is not None
        assert turn.appraisal.signals.loss == pytest.approx(0.9)
        assert turn.reply.started is not None
        assert turn.reply.started.expression.label == state.label
        assert turn.reply.started.seed == 5
        assert decoder.asked[0].max_tokens == 9


async def test_where_the_blend_moves_the_words_after_it_are_another_voices(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=3)
    async with scripted(decoder, tmp_path) as (_, talk):
        talk.conversation.say("The meeting is at ten.", Sampling())
        decoder.let(1)
        await talk.page.until(lambda: talk.page.grown("1") == "t0 ")
        await talk.client.apply("ada", threat=0.9)
        await decoder.heard.get()
        decoder.let(2)
        await talk.ended()
        tinted = talk.conversation.turns[0].reply.tinted
        assert tinted is not None
        assert tinted.parts == [Part(0, "t0 "), Part(1, "t1 t2 ")]
        assert tinted.voices[1].token == 1
        before, after = (dict(voice.blend).get("high_cortisol", 0) for voice in tinted.voices)
        assert after > before


async def test_every_page_hears_the_same_and_one_that_comes_late_misses_nothing(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=3)
    async with scripted(decoder, tmp_path) as (_, talk):
        talk.conversation.say("Hello", Sampling())
        decoder.let(1)
        await talk.page.until(lambda: talk.page.grown("1") == "t0 ")
        decoder.let(1)
        while talk.conversation.turns[0].reply.tokens < 2:  # noqa: ASYNC110  # said, and nobody told yet
            await asyncio.sleep(0)
        late = Page()
        leave = talk.conversation.join(late)
        assert talk.conversation.turns[0].reply.text == talk.page.grown("1") == "t0 t1 "
        decoder.let(1)
        await talk.ended()
        assert talk.page.heard[-1] is late.heard[-1] is talk.conversation.turns[0]
        assert late.grown("1") in ("", "t2 ")
        leave()
        decoder.let(3)
        await talk.said("And now?")
        assert late.heard[-1] is talk.conversation.turns[0]


async def test_what_was_said_until_it_was_stopped_stays_and_is_sent_along(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=5)
    async with scripted(decoder, tmp_path) as (_, talk):
        talk.conversation.say("Hello", Sampling())
        decoder.let(2)
        await talk.page.until(lambda: talk.page.grown("1") == "t0 t1 ")
        talk.conversation.stop()
        await talk.ended()
        reply = talk.conversation.turns[0].reply
        assert (reply.outcome, reply.text, reply.failure) == (Outcome.STOPPED, "t0 t1 ", "")
        decoder.let(3 + 5)  # as many as the reply that was stopped may still take, until its end is noticed
        await talk.said("Go on")
        assert prompts(decoder) == [["Hello"], ["Hello", "t0 t1 ", "Go on"]]


async def test_a_reply_stopped_before_it_began_says_nothing_and_is_left_out(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=1)
    async with scripted(decoder, tmp_path) as (_, talk):
        talk.conversation.say("Hello", Sampling())
        talk.conversation.stop()
        await talk.ended()
        assert talk.conversation.turns[0].reply.outcome is Outcome.STOPPED
        decoder.let(2)
        await talk.said("Good day")
        assert prompts(decoder)[-1] == ["Good day"]


async def test_while_a_reply_is_spoken_nothing_else_is_said(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=1)
    async with scripted(decoder, tmp_path) as (_, talk):
        talk.conversation.say("Hello", Sampling())
        with pytest.raises(Busy, match="stop it first"):
            talk.conversation.say("Hello?", Sampling())
        with pytest.raises(Busy):
            talk.conversation.forget()
        assert len(talk.conversation.turns) == 1


async def test_said_again_in_another_state_the_same_words_are_answered_beside_and_the_session_stays(
    tmp_path: Path,
) -> None:
    decoder = ScriptedDecoder(tokens=1)
    async with scripted(decoder, tmp_path) as (_, talk):
        decoder.let(2 + MOST_AGAIN + 1)
        await talk.said("Good day")
        turn = await talk.said("I lost it", Sampling(seed=5))
        before, config = await talk.client.state("ada"), (await talk.client.get_session("ada")).config
        for _ in range(MOST_AGAIN + 1):
            talk.conversation.again(turn.number, AFRAID, Sampling(seed=5), config)
            await talk.ended(lambda: turn.again[-1])
        assert [reply.key for reply in turn.again] == ["2.2", "2.3", "2.4"]
        retold = turn.again[-1]
        assert (retold.outcome, retold.text, retold.supposed) == (Outcome.FINISHED, "t0 ", AFRAID)
        assert retold.started is not None
        assert retold.started.expression.chemistry == AFRAID.chemistry
        first, last = replies(decoder)[1], replies(decoder)[-1]
        assert prompts(decoder)[-1] == prompts(decoder)[1] == ["Good day", "t0 ", "I lost it"]
        assert first.seed == last.seed == 5
        assert "<CO=0.90>" in last.conditioning
        assert "<CO=0.90>" not in first.conditioning
        assert (await talk.client.state("ada")).version == before.version
        assert turn.reply.text == "t0 "


async def test_a_turn_that_is_gone_cannot_be_said_again(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=1)
    async with scripted(decoder, tmp_path) as (_, talk):
        decoder.let(1)
        turn = await talk.said("Hello")
        talk.conversation.forget()
        assert talk.page.heard[-1] == Bounds(2, 2)
        config = (await talk.client.get_session("ada")).config
        with pytest.raises(ValueError, match="turn 1 is no longer kept"):
            talk.conversation.again(turn.number, AFRAID, Sampling(), config)


async def test_a_prompt_too_long_forgets_the_oldest_turns_and_says_so() -> None:
    script = Script(greatest_history=2)
    with scripted_service(script) as target:
        async with talking(target) as talk:
            for text in ("one", "two", "three"):
                await talk.said(text)
            assert [message.content for message in script.asked[-1].history] == ["two", "I am here for you."]
            assert [told for told in talk.page.heard if isinstance(told, Bounds)] == [Bounds(1, 2)]
            assert [turn.text for turn in talk.conversation.turns] == ["one", "two", "three"]
            assert script.asked[-1].request_id == script.asked[-2].request_id


async def test_what_is_kept_is_bounded() -> None:
    script = Script(pieces=("yes",))
    with scripted_service(script) as target:
        async with talking(target) as talk:
            for number in range(MOST_TURNS + 2):
                await talk.said(f"turn {number}")
            assert len(talk.conversation.turns) == MOST_TURNS
            assert talk.page.heard.count(talk.conversation.bounds) == 1
            assert talk.conversation.bounds == Bounds(3, 3)
            assert len(script.asked[-1].history) == 2 * (MOST_TURNS - 1)


async def test_a_reply_that_fails_says_why_and_said_once_more_moves_the_session_once() -> None:
    script = Faltering(faults=[Fault(before="text", after_pieces=1)])
    with faltering_service(script) as target:
        async with talking(target) as talk:
            turn = await talk.said("I lost it")
            assert (turn.reply.outcome, turn.reply.text) == (Outcome.FAILED, "I am ")
            assert "the decoder is being restarted" in turn.reply.failure
            assert not turn.remembered
            version = (await talk.client.state("ada")).version
            talk.conversation.retry()
            await talk.ended()
            assert (turn.reply.outcome, turn.reply.text) == (Outcome.FINISHED, "I am here for you.")
            assert (await talk.client.state("ada")).version == version
            talk.conversation.retry()
            assert turn.reply.outcome is Outcome.FINISHED


async def test_a_reply_that_ends_before_it_is_complete_has_failed() -> None:
    with faltering_service(Faltering(faults=[Fault(before="finished", code=None)])) as target:
        async with talking(target) as talk:
            turn = await talk.said("Hello")
            assert (turn.reply.outcome, turn.reply.text) == (Outcome.FAILED, "I am here for you.")
            assert turn.reply.failure == "the service ended the reply before it was complete"


async def test_a_service_that_goes_away_in_mid_reply_leaves_what_was_said_and_why(tmp_path: Path) -> None:
    decoder = ScriptedDecoder(tokens=3)
    async with AsyncExitStack() as while_there:
        served = await while_there.enter_async_context(speaking_service(decoder, tmp_path / "loras"))
        async with talking(served.address) as talk:
            talk.conversation.say("Hello", Sampling())
            decoder.let(1)
            await talk.page.until(lambda: talk.page.grown("1") == "t0 ")
            await while_there.aclose()
            await talk.ended()
            reply = talk.conversation.turns[0].reply
            assert (reply.outcome, reply.text) == (Outcome.FAILED, "t0 ")
            assert "emotional-ai serve" in reply.failure
            nothing = (await talk.said("Is anybody there?")).reply
            assert (nothing.outcome, nothing.text) == (Outcome.FAILED, "")


async def test_a_session_made_anew_under_an_id_begins_a_new_conversation() -> None:
    with scripted_service(Script()) as target:
        async with AsyncClient(target) as client:
            conversations = Conversations(client)
            first = conversations.of(await client.create_session("ada"))
            assert conversations.of(await client.get_session("ada")) is first
            await client.delete_session("ada")
            assert conversations.of(await client.create_session("ada")) is not first


async def test_conversations_nobody_looks_at_make_room_for_others_and_those_looked_at_stay() -> None:
    with scripted_service(Script()) as target:
        async with AsyncClient(target) as client:
            conversations = Conversations(client)
            sessions = [await client.create_session(f"ada-{number}") for number in range(MOST + 1)]
            looked_at, idle = conversations.of(sessions[0]), conversations.of(sessions[1])
            looked_at.join(Page())
            for session in sessions[2:]:
                conversations.of(session)
            assert conversations.of(sessions[0]) is looked_at
            assert conversations.of(sessions[1]) is not idle
