"""generate_reply over real gRPC: a decoder that speaks when a test lets it, and at last the real model."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import mcp_types as types
import pytest
from loopback import PATIENCE, service
from mcp.client import Client
from mcp.client.session import MessageHandlerFnT
from mcp_bridge import ERAS, MODERN, Era, answer, in_memory, refusal, said
from scripted_decoder import ScriptedDecoder, speaking_service

from emotional_ai.mcp_bridge.settings import Settings, Toolset
from emotional_ai.stimuli import CHEMICALS
from emotional_ai_service.decoding.messages import GenerationEvent, GenerationRequest, Text, Voice
from emotional_ai_service.errors import ModelUnavailable
from emotional_ai_service.settings import LanguageSettings, StoreKind, StoreSettings
from emotional_ai_service.settings import Settings as ServiceSettings
from emotional_ai_training.models import cache_dir, default_model_dir, encoder_dir

TOOLSETS = frozenset({Toolset.EMOTION, Toolset.INFERENCE})
WORDS = "t0 t1 t2 "
"""What the decoder says."""

in_either_era = pytest.mark.parametrize("era", ERAS)


@dataclass
class Decoder(ScriptedDecoder):
    """Says when a reply was finished or left; what is only rehearsed is none."""

    left: asyncio.Event = field(default_factory=asyncio.Event)
    breaks_off: int | None = None
    """The token it fails at."""

    async def generate(
        self, request: GenerationRequest, voices: AsyncIterator[Voice] | None = None
    ) -> AsyncGenerator[GenerationEvent, None]:
        try:
            async with aclosing(super().generate(request, voices)) as events:
                async for event in events:
                    if isinstance(event, Text) and event.token_index == self.breaks_off:
                        raise ModelUnavailable("the model has ended", 0.5)
                    yield event
        finally:
            if not request.rehearsal:
                self.left.set()


class Progress:
    """What a client is told while a call goes on."""

    def __init__(self) -> None:
        self.told: list[tuple[float, float | None, str | None]] = []
        self.came = asyncio.Event()

    async def __call__(self, done: float, total: float | None, message: str | None) -> None:
        self.told.append((done, total, message))
        self.came.set()


@asynccontextmanager
async def talking(
    decoder: Decoder, loras: Path, era: Era = MODERN, told: MessageHandlerFnT | None = None
) -> AsyncIterator[Client]:
    """A client of a bridge before a service that speaks so."""
    async with (
        asyncio.timeout(PATIENCE),
        speaking_service(decoder, loras) as served,
        in_memory(Settings(served.address, toolsets=TOOLSETS), era, told=told) as client,
    ):
        yield client


@in_either_era
async def test_a_reply_comes_with_the_state_it_was_spoken_in(tmp_path: Path, era: Era) -> None:
    decoder = Decoder()
    decoder.let(3)
    async with talking(decoder, tmp_path, era) as client:
        before = answer(await client.call_tool("get_emotional_state", {}))
        result = await client.call_tool("generate_reply", {"prompt": "you are kind", "max_tokens": 9, "seed": 5})
        after = answer(await client.call_tool("get_emotional_state", {}))
    spoken = answer(result)
    assert (spoken["reply"], said(result)) == (WORDS, WORDS)
    assert spoken["heard"] == {"social_warmth": 0.8}
    assert spoken["oxytocin"] > before["oxytocin"]
    assert {name: spoken[name] for name in CHEMICALS} == pytest.approx(
        {name: after[name] for name in CHEMICALS}, abs=0.01
    )
    assert after["version"] == before["version"] + 1
    assert (spoken["tokens"], spoken["finish_reason"], spoken["seed"]) == (3, "length", "5")
    request = decoder.asked[-1]
    assert (request.max_tokens, request.seed) == (9, 5)


@in_either_era
async def test_progress_carries_the_reply_piece_by_piece_while_it_is_spoken(tmp_path: Path, era: Era) -> None:
    decoder, progress = Decoder(), Progress()
    async with talking(decoder, tmp_path, era) as client:
        call = asyncio.create_task(
            client.call_tool("generate_reply", {"prompt": "hi", "max_tokens": 9}, progress_callback=progress)
        )
        for pieces in (1, 2, 3):
            progress.came.clear()
            decoder.let(1)
            await progress.came.wait()
            assert len(progress.told) == pieces
        spoken = answer(await call)
    assert "".join(message or "" for _, _, message in progress.told) == spoken["reply"] == WORDS
    assert [(done, total) for done, total, _ in progress.told] == [(1, 9), (2, 9), (3, 9)]


@in_either_era
async def test_a_client_that_did_not_ask_for_progress_gets_none(tmp_path: Path, era: Era) -> None:
    heard: list[object] = []

    async def told(message: object) -> None:
        heard.append(message)

    decoder = Decoder()
    decoder.let(3)
    async with talking(decoder, tmp_path, era, told) as client:
        assert answer(await client.call_tool("generate_reply", {"prompt": "hi"}))["reply"] == WORDS
    assert [one for one in heard if isinstance(one, types.ProgressNotification)] == []


@in_either_era
async def test_a_reply_nobody_waits_for_is_spoken_no_further(tmp_path: Path, era: Era) -> None:
    decoder, progress = Decoder(), Progress()
    async with talking(decoder, tmp_path, era) as client:
        call = asyncio.create_task(client.call_tool("generate_reply", {"prompt": "hi"}, progress_callback=progress))
        decoder.let(1)
        await progress.came.wait()
        assert decoder.speaking == 1
        call.cancel()
        await asyncio.wait([call])
        await decoder.left.wait()
        decoder.let(3)
        assert answer(await client.call_tool("generate_reply", {"prompt": "hi"}))["reply"] == WORDS


async def test_a_client_that_leaves_ends_its_reply(tmp_path: Path) -> None:
    decoder, progress = Decoder(), Progress()
    async with asyncio.timeout(PATIENCE), speaking_service(decoder, tmp_path) as served:
        async with in_memory(Settings(served.address, toolsets=TOOLSETS)) as client:
            call = asyncio.create_task(client.call_tool("generate_reply", {"prompt": "hi"}, progress_callback=progress))
            decoder.let(1)
            await progress.came.wait()
        await asyncio.wait([call])
        await decoder.left.wait()


@pytest.mark.parametrize(("token", "so_far"), [(0, "nothing"), (2, "t0 t1 ")])
async def test_a_reply_that_breaks_off_is_told_as_far_as_it_came(tmp_path: Path, token: int, so_far: str) -> None:
    decoder = Decoder(breaks_off=token)
    decoder.let(3)
    async with talking(decoder, tmp_path) as client:
        words = refusal(await client.call_tool("generate_reply", {"prompt": "you are kind"}))
        assert answer(await client.call_tool("get_emotional_state", {}))["version"] == 2
    assert words.startswith("[UNAVAILABLE] the reply broke off: the model has ended")
    assert words.endswith(f" The prompt has moved the state already. Said so far: {so_far}")


async def test_where_there_is_no_language_it_is_said_how_there_would_be() -> None:
    with service() as address:
        async with in_memory(Settings(address, toolsets=TOOLSETS)) as client:
            words = refusal(await client.call_tool("generate_reply", {"prompt": "hi"}))
            assert answer(await client.call_tool("get_emotional_state", {}))["version"] == 1
    assert words.startswith(
        "[FAILED_PRECONDITION] this service was started with --engine-only; have it started without "
    )


async def test_the_real_model_speaks_in_pieces_and_is_cut_where_it_was_asked_to() -> None:
    cache = cache_dir(os.environ)
    language = LanguageSettings(default_model_dir(cache), encoder_dir(cache), cache, threads=1)
    progress = Progress()
    with service(ServiceSettings(port=0, store=StoreSettings(StoreKind.MEMORY), language=language)) as address:
        async with asyncio.timeout(PATIENCE), in_memory(Settings(address, toolsets=TOOLSETS)) as client:
            arguments = {"prompt": "I lost my job today. Tell me a story.", "max_tokens": 12, "seed": 7}
            result = await client.call_tool("generate_reply", arguments, progress_callback=progress)
            status = answer(await client.call_tool("engine_status", {}))
    spoken = answer(result)
    assert "".join(message or "" for _, _, message in progress.told) == spoken["reply"]
    assert spoken["reply"].strip()
    assert (spoken["tokens"], spoken["finish_reason"]) == (12, "length")
    assert spoken["heard"]["loss"] > 0
    assert spoken["blend"]
    assert status["language"] == "ready"
    assert status["model"]
