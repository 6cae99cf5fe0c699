"""Every rpc of the three services, from bytes: sound requests whose fields, or whose bytes, are spoiled."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

from google.protobuf.descriptor import MethodDescriptor

from hostile.calls import Context, outcome, stream, unary
from hostile.corpus import METHODS, REQUESTS, path_of
from hostile.inputs import havoc, name, spoil
from hostile.rig import Rig, rig

ALL: Final = tuple(request.SerializeToString() for requests in REQUESTS.values() for request in requests)


def body_of(draw: Random, method: MethodDescriptor) -> bytes:
    """A serialised request of a method, spoiled."""
    request = type(first := draw.choice(REQUESTS[method.name]))()
    request.CopyFrom(first)
    chance = draw.random()
    if chance < 0.1 and "session_id" in method.input_type.fields_by_name:
        request.session_id = name(draw)  # type: ignore[attr-defined]
    elif chance < 0.65:
        spoil(draw, request)
    body = request.SerializeToString()
    if chance > 0.6:
        body = havoc(draw, body, ALL)
    return body


class Rpcs:
    """Sends each input to a method drawn for it."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.still_serves = rig.still_serves

    async def one(self, draw: Random) -> str:
        method = draw.choice(METHODS)
        body = body_of(draw, method)
        given: bytes | Context
        if method.server_streaming:
            given = await stream(self._rig.methods, path_of(method), [body], turns=draw.choice((1, 2, 5, 30)))
        else:
            given = await unary(self._rig.methods, path_of(method), body)
        self._rig.complaints.unless()
        return outcome(given)


@asynccontextmanager
async def rpcs() -> AsyncIterator[Rpcs]:
    """Over a service of its own."""
    async with rig() as made:
        yield Rpcs(made)
