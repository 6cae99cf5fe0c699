"""Streams of state whose messages come in any order, spoiled or not, and whose clients leave at any moment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

from emotional_ai.v1 import engine_pb2 as pb
from hostile.calls import outcome, stream
from hostile.corpus import EVENT, REQUESTS, SESSIONS
from hostile.inputs import havoc, name, spoil
from hostile.rig import Rig, rig

PATH: Final = "/emotional_ai.v1.EmotionEngine/StreamState"
LONGEST: Final = 12


def messages(draw: Random) -> list[bytes]:
    """What a client sends: mostly an `open` first, and batches with numbers that go on."""
    told = [_message(draw, number) for number in range(draw.randrange(LONGEST))]
    if draw.random() < 0.8:
        token = draw.choice(("", "", "t1", name(draw)))
        opened = pb.StreamOpen(session_id=draw.choice(SESSIONS), credit=draw.choice((0, 1, 64)), resume_token=token)
        told.insert(0, pb.StreamStateRequest(open=opened))
    bodies = [message.SerializeToString() for message in told]
    if bodies and draw.random() < 0.3:
        place = draw.randrange(len(bodies))
        bodies[place] = havoc(draw, bodies[place], bodies)
    if draw.random() < 0.1:
        draw.shuffle(bodies)
    return bodies


def _message(draw: Random, number: int) -> pb.StreamStateRequest:
    message = pb.StreamStateRequest()
    match draw.randrange(6):
        case 0 | 1 | 2:
            message.batch.CopyFrom(pb.StimulusBatch(number=draw.choice((number + 1, 1, 2)), stimuli=[EVENT]))
        case 3:
            message.ack.sequence = draw.choice((0, 1, number, 2**64 - 1))
        case 4:
            message.CopyFrom(draw.choice(REQUESTS["StreamState"]))  # type: ignore[arg-type]
        case _:
            message.CopyFrom(draw.choice(REQUESTS["StreamState"]))  # type: ignore[arg-type]
            spoil(draw, message)
    return message


class Sequences:
    """Sends each input as one stream."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.still_serves = rig.still_serves

    async def one(self, draw: Random) -> str:
        given = await stream(self._rig.methods, PATH, messages(draw), turns=draw.choice((1, 2, 3, 10, 40)))
        self._rig.complaints.unless()
        return outcome(given)


@asynccontextmanager
async def sequences() -> AsyncIterator[Sequences]:
    """Over a service of its own."""
    async with rig() as made:
        yield Sequences(made)
