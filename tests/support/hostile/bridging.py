"""The MCP bridge: lines of its standard input, spoiled as text, as JSON or as arguments, before a real service."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from loopback import service
from mcp.shared.message import SessionMessage
from mcp_bridge import EVERYTHING
from mcp_wire import INITIALIZED, Speech

from emotional_ai import Client
from emotional_ai.mcp_bridge.server import server
from emotional_ai.mcp_bridge.settings import Settings
from emotional_ai.mcp_bridge.stdio import Unreadable, message
from hostile.inputs import havoc, name, spoiled_json
from hostile.rig import Complaints, complaints
from hostile.tally import Broken

VERSION: Final = "2025-11-25"
CALLS: Final[dict[str, dict[str, Any]]] = {
    "get_emotional_state": {"session_id": "ada"},
    "update_emotion": {"session_id": "ada", "reward": 0.5, "minutes": 5, "note": "n", "create_session": True},
    "explain_emotion": {"session_id": "ada", "minutes": 10, "limit": 3},
    "list_emotion_sessions": {},
    "reset_emotion": {"session_id": "ada"},
    "engine_status": {},
    "generate_reply": {"prompt": "kind", "session_id": "ada", "max_tokens": 3, "seed": 1},
    "get_training_status": {"job_id": "20261129-000000-abcdef"},
    "cancel_training": {"job_id": "20261129-000000-abcdef"},
}
OTHERS: Final[dict[str, dict[str, Any]]] = {
    "tools/list": {},
    "resources/list": {},
    "resources/templates/list": {},
    "resources/read": {"uri": "emotion://sessions/ada/state"},
    "resources/subscribe": {"uri": "emotion://sessions/ada/state"},
    "resources/unsubscribe": {"uri": "emotion://sessions/ada/state"},
    "prompts/list": {},
    "prompts/get": {"name": "in_character", "arguments": {"session_id": "ada"}},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "in_character"},
        "argument": {"name": "session_id", "value": "a"},
    },
    "ping": {},
    "notifications/cancelled": {"requestId": 1},
    "logging/setLevel": {"level": "debug"},
}
INTERNAL: Final = -32603
PATIENCE: Final = 5.0


class Bridging:
    """Writes each input as a line, and waits for the answer where one is due."""

    def __init__(
        self,
        sending: MemoryObjectSendStream[SessionMessage | Exception],
        reading: MemoryObjectReceiveStream[SessionMessage],
        heard: Complaints,
    ) -> None:
        self._sending = sending
        self._reading = reading
        self._heard = heard
        self._speech = Speech(VERSION)

    async def one(self, draw: Random) -> str:
        came = await self._answered(self._line(draw))
        self._heard.unless()
        return came

    async def still_serves(self) -> None:
        asked = self._speech.request(
            "tools/call", name="update_emotion", arguments={"session_id": "ada", "reward": 0.1}
        )
        if await self._answered(json.dumps(asked)) != "OK":
            raise Broken("a normal call was refused")

    async def begin(self) -> None:
        """Shakes hands."""
        await self._answered(json.dumps(self._speech.handshake()))
        await self._answered(json.dumps(INITIALIZED))

    async def _answered(self, line: str) -> str:
        try:
            read = message(line)
        except Unreadable as error:
            json.dumps(error.answer().model_dump(mode="json"))
            return f"JSON-RPC {error.code}"
        plain = read.model_dump()
        await self._sending.send(SessionMessage(read))
        if "method" not in plain or "id" not in plain:
            return "OK"
        while True:
            with anyio.fail_after(PATIENCE):
                answer = (await self._reading.receive()).message.model_dump(mode="json")
            if answer.get("id") == plain["id"] and "method" not in answer:
                return _outcome(answer)

    def _line(self, draw: Random) -> str:
        number = draw.randrange(2**30)
        if draw.random() < 0.6:
            tool = draw.choice(list(CALLS)) if draw.random() < 0.95 else name(draw)
            asked = CALLS.get(tool, {})
            arguments = spoiled_json(draw, asked) if draw.random() < 0.7 else asked
            called: Any = {"name": tool, "arguments": arguments}
            sent: Any = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": called}
        else:
            method = draw.choice(list(OTHERS))
            sent = {"jsonrpc": "2.0", "id": number, "method": method, "params": OTHERS[method]}
            sent = spoiled_json(draw, sent)
        line = json.dumps(sent, ensure_ascii=draw.random() < 0.5)
        if draw.random() < 0.35:
            line = havoc(draw, line.encode(errors="surrogatepass")).decode(errors="replace")
        return line.replace("\n", " ")


def _outcome(answer: dict[str, Any]) -> str:
    if "error" in answer:
        if answer["error"]["code"] == INTERNAL:
            raise Broken(f"an internal error: {answer['error']}")
        return f"JSON-RPC {answer['error']['code']}"
    result = answer["result"]
    if result.get("isError"):
        said = str(result["content"][0].get("text", ""))
        if said.startswith(("[INTERNAL]", "[UNKNOWN]")):
            raise Broken(said[:400])
        return said.partition("]")[0].lstrip("[") or "refused"
    return "OK"


@asynccontextmanager
async def bridging() -> AsyncIterator[Bridging]:
    """Over a bridge and a service of its own."""
    with service() as address, complaints() as heard:
        bridge = server(Settings(target=address, toolsets=EVERYTHING), Path(os.devnull))
        sending, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        outgoing, reading = anyio.create_memory_object_stream[SessionMessage](1000)
        running = asyncio.create_task(bridge.run(incoming, outgoing, bridge.create_initialization_options()))
        made = Bridging(sending, reading, heard)
        try:
            await made.begin()
            with Client(address) as client:
                client.create_session("ada")
            yield made
        finally:
            await sending.aclose()
            await asyncio.wait((running,), timeout=PATIENCE)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await reading.aclose()
            await outgoing.aclose()
            await incoming.aclose()
