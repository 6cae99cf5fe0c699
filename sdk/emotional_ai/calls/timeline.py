"""Calls of the emotion engine that look at whole lives: past, causes, what might have been, copies, simulations."""

from collections.abc import Sequence

from google.protobuf import json_format

from emotional_ai.calls.call import Effort, Unary, unary
from emotional_ai.errors import InvalidArgument
from emotional_ai.stimuli import Moment, moment
from emotional_ai.v1 import engine_pb2 as pb


def history(
    session_id: str,
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    points: int = 0,
    timeout: float | None = None,
) -> Unary[pb.GetHistoryResponse]:
    """The trajectory from `start` (the creation) to `end` (now) in 2..10000 `points` (200), and the log entries in it."""
    request = pb.GetHistoryRequest(
        session_id=session_id, start=moment("start", start), end=moment("end", end), points=points
    )
    return unary(lambda on: on.engine.GetHistory, request, lambda r: r, effort=Effort.WORK, timeout=timeout)


def explain(
    session_id: str, *, start: Moment | None = None, end: Moment | None = None, timeout: float | None = None
) -> Unary[pb.ExplainResponse]:
    """Which signals moved which chemical by how much from `start` (the creation) to `end` (now)."""
    request = pb.ExplainRequest(session_id=session_id, start=moment("start", start), end=moment("end", end))
    return unary(lambda on: on.engine.Explain, request, lambda r: r, effort=Effort.WORK, timeout=timeout)


def counterfactual(
    session_id: str,
    without: Sequence[int],
    *,
    start: Moment | None = None,
    end: Moment | None = None,
    points: int = 0,
    timeout: float | None = None,
) -> Unary[pb.ReplayCounterfactualResponse]:
    """The span as it was, and as if the stimuli at the log sequences `without` had not happened."""
    request = pb.ReplayCounterfactualRequest(
        session_id=session_id,
        without_sequences=without,
        start=moment("start", start),
        end=moment("end", end),
        points=points,
    )
    return unary(lambda on: on.engine.ReplayCounterfactual, request, lambda r: r, effort=Effort.WORK, timeout=timeout)


def export_session(session_id: str, *, timeout: float | None = None) -> Unary[pb.SessionExport]:
    """A session whole: its log, which begins with its configuration."""
    request = pb.ExportSessionRequest(session_id=session_id)
    return unary(lambda on: on.engine.ExportSession, request, lambda r: r.session, effort=Effort.WORK, timeout=timeout)


def export_json(session_id: str, *, timeout: float | None = None) -> Unary[str]:
    """A session whole, as JSON that `import_json` takes anywhere."""
    request = pb.ExportSessionRequest(session_id=session_id)
    return unary(
        lambda on: on.engine.ExportSession,
        request,
        lambda r: json_format.MessageToJson(r.session),
        effort=Effort.WORK,
        timeout=timeout,
    )


def import_session(
    export: pb.SessionExport, *, session_id: str = "", timeout: float | None = None
) -> Unary[pb.Session]:
    """Creates a session from an export, under its own id or another. Raises InvalidArgument unless it is wholly sound."""
    request = pb.ImportSessionRequest(session=export, session_id=session_id)
    return unary(lambda on: on.engine.ImportSession, request, lambda r: r.session, effort=Effort.WORK, timeout=timeout)


def import_json(text: str, *, session_id: str = "", timeout: float | None = None) -> Unary[pb.Session]:
    """As `import_session`, from JSON. Raises InvalidArgument saying where, if it is not the JSON of an export."""
    text = text.removeprefix("\ufeff")  # the byte order mark of a file
    if not text.lstrip().startswith("{"):  # the parser takes an empty list, or null, for an empty message
        raise InvalidArgument.of("MALFORMED_JSON", "session", "is not the JSON of an export, which is an object")
    try:
        export = json_format.Parse(text, pb.SessionExport())
    except (json_format.ParseError, RecursionError, UnicodeError) as error:
        raise InvalidArgument.of("MALFORMED_JSON", "session", f"is not the JSON of an export: {error}") from error
    return import_session(export, session_id=session_id, timeout=timeout)


def simulate(
    times: Sequence[float],
    *,
    config: pb.DynamicsConfig | None = None,
    initial: pb.Chemistry | None = None,
    initial_mood: pb.ChemicalVector | None = None,
    events: Sequence[pb.SimulatedEvent] = (),
    sustained: Sequence[pb.SimulatedSpan] = (),
    start_hour: float | None = None,
    timeout: float | None = None,
) -> Unary[Sequence[pb.SimulatedSample]]:
    """A trajectory without a session, a sample per time; times in simulated minutes, not descending."""
    request = pb.SimulateRequest(
        config=config,
        initial=initial,
        initial_mood=initial_mood,
        events=events,
        sustained=sustained,
        times=times,
        start_hour=start_hour,
    )
    return unary(lambda on: on.engine.Simulate, request, lambda r: r.samples, effort=Effort.WORK, timeout=timeout)
