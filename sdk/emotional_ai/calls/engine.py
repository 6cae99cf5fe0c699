"""Calls of the emotion engine."""

from collections.abc import Sequence
from typing import Final, Unpack

from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai.calls.call import Effort, Paged, Unary, new_request_id, unary
from emotional_ai.errors import InvalidArgument
from emotional_ai.stimuli import Happening, Intensities, Moment, happenings, moment, signals_of
from emotional_ai.v1 import engine_pb2 as pb

PAGE: Final = 100
"""Sessions asked for at a time."""


def create_session(
    session_id: str = "",
    *,
    config: pb.SessionConfig | None = None,
    initial: pb.Chemistry | None = None,
    transient: bool = False,
    request_id: str = "",
    timeout: float | None = None,
) -> Unary[pb.Session]:
    """Creates a session at its baseline, or at `initial` levels; an id is made if none is given.

    A `transient` one is kept in the memory of the process that makes it, known to no other, and gone with it.
    Raises AlreadyExists if the id is taken, InvalidArgument for a configuration that cannot be, ResourceExhausted where the
    service keeps as many transient sessions as it may.
    """
    request = pb.CreateSessionRequest(
        session_id=session_id or new_request_id(),  # made here, so that a retry does not make another session
        config=config,
        initial=initial,
        request_id=request_id or new_request_id(),
        transient=transient,
    )
    return unary(
        lambda on: on.engine.CreateSession, request, lambda r: r.session, effort=Effort.UPDATE, timeout=timeout
    )


def get_session(session_id: str, *, timeout: float | None = None) -> Unary[pb.Session]:
    """A session's configuration and current state. Raises NotFound."""
    request = pb.GetSessionRequest(session_id=session_id)
    return unary(lambda on: on.engine.GetSession, request, lambda r: r.session, timeout=timeout)


def list_sessions(*, page_size: int = PAGE, timeout: float | None = None) -> Paged[pb.SessionSummary]:
    """Every session in order of id, fetched `page_size` (1..1000) at a time as the iteration goes on."""

    def page(token: str) -> Unary[tuple[Sequence[pb.SessionSummary], str]]:
        request = pb.ListSessionsRequest(page_size=page_size, page_token=token)
        return unary(
            lambda on: on.engine.ListSessions, request, lambda r: (r.sessions, r.next_page_token), timeout=timeout
        )

    return Paged(page)


def update_session(
    session_id: str,
    config: pb.SessionConfig,
    *,
    expected_version: int | None = None,
    timeout: float | None = None,
) -> Unary[pb.Session]:
    """Replaces the configuration, whole, from now on. Raises Aborted if the session is not at `expected_version`."""
    request = pb.UpdateSessionRequest(session_id=session_id, config=config, expected_version=expected_version)
    return unary(
        lambda on: on.engine.UpdateSession, request, lambda r: r.session, effort=Effort.UPDATE, timeout=timeout
    )


def delete_session(session_id: str, *, timeout: float | None = None) -> Unary[Sequence[Timestamp]]:
    """Deletes a session and its log. Raises NotFound.

    Returns when it was exported, oldest first, the last hundred times: those copies are in other hands and stay.
    """
    request = pb.DeleteSessionRequest(session_id=session_id)
    return unary(
        lambda on: on.engine.DeleteSession, request, lambda r: r.exported_at, effort=Effort.UPDATE, timeout=timeout
    )


def reset_session(
    session_id: str,
    *,
    levels: pb.Chemistry | None = None,
    expected_version: int | None = None,
    timeout: float | None = None,
) -> Unary[pb.EmotionalState]:
    """Puts a session back to its baseline, or to `levels`. Raises Aborted if it is not at `expected_version`."""
    request = pb.ResetSessionRequest(session_id=session_id, levels=levels, expected_version=expected_version)
    return unary(lambda on: on.engine.ResetSession, request, lambda r: r.state, effort=Effort.UPDATE, timeout=timeout)


def state(session_id: str, *, at: Moment | None = None, timeout: float | None = None) -> Unary[pb.EmotionalState]:
    """The state now, or at any moment since the session was created; in the future: if nothing more happens.

    Raises OutOfRange for a moment that was let go, as every look back does.
    """
    request = pb.GetStateRequest(session_id=session_id, at=moment("at", at))
    return unary(lambda on: on.engine.GetState, request, lambda r: r.state, timeout=timeout)


def apply(
    session_id: str,
    *what: Happening,
    note: str = "",
    occurred_at: Moment | None = None,
    request_id: str = "",
    expected_version: int | None = None,
    timeout: float | None = None,
    **signals: Unpack[Intensities],
) -> Unary[pb.EmotionalState]:
    """Applies what happens, all or none, and returns the state after it: `apply("ada", reward=0.8)`.

    Once this returns, it is stored. A request_id is applied once, however often it is sent; one is made if none is given, so
    retries of this call never apply twice. `note` and `occurred_at` go to events given as signals.
    Raises InvalidArgument for an unknown signal or a value outside [0, 1], NotFound, Aborted if the session is not at
    `expected_version`, FailedPrecondition for a time before the session's last.
    """
    stimuli = happenings(what, signals, note=note, occurred_at=occurred_at)
    return _applied(session_id, stimuli, request_id=request_id, expected_version=expected_version, timeout=timeout)


def apply_stimuli(
    session_id: str,
    stimuli: Sequence[Happening],
    *,
    request_id: str = "",
    expected_version: int | None = None,
    timeout: float | None = None,
) -> Unary[pb.ApplyStimuliResponse]:
    """As `apply`, for 1..128 stimuli; the response also says whether this request_id had been applied before."""
    request = pb.ApplyStimuliRequest(
        session_id=session_id,
        stimuli=happenings(stimuli, {}),
        request_id=request_id or new_request_id(),
        expected_version=expected_version,
    )
    return unary(lambda on: on.engine.ApplyStimuli, request, lambda r: r, effort=Effort.UPDATE, timeout=timeout)


def sustain(
    session_id: str,
    signals: pb.Signals | None = None,
    *,
    minutes: float = 0.0,
    note: str = "",
    request_id: str = "",
    expected_version: int | None = None,
    timeout: float | None = None,
    **intensities: Unpack[Intensities],
) -> Unary[pb.EmotionalState]:
    """Holds signals for simulated `minutes`, or until others replace them if 0; no signals at all end what was held.

    Raises what `apply` raises.
    """
    if signals is not None and intensities:
        raise InvalidArgument.of("SIGNALS_TWICE", "signals", "are given as a message and by name; give them in one way")
    held = pb.SustainedSignals(signals=signals or signals_of(intensities), duration_minutes=minutes)
    stimulus = pb.Stimulus(sustained=held, note=note)
    return _applied(session_id, [stimulus], request_id=request_id, expected_version=expected_version, timeout=timeout)


def skip(
    session_id: str,
    minutes: float,
    *,
    note: str = "",
    request_id: str = "",
    expected_version: int | None = None,
    timeout: float | None = None,
) -> Unary[pb.EmotionalState]:
    """Lets simulated `minutes`, > 0, pass at once. Raises what `apply` raises."""
    stimulus = pb.Stimulus(skip_minutes=minutes, note=note)
    return _applied(session_id, [stimulus], request_id=request_id, expected_version=expected_version, timeout=timeout)


def _applied(
    session_id: str,
    stimuli: Sequence[pb.Stimulus],
    *,
    request_id: str,
    expected_version: int | None,
    timeout: float | None,
) -> Unary[pb.EmotionalState]:
    request = pb.ApplyStimuliRequest(
        session_id=session_id,
        stimuli=stimuli,
        request_id=request_id or new_request_id(),
        expected_version=expected_version,
    )
    return unary(lambda on: on.engine.ApplyStimuli, request, lambda r: r.state, effort=Effort.UPDATE, timeout=timeout)
