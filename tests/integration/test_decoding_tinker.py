"""The Tinker backend against the local Tinker-compatible server, through the unmodified SDK."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import tinker
from tinker_loopback import LEFT_OPEN, Loopback, base_model, tinker_service
from tinker_speaking import asked, events_of, settings_of, speaking, trained
from tiny_training import roomy_model

from emotional_ai_service.decoding import Finished, FinishReason, Started, Text
from emotional_ai_service.decoding.messages import BlendMode, BlendWeight
from emotional_ai_service.decoding.tinker import HostedAdapter, TinkerDecoder

pytestmark = pytest.mark.filterwarnings(LEFT_OPEN)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return roomy_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINKER_TELEMETRY", "0")
        with tinker_service(base_model(model), tmp_path_factory.mktemp("state")) as running:
            yield running


@pytest.fixture(scope="module")
def client(server: Loopback) -> Iterator[tinker.ServiceClient]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def adapters(client: tinker.ServiceClient) -> tuple[HostedAdapter, ...]:
    return trained(client, "tiny")


@pytest.fixture
async def nearest(server: Loopback, model: Path, adapters: tuple[HostedAdapter, ...]) -> AsyncIterator[TinkerDecoder]:
    async with speaking(settings_of(server.base_url, model, adapters)) as decoder:
        yield decoder


async def test_a_reply_comes_in_one_piece_and_names_what_spoke(nearest: TinkerDecoder) -> None:
    events = await events_of(nearest, asked(1, ("calm", 0.3), ("eager", 0.8)))
    started, text, end = events
    assert isinstance(started, Started)
    assert isinstance(text, Text)
    assert isinstance(end, Finished)
    assert end.mode is BlendMode.NEAREST
    assert end.changes[0].voice.blend == (BlendWeight("eager", 1.0),)
    assert [one.adapter for one in end.adapters] == ["eager"]
    assert end.prompt_tokens == started.prompt_tokens
    assert end.reason is FinishReason.LENGTH
    assert (end.completion_tokens, text.token_index) == (6, 0)
