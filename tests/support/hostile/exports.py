"""Imports: exports of sessions, whole or with a past that was let go, spoiled anywhere. What is taken must be sound."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from emotional_ai.v1 import engine_pb2 as pb
from hostile.calls import Context, checked, outcome, unary
from hostile.inputs import havoc, spoil
from hostile.rig import PATH, Rig, rig
from hostile.tally import Broken


class Exports:
    """Imports each input, and looks at what was made of it."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._sound: list[pb.SessionExport] = []

    async def still_serves(self) -> None:
        await self._rig.still_serves()
        if not self._sound:
            self._sound = [await self._exported(session_id) for session_id in ("ada", "eve")]

    async def one(self, draw: Random) -> str:
        request = pb.ImportSessionRequest(session=draw.choice(self._sound), session_id="copy")
        spoil(draw, request.session if draw.random() < 0.7 else draw.choice(list(request.session.entries)))
        body = request.SerializeToString()
        if draw.random() < 0.25:
            body = havoc(draw, body)
        given = await unary(self._rig.methods, PATH + "ImportSession", body)
        self._rig.complaints.unless()
        came = outcome(given)
        if isinstance(given, bytes):
            await self._look(pb.ImportSessionResponse.FromString(given).session)
        self._rig.complaints.unless()
        return came

    async def _look(self, made: pb.Session) -> None:
        """What was taken can be read, moved and exported, and an export of it is taken again."""
        session_id, levels = made.session_id, made.state.chemistry
        if not all(0 <= value <= 1 for value in (levels.dopamine, levels.serotonin, levels.cortisol, levels.oxytocin)):
            raise Broken(f"an import came to {levels}")
        if not all(math.isfinite(value) for value in (made.state.valence, made.state.arousal)):
            raise Broken("an import came to no valence")
        exported = await self._exported(session_id)
        again = pb.ImportSessionRequest(session=exported, session_id="again")
        await self._rig.ask("ImportSession", again)
        for method in (pb.GetHistoryRequest(session_id=session_id, points=2), pb.ExplainRequest(session_id=session_id)):
            await self._allowed(type(method).__name__.removesuffix("Request"), method)
        for one in (session_id, "again"):
            await self._rig.ask("DeleteSession", pb.DeleteSessionRequest(session_id=one))

    async def _allowed(self, method: str, request: pb.GetHistoryRequest | pb.ExplainRequest) -> None:
        given = await unary(self._rig.methods, PATH + method, request.SerializeToString())
        if isinstance(given, Context) and given.refused is not None:
            checked(*given.refused)

    async def _exported(self, session_id: str) -> pb.SessionExport:
        response = await self._rig.ask("ExportSession", pb.ExportSessionRequest(session_id=session_id))
        return pb.ExportSessionResponse.FromString(response).session


@asynccontextmanager
async def exports() -> AsyncIterator[Exports]:
    """Over a service of its own."""
    async with rig() as made:
        yield Exports(made)
