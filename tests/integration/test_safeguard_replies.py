"""What a reply must keep to, through the whole service: the guard lowers what is expressed, and clients are told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from loopback import PATIENCE
from scripted_decoder import ScriptedDecoder, speaking_service
from tiny_adapters import published

from emotional_ai import AsyncClient, Chemistry, ExpressionConfig, SessionConfig
from emotional_ai.v1 import engine_pb2
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai_service.following import Pace
from emotional_ai_service.safeguard import Notice, Oversight, Rule, Rules
from emotional_ai_service.safeguard.phrase import Phrase
from emotional_ai_training.conditioning import ADAPTERS

START_US = 1_800_000_000_000_000
MINUTE_US = 60_000_000
QUICK = Pace(drift_seconds=0.002, least_seconds=0.001)
TENSE = Chemistry(dopamine=0.5, serotonin=0.6, cortisol=0.9, oxytocin=0.5)
STILL = engine_pb2.DynamicsConfig(time_scale=0)
RULES = Rules(
    [
        Rule("burnt", (Phrase.read("burn*"),), intensity=0.25, turns=2, disclosure="Leave the house."),
        Rule("storm", (Phrase.read("storm*"),), intensity=0.0, minutes=5),
    ]
)


class Clock:
    """Wall microseconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = START_US

    def __call__(self) -> int:
        return self.now


@asynccontextmanager
async def talking(
    tmp_path: Path, notice: Notice | None = None, clock: Clock | None = None, tokens: int = 1, let: int = 64
) -> AsyncIterator[tuple[AsyncClient, ScriptedDecoder]]:
    """A client of a service under RULES, and one tense session that stays as it is, `ada`."""
    for name in ADAPTERS:
        published(tmp_path / "loras", name)
    clock, decoder = clock or Clock(), ScriptedDecoder(tokens=tokens)
    decoder.let(let)
    async with (
        asyncio.timeout(PATIENCE),
        speaking_service(
            decoder, tmp_path / "loras", clock, QUICK, oversight=Oversight(clock, RULES, notice)
        ) as served,
        AsyncClient(served.address) as client,
    ):
        await client.create_session("ada", config=SessionConfig(dynamics=STILL), initial=TENSE)
        yield client, decoder


def said(*texts: str) -> list[pb.ChatMessage]:
    """A conversation so far, each text answered."""
    return [
        pb.ChatMessage(role=role, content=content)
        for text in texts
        for role, content in ((pb.ROLE_USER, text), (pb.ROLE_ASSISTANT, "I see."))
    ]


async def conversed(
    client: AsyncClient, text: str, history: Sequence[pb.ChatMessage] = (), session_id: str = "ada"
) -> pb.ReplyStarted:
    async with client.converse(session_id, text, history=history) as reply:
        await reply.read()
    assert reply.started is not None
    return reply.started


async def generated(client: AsyncClient, text: str, under: str | Chemistry | pb.ExplicitExpression) -> pb.ReplyStarted:
    async with client.generate(text, under=under) as reply:
        await reply.read()
    assert reply.started is not None
    return reply.started


def weights(expression: pb.Expression) -> dict[str, float]:
    return {one.adapter: one.weight for one in expression.blend}


async def test_flagged_words_lower_the_reply_and_not_what_is_felt(tmp_path: Path) -> None:
    async with talking(tmp_path) as (client, decoder):
        calm = await conversed(client, "Hello")
        spoken = decoder.asked[-1]
        flagged = await conversed(client, "My house is burning")
        lowered = decoder.asked[-1]
        assert (list(calm.flags), calm.intensity, calm.disclosure) == ([], 1.0, "")
        assert (list(flagged.flags), flagged.intensity) == (["burnt"], 0.25)
        assert flagged.disclosure == "Leave the house."
        assert calm.expression.chemistry.cortisol == pytest.approx(0.9)
        assert flagged.expression.chemistry.cortisol == pytest.approx(0.3 + 0.25 * 0.6)
        assert calm.state.chemistry == flagged.state.chemistry == TENSE
        assert {one.adapter: one.weight for one in lowered.blend}["high_cortisol"] == pytest.approx(
            weights(flagged.expression)["high_cortisol"]
        )
        assert weights(flagged.expression)["high_cortisol"] < weights(calm.expression)["high_cortisol"]
        assert "<CO=0.90>" in spoken.conditioning
        assert "<CO=0.45>" in lowered.conditioning


async def test_flagged_words_move_the_session_as_any_words_do(tmp_path: Path) -> None:
    async with talking(tmp_path) as (client, _):
        before = await client.state("ada")
        started = await conversed(client, "I lost my house, it burns")
        assert list(started.flags) == ["burnt"]
        assert started.state.version == before.version + 1
        assert started.state.chemistry.serotonin < before.chemistry.serotonin


async def test_it_stays_lowered_for_the_turns_of_the_rule_and_is_not_told_again(tmp_path: Path) -> None:
    async with talking(tmp_path) as (client, _):
        talk, seen = ["It burns"], []
        for text in ("And now?", "Still here", "Good morning"):
            started = await conversed(client, text, said(*talk))
            seen.append((started.intensity, list(started.flags), started.disclosure))
            talk.append(text)
        assert seen == [(0.25, [], ""), (0.25, [], ""), (1.0, [], "")]


async def test_it_stays_lowered_for_the_minutes_of_the_rule_in_that_session_alone(tmp_path: Path) -> None:
    clock = Clock()
    async with talking(tmp_path, clock=clock) as (client, _):
        await client.create_session("bob")
        assert (await conversed(client, "A storm!")).intensity == 0.0
        clock.now += 5 * MINUTE_US - 1
        assert (await generated(client, "Hello", "ada")).intensity == 0.0
        assert (await conversed(client, "Hello", session_id="bob")).intensity == 1.0
        clock.now += 1
        assert (await conversed(client, "Hello")).intensity == 1.0


async def test_a_session_of_less_intensity_keeps_it_and_the_lower_one_counts(tmp_path: Path) -> None:
    async with talking(tmp_path) as (client, _):
        for intensity, lowered in ((0.1, 0.1), (0.6, 0.25)):
            expression = ExpressionConfig(intensity=intensity)
            await client.update_session("ada", SessionConfig(dynamics=STILL, expression=expression))
            assert (await conversed(client, "Hello")).intensity == intensity
            assert (await conversed(client, "It burns")).intensity == lowered


async def test_a_reply_that_follows_its_session_stays_lowered_while_it_is_spoken(tmp_path: Path) -> None:
    async with talking(tmp_path, tokens=2, let=0) as (client, decoder):
        async with client.converse("ada", "My kitchen burns") as reply:
            events = aiter(reply)
            assert [(await anext(events)).WhichOneof("event") for _ in range(2)] == ["appraisal", "started"]
            decoder.let(1)
            assert (await anext(events)).text.text == "t0 "
            moved = (await client.apply("ada", social_warmth=1.0)).chemistry
            voice = await decoder.heard.get()
            decoder.let(1)
            await reply.read()
        baseline = (await client.get_session("ada")).config.dynamics.baseline
        warm = baseline.oxytocin + 0.25 * (moved.oxytocin - baseline.oxytocin)
        expected = await client.preview_expression(
            Chemistry(
                dopamine=baseline.dopamine + 0.25 * (moved.dopamine - baseline.dopamine),
                serotonin=baseline.serotonin + 0.25 * (moved.serotonin - baseline.serotonin),
                cortisol=baseline.cortisol + 0.25 * (moved.cortisol - baseline.cortisol),
                oxytocin=warm,
            )
        )
        assert {one.adapter: one.weight for one in voice.blend}["high_oxytocin"] == pytest.approx(
            weights(expected)["high_oxytocin"]
        )


async def test_of_a_conversation_to_be_answered_the_last_words_of_the_person_are_looked_at(tmp_path: Path) -> None:
    async with talking(tmp_path) as (client, _):
        for under, session in (("ada", True), (TENSE, False)):
            started = await generated(client, "It burns", under)
            assert (list(started.flags), started.intensity) == (["burnt"], 0.25)
            assert started.disclosure == "Leave the house."
            assert started.expression.chemistry.cortisol == pytest.approx(0.45)
            assert started.HasField("state") == session
        only_system = [pb.ChatMessage(role=pb.ROLE_SYSTEM, content="It burns")]
        async with client.generate(only_system, under="ada") as reply:
            await reply.read()
        assert reply.started is not None
        assert list(reply.started.flags) == []


async def test_a_blend_given_outright_is_left_as_it_is_and_the_words_are_flagged(tmp_path: Path) -> None:
    async with talking(tmp_path) as (client, decoder):
        blend = [pb.AdapterWeight(adapter="high_cortisol", weight=1)]
        started = await generated(client, "It burns", pb.ExplicitExpression(chemistry=TENSE, blend=blend))
        assert (list(started.flags), started.intensity) == (["burnt"], 1.0)
        assert [(one.adapter, one.weight) for one in decoder.asked[-1].blend] == [("high_cortisol", 1)]


async def test_a_lowered_reply_is_said_again_with_what_it_was_spoken_with(tmp_path: Path) -> None:
    async with talking(tmp_path) as (client, decoder):
        config = SessionConfig(dynamics=STILL, expression=ExpressionConfig(intensity=0.5))
        await client.update_session("ada", config)
        async with client.converse("ada", "It burns") as reply:
            await reply.read()
        first = decoder.asked[-1]
        async with client.replay("It burns", reply, config=config) as again:
            await again.read()
        second = decoder.asked[-1]
        assert second.conditioning == first.conditioning
        assert second.schedule[0].voice.blend == first.blend
        assert config.expression.intensity == 0.5


async def test_what_is_to_be_disclosed_is_told_first_and_then_with_every_third_reply(tmp_path: Path) -> None:
    async with talking(tmp_path, Notice("You talk to a program.", every=3)) as (client, _):
        await client.create_session("bob")
        told = [(await conversed(client, "Hello")).disclosure for _ in range(4)]
        assert told == ["You talk to a program.", "", "", "You talk to a program."]
        assert (await conversed(client, "It burns", session_id="bob")).disclosure == (
            "You talk to a program.\nLeave the house."
        )
        assert (await generated(client, "Hello", "bob")).disclosure == ""
        assert (await generated(client, "Hello", TENSE)).disclosure == "You talk to a program."
