"""generate_reply before a service whose replies end wherever a test says: what has happened by then is told as it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode as Code
from loopback import PATIENCE
from mcp_bridge import in_memory, refusal
from ports import nowhere

from emotional_ai.mcp_bridge.autostart import PATIENCE as AUTOSTART_SECONDS
from emotional_ai.mcp_bridge.autostart import Starter
from emotional_ai.mcp_bridge.settings import Settings, Toolset
from emotional_ai.mcp_bridge.tools.speaking import REPLY_SECONDS
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1 import inference_pb2_grpc

HEARD = pb.ConverseResponse(appraisal=pb.Appraisal())
STARTED = pb.ConverseResponse(started=pb.ReplyStarted())
WORD = pb.ConverseResponse(text=pb.ReplyText(text="well, "))

ROUNDED = 1.0
"""Seconds by which gRPC may round a deadline up."""
MOVED = "The prompt has moved the state already. Said so far: "
MAY_HAVE = "The prompt may have moved the state: read it before calling again. Said so far: nothing"


@dataclass
class Ending(inference_pb2_grpc.InferenceServicer):
    """Replies with these events, then ends: well, or with a status."""

    events: list[pb.ConverseResponse]
    code: Code | None = None
    seconds: list[float] = field(default_factory=list)
    """How long each call would wait."""

    async def Converse(
        self, request: pb.ConverseRequest, context: grpc.aio.ServicerContext[pb.ConverseRequest, pb.ConverseResponse]
    ) -> AsyncIterator[pb.ConverseResponse]:
        self.seconds.append(context.time_remaining() or 0.0)
        for event in self.events:
            yield event
        if self.code is not None:
            await context.abort(self.code, "so it ends")


@asynccontextmanager
async def served(ending: Ending, address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """A service that replies so; yields host:port."""
    server = grpc.aio.server()
    inference_pb2_grpc.add_InferenceServicer_to_server(ending, server)
    port = server.add_insecure_port(address)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def told(ending: Ending) -> str:
    """What the tool says of a reply that ends so."""
    async with (
        asyncio.timeout(PATIENCE),
        served(ending) as address,
        in_memory(Settings(address, toolsets=frozenset({Toolset.INFERENCE}))) as client,
    ):
        return refusal(await client.call_tool("generate_reply", {"prompt": "hi"}))


async def test_a_reply_that_takes_too_long_is_told_as_far_as_it_came() -> None:
    ending = Ending([HEARD, STARTED, WORD, WORD], Code.DEADLINE_EXCEEDED)
    assert await told(ending) == (
        f"[DEADLINE_EXCEEDED] the reply was not complete after {REPLY_SECONDS:g} s; ask for fewer max_tokens. "
        f"{MOVED}well, well, "
    )
    assert 0 < ending.seconds[0] <= REPLY_SECONDS + ROUNDED


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.INTERNAL, Code.CANCELLED, Code.RESOURCE_EXHAUSTED])
async def test_a_reply_that_ends_before_its_first_word_says_what_its_prompt_did(code: Code) -> None:
    assert (await told(Ending([HEARD, STARTED], code))).endswith(f". {MOVED}nothing")
    assert (await told(Ending([HEARD], code))).endswith(f". {MAY_HAVE}")


async def test_a_prompt_that_was_not_heard_is_told_as_one_that_moved_nothing() -> None:
    words = await told(Ending([], Code.RESOURCE_EXHAUSTED))
    assert words == "[RESOURCE_EXHAUSTED] so it ends; send less, or wait and call again"


@pytest.mark.parametrize(
    ("events", "says"), [([], MAY_HAVE), ([HEARD], MAY_HAVE), ([HEARD, STARTED, WORD], f"{MOVED}well, ")]
)
async def test_a_reply_that_ends_without_its_end_is_not_asked_for_again(
    events: list[pb.ConverseResponse], says: str
) -> None:
    words = await told(Ending(events))
    assert words == f"[DATA_LOSS] the service ended the reply without saying what it was spoken with. {says}"


async def test_a_reply_that_had_to_wait_for_its_service_gets_the_seconds_that_are_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ending, address, loop = Ending([HEARD], Code.INTERNAL), nowhere(), asyncio.get_running_loop()
    now, late = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: now() + late)
    async with AsyncExitStack() as up, asyncio.timeout(PATIENCE):

        async def start(_: Starter) -> None:
            """A service that takes its time to come up."""
            nonlocal late
            await up.enter_async_context(served(ending, address))
            late = AUTOSTART_SECONDS

        monkeypatch.setattr(Starter, "start", start)
        settings = Settings(address, toolsets=frozenset({Toolset.INFERENCE}), autostart=True)
        async with in_memory(settings, log=tmp_path / "engine.log") as client:
            refusal(await client.call_tool("generate_reply", {"prompt": "hi"}))
    assert 0 < ending.seconds[0] <= REPLY_SECONDS - AUTOSTART_SECONDS + ROUNDED
