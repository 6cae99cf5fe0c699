"""Speech on a Tinker server when something is wrong: the settings, the server, or the patience of who asked."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import tinker
from faulty_proxy import Answer, FaultyProxy, Hold, failed_future
from tinker_loopback import LEFT_OPEN, Loopback, base_model, tinker_service
from tinker_speaking import Trained, asked, reply_of, settings_of, speaking, trained
from tiny_model import tiny_tokenizer
from tiny_training import roomy_model

from emotional_ai_service.decoding.errors import AdapterRefused
from emotional_ai_service.decoding.messages import BlendMode
from emotional_ai_service.decoding.tinker import (
    HostedAdapter,
    TinkerDecoder,
    TinkerSettings,
    TinkerStartFailed,
    TinkerUnavailable,
)
from emotional_ai_service.decoding.tinker.connection import Connection, _Opening
from emotional_ai_service.errors import ModelUnavailable
from emotional_ai_service.workers import Overloaded

# A connection that is dropped in the middle of a request is left to the collector by the SDK.
pytestmark = pytest.mark.filterwarnings(LEFT_OPEN)
PATIENCE = 60.0
SAMPLE, RETRIEVE = "/asample", "/retrieve_future"
BLEND = (("calm", 0.6), ("eager", 0.4))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return roomy_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def server(model: Path, state: Path) -> Iterator[Loopback]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINKER_TELEMETRY", "0")
        with tinker_service(base_model(model), state) as running:
            yield running


@pytest.fixture(scope="module")
def own(server: Loopback) -> Iterator[Trained]:
    with server.client() as client:
        yield trained(client, "tiny", ("calm", "eager"))


@pytest.fixture
def proxy(server: Loopback) -> Iterator[FaultyProxy]:
    with FaultyProxy(server.base_url) as proxy:
        yield proxy


def settings(proxy: FaultyProxy, model: Path, own: Trained, **changes: Any) -> TinkerSettings:
    return settings_of(proxy.base_url, model, own.adapters, **changes)


async def refused(settings: TinkerSettings) -> str:
    """What is said of a start that fails, after which the decoder is closed and never was ready."""
    decoder = TinkerDecoder(settings)
    with pytest.raises(TinkerStartFailed) as refusal:
        await decoder.start()
    assert not decoder.ready
    await decoder.close()
    return str(refusal.value)


async def test_a_wrong_key_is_named(server: Loopback, model: Path) -> None:
    said = await refused(settings_of(server.base_url, model, api_key="tml-another"))
    assert said.startswith("api_key: ")
    assert server.base_url in said
    assert "tml-another" not in said


async def test_an_unknown_base_model_is_named_beside_those_there_are(server: Loopback, model: Path) -> None:
    said = await refused(settings_of(server.base_url, model, base_model="huge"))
    assert said == "base_model: this server does not sample huge; set it to one of: tiny"


async def test_every_adapter_the_server_does_not_have_is_named(server: Loopback, model: Path, own: Trained) -> None:
    there = own.adapters[0].path
    gone = tuple(HostedAdapter(name, there.replace("calm", f"{name}-gone")) for name in ("eager", "wary"))
    said = await refused(settings_of(server.base_url, model, (own.adapters[0], *gone)))
    assert said.startswith("adapters: ")
    assert "eager: " in said
    assert "wary: " in said
    assert "calm: " not in said


async def test_an_address_where_nothing_answers_is_named_in_bounded_time(model: Path) -> None:
    said = await refused(settings_of("http://127.0.0.1:9", model, start_seconds=0.5))
    assert said.startswith("base_url: nothing that speaks the Tinker API answered at http://127.0.0.1:9 within 0.5 s")


async def test_a_session_that_comes_when_nobody_waits_any_more_is_ended(
    proxy: FaultyProxy, model: Path, own: Trained
) -> None:
    proxy.plan("/create_sampling_session", Hold(), for_ever=True)
    proxy.plan("/finish")  # what is in no plan is not counted
    await refused(settings(proxy, model, own, start_seconds=0.5))
    await _seen(proxy, "/create_sampling_session", 1)
    proxy.clear()
    proxy.plan("/finish")
    await _seen(proxy, "/finish", 1)


async def test_a_session_that_came_and_was_not_taken_is_ended(proxy: FaultyProxy, model: Path, own: Trained) -> None:
    proxy.plan("/finish")
    opening = _Opening(settings(proxy, model, own))
    await asyncio.to_thread(opening.run)
    assert proxy.seen["/finish"] == 0
    opening.leave()
    await _seen(proxy, "/finish", 1)


async def test_a_server_of_another_kind_is_named(proxy: FaultyProxy, model: Path) -> None:
    proxy.plan("/", Answer(404, body="not here"), for_ever=True)
    said = await refused(settings_of(proxy.base_url, model))
    assert said.startswith("base_url: ")
    assert "404" in said


async def test_a_directory_without_a_tokenizer_or_template_is_named(
    server: Loopback, model: Path, tmp_path: Path
) -> None:
    said = await refused(settings_of(server.base_url, model, model_dir=tmp_path / "nowhere"))
    assert said.startswith("model_dir: no tokenizer can be read from ")
    tiny_tokenizer(None).save_pretrained(tmp_path / "bare")
    said = await refused(settings_of(server.base_url, model, model_dir=tmp_path / "bare"))
    assert said.startswith("model_dir: the tokenizer in ")
    assert "has no chat template" in said


async def test_a_server_that_stays_busy_is_given_up_with_a_hint(proxy: FaultyProxy, model: Path, own: Trained) -> None:
    async with speaking(settings(proxy, model, own, reply_seconds=0.5)) as decoder:
        proxy.plan(SAMPLE, Answer(503), for_ever=True)
        with pytest.raises(TinkerUnavailable, match=r"did not answer within 0\.5 s; try again in") as refusal:
            await reply_of(decoder, asked(1, *BLEND))
        assert refusal.value.retry_seconds > 0
        proxy.clear()
        assert decoder.ready


@pytest.mark.parametrize("mode", [BlendMode.NEAREST, BlendMode.RESCORED])
async def test_a_cancelled_reply_is_dropped_and_leaves_its_place(
    proxy: FaultyProxy, model: Path, own: Trained, mode: BlendMode
) -> None:
    async with speaking(settings(proxy, model, own, mode=mode, capacity=1)) as decoder:
        proxy.plan(SAMPLE, Hold(), for_ever=True)
        waiting = asyncio.create_task(reply_of(decoder, asked(1, *BLEND)))
        await _seen(proxy, SAMPLE, 1)
        assert not decoder.ready
        with pytest.raises(Overloaded, match="holds 1 requests"):
            await reply_of(decoder, asked(1, *BLEND))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await _dropped(proxy)
        assert decoder.ready
        proxy.clear()
        said, _ = await reply_of(decoder, asked(1, *BLEND))
        assert said


async def test_closing_the_decoder_ends_what_is_under_way(proxy: FaultyProxy, model: Path, own: Trained) -> None:
    decoder = TinkerDecoder(settings(proxy, model, own))
    await decoder.start()
    proxy.plan(SAMPLE, Hold(), for_ever=True)
    waiting = asyncio.create_task(reply_of(decoder, asked(1, *BLEND)))
    await _seen(proxy, SAMPLE, 1)
    async with asyncio.timeout(PATIENCE):
        await decoder.close()
        with pytest.raises(TinkerUnavailable, match="was closed"):
            await waiting
    with pytest.raises(TinkerUnavailable, match="is not connected"):
        await reply_of(decoder, asked())


async def test_a_key_that_is_withdrawn_is_the_callers_to_wait_for(
    proxy: FaultyProxy, model: Path, own: Trained
) -> None:
    async with speaking(settings(proxy, model, own)) as decoder:
        proxy.plan(SAMPLE, Answer(401), for_ever=True)
        with pytest.raises(ModelUnavailable, match="does not know the key any more") as refusal:
            await reply_of(decoder, asked(1, *BLEND))
        assert refusal.value.retry_seconds == 60


async def test_one_scoring_that_fails_fails_the_reply(proxy: FaultyProxy, model: Path, own: Trained) -> None:
    async with speaking(settings(proxy, model, own, mode=BlendMode.RESCORED)) as decoder:
        proxy.plan(RETRIEVE, failed_future("server"), after=2)
        with pytest.raises(TinkerUnavailable, match="failed: "):
            await reply_of(decoder, asked(1, *BLEND))
        assert proxy.spent()
        assert (await reply_of(decoder, asked(1, *BLEND)))[0]


async def test_an_adapter_the_server_cannot_apply_is_named(proxy: FaultyProxy, model: Path, own: Trained) -> None:
    async with speaking(settings(proxy, model, own)) as decoder:
        proxy.plan(RETRIEVE, failed_future("user"))
        with pytest.raises(AdapterRefused, match="'calm' cannot be applied"):
            await reply_of(decoder, asked(1, *BLEND))


async def test_a_server_that_restarted_is_reached_again_and_lost_adapters_are_refused_alone(
    model: Path, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("TINKER_TELEMETRY", "0")
        base, state = base_model(model), tmp_path / "state"
        with tinker_service(base, state) as first:
            with first.client() as client:
                adapters = trained(client, "tiny", ("calm", "eager")).adapters
            proxy = stack.enter_context(FaultyProxy(first.base_url))
            decoder = await _entered(settings_of(proxy.base_url, model, adapters))
            before, _ = await reply_of(decoder, asked(1, ("calm", 1.0)))
            first.rest().delete_checkpoint_from_tinker_path(adapters[1].path).result(PATIENCE)
        second = stack.enter_context(tinker_service(base, state))
        proxy.upstream = second.base_url
        with pytest.raises(TinkerUnavailable, match="lost the session, which is being opened again"):
            await reply_of(decoder, asked(1, ("calm", 1.0)))
        await _ready(decoder)
        assert (await reply_of(decoder, asked(1, ("calm", 1.0))))[0] == before
        with pytest.raises(AdapterRefused, match="'eager' cannot be applied"):
            await reply_of(decoder, asked(1, ("eager", 1.0)))
        await decoder.close()


async def test_whatever_an_attempt_to_reach_it_again_fails_with_another_follows(
    server: Loopback, model: Path, own: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with speaking(settings_of(server.base_url, model, own.adapters)) as decoder:
        connected, failures = decoder._connected, [OSError("no more files"), KeyError("unforeseen")]

        async def failing() -> Connection:
            if failures:
                raise failures.pop()
            return await connected()

        monkeypatch.setattr(decoder, "_connected", failing)
        lost = decoder._connection
        assert lost is not None
        decoder._reach_again(lost)
        assert not decoder.ready
        await _ready(decoder)
        assert failures == []


async def test_a_sampler_the_sdk_will_not_ask_for_is_a_start_that_fails(
    server: Loopback, model: Path, own: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = tinker.ServiceClient.create_sampling_client

    def refusing(client: tinker.ServiceClient, **asked: Any) -> Any:
        if "model_path" in asked:
            raise RuntimeError("the client is closed")
        return ask(client, **asked)

    monkeypatch.setattr(tinker.ServiceClient, "create_sampling_client", refusing)
    assert "the client is closed" in await refused(settings_of(server.base_url, model, own.adapters))


async def _entered(settings: TinkerSettings) -> TinkerDecoder:
    decoder = TinkerDecoder(settings)
    await decoder.start()
    return decoder


async def _ready(decoder: TinkerDecoder) -> None:
    async with asyncio.timeout(PATIENCE):
        while not decoder.ready:  # noqa: ASYNC110  # no event tells of it
            await asyncio.sleep(0.02)


async def _seen(proxy: FaultyProxy, route: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while proxy.seen[route] < count:  # noqa: ASYNC110  # another thread, which sets no event
            await asyncio.sleep(0.02)


async def _dropped(proxy: FaultyProxy) -> None:
    """The server's side of every held request sees that the client hung up."""
    async with asyncio.timeout(PATIENCE):
        while proxy._held:  # noqa: ASYNC110  # another thread, which sets no event
            await asyncio.sleep(0.02)
