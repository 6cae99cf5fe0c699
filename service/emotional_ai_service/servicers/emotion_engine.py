"""The EmotionEngine service."""

import secrets
from collections.abc import AsyncIterator

from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc
from emotional_ai_service.computing import Computing
from emotional_ai_service.core.errors import InvalidConfiguration, InvalidInput
from emotional_ai_service.core.names import SIGNALS, ZERO4, Vector4
from emotional_ai_service.core.replay import Explanation, explain, replay, sample, spread
from emotional_ai_service.core.simulation import Event, Sample, Span, simulate
from emotional_ai_service.core.timeline import Configured, Moment, Restored
from emotional_ai_service.engine import EXPORT_FORMAT, Engine
from emotional_ai_service.errors import PastLetGo
from emotional_ai_service.guard import Context
from emotional_ai_service.life import Life
from emotional_ai_service.session import Applied, Intent, Session
from emotional_ai_service.streams import Drain, DuplexContext, duplex, intent_of, watch
from emotional_ai_service.tenants import Engines
from emotional_ai_service.wire import (
    agent_from,
    check_mood,
    check_time,
    config_to,
    dynamics_from,
    levels_from,
    levels_to,
    microseconds,
    signals_from,
    state_to,
    timestamp,
    vector_from,
    vector_to,
    write_state,
)

DEFAULT_POINTS = 200
DEFAULT_PAGE = 100
GREATEST_HISTORY = 10_000
"""Log entries GetHistory returns at most."""
GREATEST_EXPLANATION = 1_000
"""Entries Explain lists one by one at most."""


class EmotionEngineServicer(engine_pb2_grpc.EmotionEngineServicer):
    """Serves each caller the engine of its tenant; `drain` ends the streams at shutdown.

    What may take seconds is computed in threads of its own, and abandoned once its call ends.
    """

    def __init__(self, engines: Engines, drain: Drain) -> None:
        self._engines = engines
        self._drain = drain
        self._computing = Computing()

    @property
    def _engine(self) -> Engine:
        """The caller's."""
        return self._engines.mine()

    async def CreateSession(
        self, request: pb.CreateSessionRequest, context: Context[pb.CreateSessionRequest, pb.CreateSessionResponse]
    ) -> pb.CreateSessionResponse:
        session_id = request.session_id or f"session-{secrets.token_hex(6)}"
        initial = levels_from(request.initial) if request.HasField("initial") else None
        session = await self._engine.create(
            session_id, request.config, initial, request.request_id, transient=request.transient
        )
        return pb.CreateSessionResponse(session=await self._session(session))

    async def GetSession(
        self, request: pb.GetSessionRequest, context: Context[pb.GetSessionRequest, pb.GetSessionResponse]
    ) -> pb.GetSessionResponse:
        return pb.GetSessionResponse(session=await self._session(await self._engine.session(request.session_id)))

    async def ListSessions(
        self, request: pb.ListSessionsRequest, context: Context[pb.ListSessionsRequest, pb.ListSessionsResponse]
    ) -> pb.ListSessionsResponse:
        size = request.page_size or DEFAULT_PAGE
        rows = await self._engine.list(request.page_token, size + 1)
        return pb.ListSessionsResponse(
            sessions=[
                pb.SessionSummary(
                    session_id=row.session_id,
                    created_at=timestamp(row.created_us),
                    updated_at=timestamp(row.updated_us),
                    version=row.version,
                    transient=row.transient,
                )
                for row in rows[:size]
            ],
            next_page_token=rows[size - 1].session_id if len(rows) > size else "",
        )

    async def UpdateSession(
        self, request: pb.UpdateSessionRequest, context: Context[pb.UpdateSessionRequest, pb.UpdateSessionResponse]
    ) -> pb.UpdateSessionResponse:
        agent = agent_from(request.config, new=True)
        intent = Intent(Configured(agent), pb.LogEntry(configured=config_to(agent)))
        expected = request.expected_version if request.HasField("expected_version") else None
        await self._engine.apply(request.session_id, [intent], expected_version=expected)
        return pb.UpdateSessionResponse(session=await self._session(await self._engine.session(request.session_id)))

    async def DeleteSession(
        self, request: pb.DeleteSessionRequest, context: Context[pb.DeleteSessionRequest, pb.DeleteSessionResponse]
    ) -> pb.DeleteSessionResponse:
        exported = await self._engine.delete(request.session_id)
        return pb.DeleteSessionResponse(exported_at=[timestamp(time_us) for time_us in exported])

    async def ResetSession(
        self, request: pb.ResetSessionRequest, context: Context[pb.ResetSessionRequest, pb.ResetSessionResponse]
    ) -> pb.ResetSessionResponse:
        levels = levels_from(request.levels) if request.HasField("levels") else None
        reset = pb.SessionReset(levels=request.levels) if levels else pb.SessionReset()
        expected = request.expected_version if request.HasField("expected_version") else None
        applied = await self._engine.apply(
            request.session_id, [Intent(Restored(levels), pb.LogEntry(reset=reset))], expected_version=expected
        )
        return pb.ResetSessionResponse(state=state_to(request.session_id, applied.moment))

    async def GetState(
        self, request: pb.GetStateRequest, context: Context[pb.GetStateRequest, pb.GetStateResponse]
    ) -> pb.GetStateResponse:
        session = await self._engine.session(request.session_id)
        if not request.HasField("at"):
            moment = await session.read(self._engine.clock())
        else:
            at = _moment(request.at, "at")
            if at >= session.settled.moment.time_us:
                moment = await session.read(at)
            else:
                _since_creation(session, at, "at")
                life = await self._engine.life(request.session_id)
                (moment,) = await self._computing.run(sample, life.path, [_known(life, at, "at")])
        return pb.GetStateResponse(state=state_to(request.session_id, moment))

    async def ApplyStimuli(
        self, request: pb.ApplyStimuliRequest, context: Context[pb.ApplyStimuliRequest, pb.ApplyStimuliResponse]
    ) -> pb.ApplyStimuliResponse:
        applied: Applied = await self._engine.apply(
            request.session_id,
            [intent_of(stimulus, f"stimuli[{index}]") for index, stimulus in enumerate(request.stimuli)],
            request_id=request.request_id,
            expected_version=request.expected_version if request.HasField("expected_version") else None,
        )
        response = pb.ApplyStimuliResponse(duplicate=applied.duplicate)
        write_state(response.state, request.session_id, applied.moment)
        return response

    async def StreamState(  # type: ignore[override]  # written with context.write: a response is sent from two places
        self, request_iterator: AsyncIterator[pb.StreamStateRequest], context: DuplexContext
    ) -> None:
        await duplex(self._engine, self._drain, request_iterator, context)

    def WatchState(
        self, request: pb.WatchStateRequest, context: Context[pb.WatchStateRequest, pb.WatchStateResponse]
    ) -> AsyncIterator[pb.WatchStateResponse]:
        return watch(self._engine, self._drain, request)

    async def GetHistory(
        self, request: pb.GetHistoryRequest, context: Context[pb.GetHistoryRequest, pb.GetHistoryResponse]
    ) -> pb.GetHistoryResponse:
        session, life, start, end = await self._span(request)
        times = spread(start, end, request.points or DEFAULT_POINTS)
        samples = await self._computing.run(sample, life.path, times)
        inside = [entry for entry in life.messages if start <= microseconds(entry.time) <= end]
        kept = inside[-GREATEST_HISTORY:]
        return pb.GetHistoryResponse(
            samples=[state_to(session.session_id, moment) for moment in samples],
            entries=kept,
            entries_left_out=len(inside) - len(kept),
        )

    async def Explain(
        self, request: pb.ExplainRequest, context: Context[pb.ExplainRequest, pb.ExplainResponse]
    ) -> pb.ExplainResponse:
        session, life, start, end = await self._span(request)
        told = await self._computing.run(explain, life.path, life.entries, start, end)
        return _explanation(session.session_id, told, life)

    async def ReplayCounterfactual(
        self,
        request: pb.ReplayCounterfactualRequest,
        context: Context[pb.ReplayCounterfactualRequest, pb.ReplayCounterfactualResponse],
    ) -> pb.ReplayCounterfactualResponse:
        session, life, start, end = await self._span(request)
        without = set(request.without_sequences)
        _check_kept(life, without)
        stimuli = {entry.sequence for entry in life.messages if entry.HasField("stimulus")}
        unknown = sorted(without - stimuli)
        if unknown:
            raise InvalidInput("without_sequences", f"{unknown[0]} is not the sequence of a stimulus of this session")
        times = spread(start, end, request.points or DEFAULT_POINTS)
        kept = [
            timed
            for message, timed in zip(life.messages[1:], life.entries, strict=True)
            if message.sequence not in without
        ]

        def both() -> tuple[list[Moment], list[Moment]]:
            return sample(life.path, times), sample(replay(life.path[0].moment, kept), times)

        actual, other = await self._computing.run(both)
        return pb.ReplayCounterfactualResponse(
            actual=[state_to(session.session_id, moment) for moment in actual],
            counterfactual=[state_to(session.session_id, moment) for moment in other],
        )

    async def ExportSession(
        self, request: pb.ExportSessionRequest, context: Context[pb.ExportSessionRequest, pb.ExportSessionResponse]
    ) -> pb.ExportSessionResponse:
        life = await self._engine.life(request.session_id)
        await self._engine.note_export(request.session_id)
        export = pb.SessionExport(format=EXPORT_FORMAT, session_id=request.session_id, entries=life.messages)
        return pb.ExportSessionResponse(session=export)

    async def ImportSession(
        self, request: pb.ImportSessionRequest, context: Context[pb.ImportSessionRequest, pb.ImportSessionResponse]
    ) -> pb.ImportSessionResponse:
        session_id = request.session_id or request.session.session_id
        session = await self._engine.adopt(session_id, request.session.entries)
        return pb.ImportSessionResponse(session=await self._session(session))

    async def Simulate(
        self, request: pb.SimulateRequest, context: Context[pb.SimulateRequest, pb.SimulateResponse]
    ) -> pb.SimulateResponse:
        return await self._computing.run(_simulate, request)

    async def _session(self, session: Session) -> pb.Session:
        moment = await session.read(self._engine.clock())
        return pb.Session(
            session_id=session.session_id,
            created_at=timestamp(session.created_us),
            config=config_to(moment.agent),
            state=state_to(session.session_id, moment),
            transient=session.transient,
        )

    async def _span(
        self, request: pb.GetHistoryRequest | pb.ExplainRequest | pb.ReplayCounterfactualRequest
    ) -> tuple[Session, Life, int, int]:
        """The session, its life and the span a request names, from the earliest moment known to now where it names none."""
        session = await self._engine.session(request.session_id)
        start = _moment(request.start, "start") if request.HasField("start") else session.created_us
        now = max(self._engine.clock(), session.settled.moment.time_us)
        end = _moment(request.end, "end") if request.HasField("end") else now
        _since_creation(session, start, "start")
        if end < start:
            raise InvalidInput("end", f"must not be before the start, is {(start - end) / 1e6:.6f} s before it")
        life = await self._engine.life(request.session_id)
        if request.HasField("start"):
            return session, life, _known(life, start, "start"), end
        return session, life, life.known_from_us, _known(life, end, "end")


def _moment(time: Timestamp, path: str) -> int:
    check_time(time, path)
    return microseconds(time)


def _since_creation(session: Session, time_us: int, path: str) -> int:
    if time_us < session.created_us:
        early = (session.created_us - time_us) / 1e6
        raise InvalidInput(path, f"is {early:.6f} s before the session was created; nothing is known before")
    return time_us


def _known(life: Life, time_us: int, path: str) -> int:
    earliest_us = life.known_from_us
    if time_us < earliest_us:
        early = (earliest_us - time_us) / 1e6
        raise PastLetGo(path, f"is {early:.6f} s too early", timestamp(earliest_us).ToJsonString())
    return time_us


def _check_kept(life: Life, sequences: set[int]) -> None:
    """Raises PastLetGo for an entry that was let go, be it a stimulus or not: nobody knows any more."""
    first = life.messages[0]
    gone = sorted(sequence for sequence in sequences if first.HasField("continued") and 1 < sequence <= first.sequence)
    if gone:
        raise PastLetGo("without_sequences", f"{gone[0]} was let go", first.time.ToJsonString())


def _contribution(
    signal: int, events: Vector4 | None = None, sustained: Vector4 | None = None
) -> pb.SignalContribution:
    return pb.SignalContribution(
        signal=pb.Signal.ValueType(signal + 1),
        events=vector_to(events) if events else None,
        sustained=vector_to(sustained) if sustained else None,
    )


def _explanation(session_id: str, told: Explanation, life: Life) -> pb.ExplainResponse:
    moved = [index for index in range(len(SIGNALS)) if index in told.events or index in told.sustained]
    return pb.ExplainResponse(
        before=state_to(session_id, told.before),
        after=state_to(session_id, told.after),
        signals=[
            _contribution(index, told.events.get(index, ZERO4), told.sustained.get(index, ZERO4)) for index in moved
        ],
        homeostasis=vector_to(told.homeostasis),
        resets=vector_to(told.resets),
        entries=[
            pb.EntryContribution(
                sequence=sequence,
                time=timestamp(time_us),
                signals=[_contribution(index, part) for index, part in sorted(parts.items())],
                note=life.messages[sequence - life.first_sequence].stimulus.note,
            )
            for sequence, time_us, parts in told.entries[-GREATEST_EXPLANATION:]
        ],
    )


def _simulate(request: pb.SimulateRequest) -> pb.SimulateResponse:
    initial = levels_from(request.initial) if request.HasField("initial") else None
    check_mood(request.initial_mood, "initial_mood")
    try:
        samples = simulate(
            dynamics_from(request.config),
            list(request.times),
            initial=initial,
            initial_mood=vector_from(request.initial_mood),
            events=[
                Event(event.time, signals_from(event.signals, f"events[{i}].signals"))
                for i, event in enumerate(request.events)
            ],
            sustained=[
                Span(span.start, span.end, signals_from(span.signals, f"sustained[{i}].signals"))
                for i, span in enumerate(request.sustained)
            ],
            start_hour=request.start_hour if request.HasField("start_hour") else 12.0,
        )
    except InvalidConfiguration as error:
        raise type(error)(f"config.{error.field}", error.description) from error
    return pb.SimulateResponse(samples=[_sample(one) for one in samples])


def _sample(one: Sample) -> pb.SimulatedSample:
    return pb.SimulatedSample(time=one.time, chemistry=levels_to(one.levels), mood=vector_to(one.mood))
