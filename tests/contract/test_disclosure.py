"""What a service discloses, flags and lowers reaches whoever is on the other side of each surface."""

from collections.abc import Iterator
from typing import Any

import pytest
from mcp_bridge import answer, in_memory, said
from openai import AsyncOpenAI
from openai_door import door
from scripted_speech import Script, scripted_service

from emotional_ai import AsyncClient, Client
from emotional_ai.mcp_bridge.settings import Settings, Toolset
from emotional_ai.v1 import inference_pb2 as pb

TOLD = pb.ReplyStarted(disclosure="You talk to a program.\nCall for help.", flags=["storm"], intensity=0.25)
REPLY = "I am here for you."
TOOLSETS = frozenset({Toolset.EMOTION, Toolset.INFERENCE})


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Script, str]]:
    script = Script()
    with scripted_service(script) as address:
        with Client(address) as client:
            client.create_session("ada")
        yield script, address


@pytest.fixture
def address(served: tuple[Script, str]) -> Iterator[str]:
    served[0].told = TOLD
    yield served[1]
    served[0].told = Script().told


async def test_the_client_has_it_as_the_reply_begins(address: str) -> None:
    async with AsyncClient(address) as client, client.converse("ada", "hello") as reply:
        async for event in reply:
            if event.WhichOneof("event") == "started":
                assert event.started.disclosure == TOLD.disclosure
                assert list(event.started.flags) == ["storm"]
                assert event.started.intensity == 0.25
                assert reply.text == ""
    assert reply.started is not None


@pytest.mark.parametrize("stream", [False, True])
async def test_the_openai_door_has_it_in_its_extension(address: str, stream: bool) -> None:
    asked: Any = {"model": "emotional/ada", "messages": [{"role": "user", "content": "hello"}], "stream": stream}
    with door(address) as url:
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            answered = await client.chat.completions.create(**asked)
            last = [chunk async for chunk in answered][-1] if stream else answered
    extension = last.model_extra["emotional_ai"]
    assert extension["disclosure"] == TOLD.disclosure
    assert (extension["flags"], extension["intensity"]) == (["storm"], 0.25)


async def test_the_bridge_says_it_above_the_reply(served: tuple[Script, str], address: str) -> None:
    async with in_memory(Settings(address, session="ada", toolsets=TOOLSETS)) as client:
        result = await client.call_tool("generate_reply", {"prompt": "hello"})
        assert said(result) == f"{TOLD.disclosure}\n\n{REPLY}"
        spoken = answer(result)
        assert (spoken["disclosure"], spoken["flags"], spoken["intensity"]) == (TOLD.disclosure, ["storm"], 0.25)
        served[0].told = pb.ReplyStarted(intensity=1)
        assert said(await client.call_tool("generate_reply", {"prompt": "hello"})) == REPLY
