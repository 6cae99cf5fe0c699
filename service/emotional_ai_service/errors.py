"""What the service refuses, beside the core's and the stores' own errors.

ServiceError
+-- InvalidRequest        a message that breaks a rule of the contract
+-- SessionNotFound       no session of that id
+-- PastLetGo             what was asked lies before the earliest entry that is kept
+-- SessionExists         the id is taken
+-- VersionMismatch       the session is not at the version the caller expected
+-- StreamMisused         messages of a stream in an order the contract does not allow
+-- ServiceDraining       the service is shutting down
+-- SessionUnsettled      an earlier write of the session could not be stored; its state is being restored
+-- SessionContended      other replicas were first to write to the session, again and again
+-- LanguageOff           the service was started without a language model
+-- ModelUnavailable      the language model cannot take a request now
+-- JobNotFound           no training job of that id
+-- JobEnded              a training job that has ended cannot be cancelled
+-- JobNotResumable       a training job that runs, waits or succeeded, or of another recipe, cannot be resumed
+-- NoToken               a call without a token, where the service asks for one
+-- TokenUnknown          a token the service does not know, or no longer
+-- TokenExpired          a token whose time is over
+-- TokenGuessing         too many wrong tokens from one address
+-- ScopeMissing          a token that does not allow what was asked
+-- RateLimited           the tenant asks for more at a time than it may; it may again after a while
+-- QuotaExceeded         the tenant has, or used today, as much as it may
+-- AuditUnavailable      what the call would change cannot be written to the audit log
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that broke a rule: its path in the contract, what was wrong and what is allowed."""

    field: str
    description: str


class ServiceError(Exception):
    """Base of the service's own errors. `facts` are sent along for programs, by name."""

    def __init__(self, message: str, **facts: str) -> None:
        super().__init__(message)
        self.facts = facts

    def __reduce__(self) -> "tuple[Callable[..., ServiceError], tuple[object, ...]]":
        # Errors cross from a worker process by pickle, which would otherwise call a subclass with the message alone.
        return _again, (type(self), self.args, vars(self))


def _again(kind: type[ServiceError], arguments: tuple[object, ...], attributes: dict[str, object]) -> ServiceError:
    error = kind.__new__(kind, *arguments)
    vars(error).update(attributes)
    return error


class InvalidRequest(ServiceError):
    """A message that breaks a rule of the contract."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = violations


class SessionNotFound(ServiceError):
    """No session of that id."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"no session {session_id!r}; create it with CreateSession, or list those there are with ListSessions",
            session_id=session_id,
        )


class PastLetGo(ServiceError):
    """What was asked lies before the earliest entry of the log that is kept; `earliest` is its moment."""

    def __init__(self, field: str, what: str, earliest: str) -> None:
        super().__init__(
            f"{field}: {what}; older entries of this session were let go, and nothing is known before {earliest}",
            field=field,
            earliest=earliest,
        )


class SessionExists(ServiceError):
    """The id is taken."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"session {session_id!r} exists already; choose another id or delete it", session_id=session_id
        )


class VersionMismatch(ServiceError):
    """The session is not at the version the caller expected."""

    def __init__(self, session_id: str, expected: int, actual: int) -> None:
        super().__init__(
            f"session {session_id!r} is at version {actual}, not {expected}; read the state again and decide anew",
            session_id=session_id,
            expected_version=str(expected),
            actual_version=str(actual),
        )


class StreamMisused(ServiceError):
    """Messages of a stream in an order the contract does not allow."""


class ServiceDraining(ServiceError):
    """The service is shutting down."""

    def __init__(self) -> None:
        super().__init__("the service is shutting down; try again in a moment, on the next instance")


class SessionUnsettled(ServiceError):
    """An earlier write of the session could not be stored; its state is being restored."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"an earlier write of session {session_id!r} could not be stored; nothing of this one was applied, try again",
            session_id=session_id,
        )


class SessionContended(ServiceError):
    """Other replicas were first to write to the session at each of `tries` tries; nothing was applied."""

    def __init__(self, session_id: str, tries: int) -> None:
        super().__init__(
            f"other replicas of the service wrote to session {session_id!r} first, {tries} times; nothing of this write was "
            "applied, try again in a moment",
            session_id=session_id,
            tries=str(tries),
        )


class LanguageOff(ServiceError):
    """The service was started without a language model."""

    def __init__(self) -> None:
        super().__init__("this service was started with --engine-only; start it without that flag to have it speak")


class ModelUnavailable(ServiceError):
    """The language model cannot take a request now; `retry_seconds` is how long to wait before trying again."""

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class JobNotFound(ServiceError):
    """No training job of that id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"no training job {job_id!r}; start one with StartJob, or list those there are with ListJobs", job_id=job_id
        )


class JobEnded(ServiceError):
    """A training job that has ended cannot be cancelled."""

    def __init__(self, job_id: str, how: str) -> None:
        super().__init__(
            f"training job {job_id!r} has ended ({how}); there is nothing to cancel", job_id=job_id, how=how
        )


class JobNotResumable(ServiceError):
    """A training job that runs, waits or succeeded, or of another recipe, cannot be resumed."""

    def __init__(self, job_id: str, why: str) -> None:
        super().__init__(
            f"training job {job_id!r} cannot be resumed: {why}; start a new one without resume_job_id, or name another",
            job_id=job_id,
        )


class NoToken(ServiceError):
    """A call without a token, where the service asks for one."""

    def __init__(self) -> None:
        super().__init__(
            "this service asks for a token; give it to the client as `token`, to the commands, the page and the bridge as "
            "EMOTIONAL_AI_TOKEN (sent once, as metadata `authorization: Bearer TOKEN`); `emotional-ai tokens add` makes one"
        )


class TokenUnknown(ServiceError):
    """A token the service does not know, or no longer: the same whether its id or its secret is wrong."""

    def __init__(self) -> None:
        super().__init__(
            "this token is not known here; it may be mistyped, rotated or revoked: ask whoever runs the service for another, "
            "and put it where this one was (EMOTIONAL_AI_TOKEN)"
        )


class TokenExpired(ServiceError):
    """A token whose time is over."""

    def __init__(self, token_id: str) -> None:
        super().__init__(
            f"token {token_id} has expired; ask whoever runs the service for another (`emotional-ai tokens add` makes one) "
            "and put it where this one was (EMOTIONAL_AI_TOKEN)",
            token_id=token_id,
        )


class TokenGuessing(ServiceError):
    """Too many wrong tokens from one address; `retry_seconds` is how long to wait before the next is looked at."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__(
            "too many tokens that are not known came from this address; check the token, and try again in a moment. A token "
            "that is known passes at any time"
        )
        self.retry_seconds = retry_seconds


class ScopeMissing(ServiceError):
    """A token that does not allow what was asked."""

    def __init__(self, scope: str, token_id: str) -> None:
        super().__init__(
            f"token {token_id} lacks the scope {scope!r}, which this call needs; use a token that has it (EMOTIONAL_AI_TOKEN), "
            f"made with `emotional-ai tokens add --scope {scope}`",
            scope=scope,
            token_id=token_id,
        )


class RateLimited(ServiceError):
    """The tenant asks for more at a time than it may; `retry_seconds` is when it may again."""

    def __init__(self, limit: str, used: float, allowed: float, retry_seconds: float) -> None:
        super().__init__(
            f"the limit {limit} of {allowed:g} is reached; try again in {retry_seconds:.3g} s",
            limit=limit,
            used=f"{used:g}",
            allowed=f"{allowed:g}",
        )
        self.retry_seconds = retry_seconds


class QuotaExceeded(ServiceError):
    """The tenant has, or used today, as much as it may; `retry_seconds` is when it may again, None if not by waiting."""

    def __init__(
        self, limit: str, used: float, allowed: float, advice: str, retry_seconds: float | None = None
    ) -> None:
        super().__init__(
            f"the quota {limit} is {allowed:g}, and {used:g} are used or asked for; {advice}",
            limit=limit,
            used=f"{used:g}",
            allowed=f"{allowed:g}",
        )
        self.retry_seconds = retry_seconds


class AuditUnavailable(ServiceError):
    """What the call would change cannot be written to the audit log."""

    def __init__(self, retry_seconds: float) -> None:
        super().__init__(
            "the audit log cannot be written, and nothing is changed unseen; the log of the service says why, reading "
            "still works, try again once there is room"
        )
        self.retry_seconds = retry_seconds
