"""The doors of the page: every rpc by HTTP in JSON, protobuf, envelopes and gRPC-Web, and OpenAI's chat API."""

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final
from urllib.parse import quote

from google.protobuf import json_format
from loopback import service
from starlette.applications import Starlette
from starlette.types import ASGIApp

from emotional_ai import AsyncClient
from emotional_ai.web.doors import Upstream, connect_app
from emotional_ai.web.doors.openai import routes
from hostile.asgi import Answer, Asked, answered, chunked, header
from hostile.corpus import METHODS, REQUESTS, path_of
from hostile.inputs import havoc, name, spoil, spoiled_json
from hostile.rig import Complaints, complaints
from hostile.rpcs import body_of
from hostile.tally import Broken

JSON: Final = b"application/json"
PROTO: Final = (
    b"application/proto",
    b"application/grpc-web+proto",
    b"application/connect+proto",
    b"application/grpc-web",
)
ENVELOPED: Final = PROTO[1:]
CHAT: Final[dict[str, Any]] = {
    "model": "emotional/ada",
    "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "I lost my job"}],
    "temperature": 0.7,
    "max_tokens": 5,
    "seed": 1,
    "stop": ["."],
    "stream": False,
}
WRONG: Final = (b'"code":"internal"', b'"code":"unknown"', b"Internal Server Error", b"incident", b"Traceback")


class Doors:
    """Sends each input to one of the doors."""

    def __init__(self, contract: ASGIApp, chat: ASGIApp, heard: Complaints) -> None:
        self._contract = contract
        self._chat = chat
        self._heard = heard

    async def one(self, draw: Random) -> str:
        if draw.random() < 0.25:
            answer = await answered(self._chat, _chatting(draw))
        else:
            answer = await answered(self._contract, _calling(draw))
        self._heard.unless()
        return _outcome(answer)

    async def still_serves(self) -> None:
        path = "/emotional_ai.v1.EmotionEngine/ListSessions"
        answer = await answered(self._contract, Asked("POST", path, [(b"content-type", JSON)], [b"{}"]))
        if answer.status != 200:
            raise Broken(f"a normal call was refused: {answer.body[:300]!r}")


def _calling(draw: Random) -> Asked:
    method = draw.choice([one for one in METHODS if one.name not in ("StartJob", "WatchState", "WatchJob")])
    path, timeout = path_of(method), (b"connect-timeout-ms", draw.choice((b"2000", b"1", b"0", b"-1", b"9" * 30, b"x")))
    if draw.random() < 0.5:
        body, kind = _json(draw, method.name), JSON
    else:
        body, kind = body_of(draw, method), draw.choice(PROTO)
        if kind in ENVELOPED:
            length = len(body) if draw.random() < 0.8 else draw.choice((0, 1, 2**31, 2**32 - 1))
            body = bytes([draw.choice((0, 0, 0, 1, 2, 128, 255))]) + length.to_bytes(4, "big") + body
    headers = [(b"content-type", kind), (b"host", b"127.0.0.1"), timeout]
    if draw.random() < 0.1:
        body, headers = gzip.compress(body), [*headers, (b"content-encoding", b"gzip")]
    if draw.random() < 0.1:
        headers.append(header(draw))
    if draw.random() < 0.05:
        path = "/" + "/".join(quote(name(draw), safe="/.") for _ in range(2))
    return Asked(draw.choice(("POST",) * 9 + ("GET",)), path, headers, chunked(draw, body), leaves=draw.random() < 0.1)


def _json(draw: Random, method: str) -> bytes:
    request = type(first := draw.choice(REQUESTS[method]))()
    request.CopyFrom(first)
    if draw.random() < 0.4:
        spoil(draw, request)
    value: Any
    try:
        value = json_format.MessageToDict(request)
    except (ValueError, json_format.Error):  # a moment that JSON cannot say
        value = {}
    body = json.dumps(spoiled_json(draw, value) if draw.random() < 0.5 else value).encode()
    return havoc(draw, body) if draw.random() < 0.3 else body


def _chatting(draw: Random) -> Asked:
    headers = [(b"content-type", JSON), (b"host", b"127.0.0.1")]
    if draw.random() < 0.2:
        path = "/v1/" + draw.choice(("models", f"models/{quote(name(draw))}", quote(name(draw), safe="/")))
        return Asked(draw.choice(("GET", "POST", "DELETE")), path, headers)
    body = json.dumps(spoiled_json(draw, CHAT | {"stream": draw.random() < 0.5})).encode()
    if draw.random() < 0.2:
        body = havoc(draw, body)
    return Asked("POST", "/v1/chat/completions", headers, chunked(draw, body), leaves=draw.random() < 0.1)


def _outcome(answer: Answer) -> str:
    compact = answer.body.replace(b'": "', b'":"')
    if b"protocol error" in compact:
        return "PROTOCOL"  # that a flag of an envelope is wrong is INTERNAL by the protocol itself
    if answer.status in (500, 502) or any(one in compact for one in WRONG):
        raise Broken(f"HTTP {answer.status}: {answer.body[:400]!r}")
    if b"grpc-status:13" in compact or b"grpc-status:2\r" in compact:
        raise Broken(f"gRPC-Web: {answer.body[-400:]!r}")
    return "OK" if answer.status < 300 else f"HTTP {answer.status}"


@asynccontextmanager
async def doors() -> AsyncIterator[Doors]:
    """Over a service of its own, which speaks not."""
    with service() as address, complaints() as heard:
        upstream = Upstream(address)
        async with AsyncClient(address) as client:
            await client.create_session("ada")
            try:
                yield Doors(connect_app(upstream), Starlette(routes=routes(client)), heard)
            finally:
                await upstream.close()
