"""Every rpc over a real channel: the same inputs as rpcs.py, through HTTP/2, with clients that leave at any moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from loopback import service

from emotional_ai.v1 import engine_pb2 as pb
from hostile.calls import DETAILS, checked
from hostile.corpus import METHODS, SESSIONS, path_of
from hostile.inputs import name
from hostile.rig import Complaints, complaints
from hostile.rpcs import body_of
from hostile.sequences import messages
from hostile.tally import Broken

OWN = {grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}
"""Codes that the client itself brings about."""
AFTERWARDS = "Internal error from Core"
"""What grpc.aio makes of a message that was still to be sent when the answer came: the refusal itself is lost in it."""


class Wired:
    """Sends each input as a call."""

    def __init__(self, channel: grpc.aio.Channel, heard: Complaints) -> None:
        self._channel = channel
        self._heard = heard

    async def one(self, draw: Random) -> str:
        method = draw.choice([one for one in METHODS if one.name != "StartJob"])
        metadata = (("x-request-id", "".join(one for one in name(draw) if " " < one < "\x7f") or "r"),)
        try:
            await self._called(draw, method, metadata if draw.random() < 0.3 else ())
        except grpc.aio.AioRpcError as error:
            self._heard.unless()
            if error.code() in OWN or error.details() == AFTERWARDS:
                return "LEFT"
            return checked(error.code(), error.details() or "", _packed(error))
        except asyncio.CancelledError:
            return "LEFT"
        self._heard.unless()
        return "OK"

    async def still_serves(self) -> None:
        made = self._channel.unary_unary("/emotional_ai.v1.EmotionEngine/GetState")
        request = pb.GetStateRequest(session_id="known").SerializeToString()
        state = pb.GetStateResponse.FromString(await made(request)).state
        if state.session_id != "known":
            raise Broken(f"a normal request was answered {state}")

    async def _called(self, draw: Random, method: MethodDescriptor, metadata: Any) -> None:
        path, seconds = path_of(method), draw.choice((0.02, 0.2, 1.0))
        if not method.client_streaming and not method.server_streaming:
            await self._channel.unary_unary(path)(body_of(draw, method), timeout=5, metadata=metadata)
            return
        if method.client_streaming:
            call = self._channel.stream_stream(path)(iter(messages(draw)), timeout=seconds, metadata=metadata)
        else:
            call = self._channel.unary_stream(path)(body_of(draw, method), timeout=seconds, metadata=metadata)
        left = draw.choice((0, 1, 3, 20))
        try:
            async for _ in call:
                left -= 1
                if left <= 0:
                    break
        finally:
            call.cancel()


def _packed(error: grpc.aio.AioRpcError) -> bytes:
    found = dict(error.trailing_metadata() or ()).get(DETAILS, b"")
    return found if isinstance(found, bytes) else b""


@asynccontextmanager
async def wired() -> AsyncIterator[Wired]:
    """Over a service of its own."""
    with service() as address, complaints() as heard:
        async with grpc.aio.insecure_channel(address, (("grpc.enable_retries", 0),)) as channel:
            made = channel.unary_unary("/emotional_ai.v1.EmotionEngine/CreateSession")
            for session_id in ("known", *SESSIONS):
                await made(pb.CreateSessionRequest(session_id=session_id).SerializeToString())
            yield Wired(channel, heard)
