"""What a reply is blended of, through the whole service: the law, explicit blends, schedules, and what is said of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import PATIENCE
from scripted_decoder import FOLLOWS, ScriptedDecoder, speaking_service
from tiny_adapters import DIGEST, published

from emotional_ai import AsyncClient, Chemistry, FailedPrecondition, InvalidArgument, Sampling
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai_service.decoding.messages import (
    DEFAULT_MIN_P,
    BlendMode,
    BlendWeight,
    GenerationRequest,
    KvPolicy,
    ModelDescription,
    Voice,
    VoiceChange,
)
from emotional_ai_training.conditioning import ADAPTERS

EAGER = Chemistry(dopamine=0.9, serotonin=0.6, cortisol=0.3, oxytocin=0.5)
TORN = Chemistry(dopamine=0.7, serotonin=0.6, cortisol=0.3, oxytocin=0.7)
"""Half way from the baseline to two prototypes: the five give each half."""


@pytest.fixture
def loras(tmp_path: Path) -> Path:
    return tmp_path / "loras"


@asynccontextmanager
async def client_of(
    loras: Path, description: ModelDescription = FOLLOWS
) -> AsyncIterator[tuple[AsyncClient, ScriptedDecoder]]:
    decoder = ScriptedDecoder(description, tokens=1)
    decoder.let(64)
    async with (
        asyncio.timeout(PATIENCE),
        speaking_service(decoder, loras) as served,
        AsyncClient(served.address) as client,
    ):
        yield client, decoder


async def asked(
    client: AsyncClient, decoder: ScriptedDecoder, under: str | Chemistry | pb.ExplicitExpression, **choices: object
) -> GenerationRequest:
    async with client.generate("Hello", under=under, **choices) as reply:  # type: ignore[arg-type]
        await reply.read()
    return decoder.asked[-1]


def blended(request: GenerationRequest) -> dict[str, float]:
    return {one.adapter: one.weight for one in request.blend}


def weight(adapter: str, value: float = 0.0, layers: tuple[float, ...] = ()) -> pb.AdapterWeight:
    return pb.AdapterWeight(adapter=adapter, weight=value, layer_weights=layers)


async def test_the_state_decides_the_blend_over_the_adapters_there_are(loras: Path) -> None:
    for name in ADAPTERS:
        published(loras, name)
    async with client_of(loras) as (client, decoder):
        assert blended(await asked(client, decoder, EAGER)) == {"high_dopamine": 1.0}
        assert blended(await asked(client, decoder, TORN)) == pytest.approx(
            {"high_dopamine": 0.5, "high_oxytocin": 0.5}
        )


async def test_the_share_of_an_adapter_that_is_not_there_stays_with_the_base_model(loras: Path) -> None:
    published(loras, "high_oxytocin")
    async with client_of(loras) as (client, _):
        async with client.generate("Hello", under=TORN) as reply:
            await reply.read()
        assert reply.started is not None
        assert reply.applied is not None
        asked_for = {one.adapter: one.weight for one in reply.started.expression.blend}
        assert asked_for["high_dopamine"] == pytest.approx(0.5)
        assert [(one.adapter, one.weight) for one in reply.applied.blend] == [("high_oxytocin", pytest.approx(0.5))]


async def test_a_new_adapter_with_a_prototype_joins_without_a_restart(loras: Path) -> None:
    for name in ("high_dopamine", "high_oxytocin"):
        published(loras, name)
    async with client_of(loras) as (client, decoder):
        before = await asked(client, decoder, TORN)
        published(loras, "fond", prototype=(0.7, 0.6, 0.3, 0.7))
        after = await asked(client, decoder, TORN)
        preview = await client.preview_expression(TORN)
        listed = [adapter.name for adapter in await client.list_adapters()]
    assert "fond" not in blended(before)
    assert blended(after) == {"fond": 1.0}
    assert [one.adapter for one in preview.blend] == [*ADAPTERS, "fond"]
    assert listed == ["high_dopamine", "high_oxytocin", "fond"]


async def test_an_adapter_of_another_model_is_listed_with_the_reason_and_left_out(loras: Path) -> None:
    published(loras, "high_dopamine", base_model="other", base_model_digest="f" * 64)
    published(loras, "balanced", scale_calibrated=False)
    async with client_of(loras) as (client, decoder):
        assert blended(await asked(client, decoder, EAGER)) == {}
        foreign, own = await client.list_adapters()
    assert foreign.name == "high_dopamine"
    assert "trained on other" in foreign.refused
    assert (own.name, own.refused, own.base_model, own.scale_calibrated) == ("balanced", "", "tiny", False)


async def test_an_adapter_the_decoder_refuses_is_left_out_of_the_law_and_said_to_be(loras: Path) -> None:
    for name in ("high_dopamine", "high_oxytocin"):
        published(loras, name)
    async with client_of(loras) as (client, decoder):
        decoder.refuses = ("high_dopamine",)
        await client.create_session("ada", initial=TORN)
        assert blended(await asked(client, decoder, "ada")) == pytest.approx({"high_oxytocin": 0.5}, abs=0.05)
        assert blended(await asked(client, decoder, EAGER)) == {}
        async with client.converse("ada", "Hello") as reply:
            await reply.read()
        refused, other = await client.list_adapters()
        assert "does not have" in refused.refused
        assert other.refused == ""
        named = pb.ExplicitExpression(chemistry=EAGER, blend=[weight("high_dopamine", 1)])
        with pytest.raises(FailedPrecondition, match="does not have") as refusal:
            await asked(client, decoder, named)
        assert refusal.value.reason == "ADAPTER_REFUSED"
        decoder.refuses = ()
        published(loras, "high_dopamine", fill=0.25)
        assert blended(await asked(client, decoder, EAGER)) == {"high_dopamine": 1.0}


@pytest.mark.parametrize("refused", [(), ("high_dopamine",)])
async def test_of_adapters_that_lie_elsewhere_the_names_decide(loras: Path, refused: tuple[str, ...]) -> None:
    published(loras, "fond", prototype=(0.7, 0.6, 0.3, 0.7))
    decoder = ScriptedDecoder(tokens=1, refuses=refused)
    decoder.let(9)
    hosted = frozenset({"high_dopamine", "unknown"})
    async with (
        asyncio.timeout(PATIENCE),
        speaking_service(decoder, loras, hosted=hosted) as served,
        AsyncClient(served.address) as client,
    ):
        assert blended(await asked(client, decoder, EAGER)) == ({} if refused else {"high_dopamine": 1.0})
        preview = await client.preview_expression(TORN)
    assert [one.adapter for one in preview.blend] == list(ADAPTERS)


async def test_without_adapters_the_base_model_speaks(loras: Path) -> None:
    async with client_of(loras) as (client, decoder):
        assert blended(await asked(client, decoder, EAGER)) == {}


async def test_a_backend_that_blends_nothing_is_asked_for_nothing(loras: Path) -> None:
    published(loras, "high_dopamine")
    async with client_of(loras, replace(FOLLOWS, modes=(BlendMode.BASE,))) as (client, decoder):
        assert blended(await asked(client, decoder, EAGER)) == {}


async def test_explicit_weights_take_the_place_of_the_state_s_own(loras: Path) -> None:
    published(loras, "high_dopamine")
    wanted = pb.ExplicitExpression(
        chemistry=EAGER, blend=[weight("high_cortisol", -0.25), weight("balanced", layers=(0.5, 1.5))]
    )
    async with client_of(loras) as (client, decoder):
        request = await asked(client, decoder, wanted, kv_policy=pb.KV_POLICY_STRICT)
    assert request.blend == (BlendWeight("high_cortisol", -0.25), BlendWeight("balanced", 0.0, (0.5, 1.5)))
    assert request.kv_policy is KvPolicy.STRICT
    assert request.session == ""


async def test_a_session_is_named_to_the_decoder_and_its_policy_is_refreshing_unless_told(loras: Path) -> None:
    async with client_of(loras) as (client, decoder):
        await client.create_session("ada")
        request = await asked(client, decoder, "ada")
        assert (request.session, request.kv_policy) == ("ada", KvPolicy.REFRESH_AT_TURN)
        async with client.converse("ada", "Hello", kv_policy=pb.KV_POLICY_KEEP) as reply:
            await reply.read()
        assert (decoder.asked[-1].session, decoder.asked[-1].kv_policy) == ("ada", KvPolicy.KEEP)


async def test_a_schedule_says_who_speaks_when(loras: Path) -> None:
    first = pb.BlendChange(token_index=0, blend=[weight("a", 1.0)], temperature=0.5, top_p=0.75)
    second = pb.BlendChange(token_index=4, temperature=1.5, top_p=1.0)
    wanted = pb.ExplicitExpression(chemistry=EAGER, schedule=[first, second])
    async with client_of(loras) as (client, decoder):
        request = await asked(client, decoder, wanted)
        cooled = await asked(client, decoder, wanted, sampling=Sampling(temperature=0.125))
    voices = (Voice((BlendWeight("a", 1.0),), 0.5, 0.75), Voice((), 1.5, 1.0))
    assert request.schedule == (VoiceChange(0, voices[0]), VoiceChange(4, voices[1]))
    assert request.voice == voices[0]
    assert [change.voice.temperature for change in cooled.schedule] == [0.125, 0.125]


WRONG: list[tuple[dict[str, object], str]] = [
    ({"blend": [weight("a", 1), weight("b", 1), weight("a", 0.5)]}, "explicit.blend[0].adapter"),
    ({"blend": [weight("b"), weight("a", 1, (0.5, 0.5))]}, "explicit.blend[1].weight"),
    ({"blend": [weight("a", float("nan"))]}, "explicit.blend[0].weight"),
    ({"blend": [weight("a", layers=(1.0, float("inf")))]}, "explicit.blend[0].layer_weights[1]"),
    ({"schedule": [pb.BlendChange(token_index=i, top_p=1) for i in (3, 3)]}, "explicit.schedule[1].token_index"),
    ({"schedule": [pb.BlendChange(temperature=2.5, top_p=1)]}, "explicit.schedule[0].temperature"),
    ({"schedule": [pb.BlendChange(temperature=1)]}, "explicit.schedule[0].top_p"),
    (
        {"schedule": [pb.BlendChange(top_p=1, blend=[weight("a", 1), weight("a", 2)])]},
        "explicit.schedule[0].blend[0].adapter",
    ),
]


@pytest.mark.parametrize(("given", "field"), WRONG, ids=[field for _, field in WRONG])
async def test_a_blend_that_cannot_be_is_refused_by_its_field(
    loras: Path, given: dict[str, object], field: str
) -> None:
    async with client_of(loras) as (client, decoder):
        with pytest.raises(InvalidArgument) as refusal:
            await asked(client, decoder, pb.ExplicitExpression(chemistry=EAGER, **given))  # type: ignore[arg-type]
    assert field in [violation.field for violation in refusal.value.violations]
    assert decoder.asked == []


async def test_a_backend_of_fixed_blends_refuses_what_moves_and_takes_what_does_not(loras: Path) -> None:
    fixed = replace(FOLLOWS, follows=False)
    still = pb.BlendChange(token_index=0, blend=[weight("a", 1)], temperature=0.5, top_p=0.5)
    moving = pb.BlendChange(token_index=1, temperature=0.5, top_p=0.5)
    async with client_of(loras, fixed) as (client, decoder):
        request = await asked(client, decoder, pb.ExplicitExpression(chemistry=EAGER, schedule=[still]))
        assert request.voice == Voice((BlendWeight("a", 1),), 0.5, 0.5)
        with pytest.raises(FailedPrecondition, match="under one blend") as refusal:
            await asked(client, decoder, pb.ExplicitExpression(chemistry=EAGER, schedule=[still, moving]))
        assert refusal.value.reason == "CANNOT_FOLLOW"
        with pytest.raises(FailedPrecondition, match="keeps no cache") as kept:
            await asked(client, decoder, EAGER, kv_policy=pb.KV_POLICY_KEEP)
        assert kept.value.reason == "CANNOT_BLEND"


async def test_the_end_of_a_reply_says_what_it_was_spoken_with(loras: Path) -> None:
    for name in ADAPTERS:
        published(loras, name)
    async with client_of(loras) as (client, _):
        async with client.generate("Hello", under=EAGER, sampling=Sampling(seed=5, temperature=0.25)) as reply:
            await reply.read()
        assert reply.applied is not None
        applied = reply.applied
    assert (applied.temperature, applied.seed, applied.blend_mode) == (0.25, 5, pb.BLEND_MODE_EXACT)
    assert list(applied.blend) == [weight("high_dopamine", 1.0)]
    (change,) = applied.changes
    assert (change.token_index, change.temperature, change.top_p) == (0, 0.25, applied.top_p)
    assert list(change.blend) == list(applied.blend)
    assert [(span.position, list(span.blend)) for span in applied.kv] == [(0, list(applied.blend))]
    assert applied.kv_policy == pb.KV_POLICY_REFRESH_AT_TURN
    assert [(one.adapter, one.digest) for one in applied.adapters] == [("high_dopamine", DIGEST)]
    assert applied.reused_tokens == 2


@pytest.mark.parametrize(("given", "applied"), [({}, DEFAULT_MIN_P), ({"min_p": 0.25}, 0.25), ({"min_p": 0.0}, 0.0)])
async def test_min_p_is_the_default_or_what_was_asked_for_and_is_told(
    loras: Path, given: dict[str, float], applied: float
) -> None:
    async with client_of(loras) as (client, decoder):
        async with client.generate("Hello", under=EAGER, sampling=Sampling(seed=5, **given)) as reply:
            await reply.read()
        assert reply.applied is not None
        assert reply.applied.min_p == decoder.asked[-1].sampling.min_p == applied
        async with client.replay("Hello", reply) as again:
            await again.read()
        assert decoder.asked[-1].sampling.min_p == applied


@pytest.mark.parametrize("wrong", [-0.1, 1.0, float("nan")])
async def test_a_min_p_out_of_range_is_refused_in_words(loras: Path, wrong: float) -> None:
    async with client_of(loras) as (client, decoder):
        with pytest.raises(InvalidArgument) as refusal:
            await asked(client, decoder, EAGER, sampling=Sampling(min_p=wrong))
    (violation,) = refusal.value.violations
    assert violation.field == "sampling.min_p"
    assert violation.description == f"must be greater than or equal to 0 and less than 1, got {wrong}"
    assert decoder.asked == []


async def test_the_model_says_how_it_blends(loras: Path) -> None:
    async with client_of(loras, replace(FOLLOWS, modes=(BlendMode.BASE, BlendMode.NEAREST))) as (client, _):
        model = await client.get_model()
    assert list(model.blend_modes) == [pb.BLEND_MODE_UNSPECIFIED, pb.BLEND_MODE_NEAREST]
    assert (model.dtype, model.follows, model.layers) == ("float32", True, 2)
