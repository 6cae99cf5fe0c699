"""What a caller is told of an error: one table maps each to a status code and a reason.

An error the table does not know is a bug, answered as INTERNAL with the id under which the log holds its traceback.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from emotional_ai_service.core.errors import (
    CoreError,
    InvalidConfiguration,
    InvalidInput,
    TimeReversed,
    UnstableConfiguration,
)
from emotional_ai_service.decoding.errors import (
    AdapterRefused,
    CannotBlend,
    CannotFollow,
    PromptRefused,
    PromptTooLong,
    UnknownAdapter,
    WrongLayers,
)
from emotional_ai_service.errors import (
    AuditUnavailable,
    InvalidRequest,
    JobEnded,
    JobNotFound,
    JobNotResumable,
    LanguageOff,
    ModelUnavailable,
    NoToken,
    PastLetGo,
    QuotaExceeded,
    RateLimited,
    ScopeMissing,
    ServiceDraining,
    ServiceError,
    SessionContended,
    SessionExists,
    SessionNotFound,
    SessionUnsettled,
    StreamMisused,
    TokenExpired,
    TokenGuessing,
    TokenUnknown,
    VersionMismatch,
    Violation,
)
from emotional_ai_service.stores import (
    AlreadyExists,
    NotFound,
    StoreCorrupt,
    StoreOverloaded,
    StoreUnavailable,
    StoreUncertain,
    TransientFull,
    VersionConflict,
)
from emotional_ai_service.workers import Overloaded
from emotional_ai_training.adapters import AdapterError, NotPublished
from emotional_ai_training.jobs import JobDamaged, JobsUnusable, TrainingNotInstalled

DOMAIN: Final = "emotional-ai"
Code = grpc.StatusCode

STATUS: Final[Mapping[type[Exception], tuple[Code, str]]] = {
    InvalidRequest: (Code.INVALID_ARGUMENT, "INVALID_REQUEST"),
    InvalidInput: (Code.INVALID_ARGUMENT, "INVALID_INPUT"),
    InvalidConfiguration: (Code.INVALID_ARGUMENT, "INVALID_CONFIGURATION"),
    UnstableConfiguration: (Code.INVALID_ARGUMENT, "UNSTABLE_CONFIGURATION"),
    TimeReversed: (Code.FAILED_PRECONDITION, "TIME_REVERSED"),
    SessionNotFound: (Code.NOT_FOUND, "SESSION_NOT_FOUND"),
    PastLetGo: (Code.OUT_OF_RANGE, "PAST_LET_GO"),
    SessionExists: (Code.ALREADY_EXISTS, "SESSION_EXISTS"),
    VersionMismatch: (Code.ABORTED, "VERSION_MISMATCH"),
    NotFound: (Code.NOT_FOUND, "SESSION_NOT_FOUND"),
    AlreadyExists: (Code.ALREADY_EXISTS, "SESSION_EXISTS"),
    VersionConflict: (Code.ABORTED, "VERSION_MISMATCH"),
    StoreCorrupt: (Code.DATA_LOSS, "STORE_CORRUPT"),
    StoreOverloaded: (Code.RESOURCE_EXHAUSTED, "STORE_OVERLOADED"),
    TransientFull: (Code.RESOURCE_EXHAUSTED, "TRANSIENT_FULL"),
    StoreUncertain: (Code.UNAVAILABLE, "STORE_UNCERTAIN"),
    StoreUnavailable: (Code.UNAVAILABLE, "STORE_UNAVAILABLE"),
    StreamMisused: (Code.FAILED_PRECONDITION, "STREAM_MISUSED"),
    ServiceDraining: (Code.UNAVAILABLE, "DRAINING"),
    SessionUnsettled: (Code.UNAVAILABLE, "SESSION_UNSETTLED"),
    SessionContended: (Code.UNAVAILABLE, "SESSION_CONTENDED"),
    LanguageOff: (Code.FAILED_PRECONDITION, "LANGUAGE_OFF"),
    ModelUnavailable: (Code.UNAVAILABLE, "MODEL_UNAVAILABLE"),
    Overloaded: (Code.RESOURCE_EXHAUSTED, "MODEL_OVERLOADED"),
    PromptTooLong: (Code.INVALID_ARGUMENT, "PROMPT_TOO_LONG"),
    PromptRefused: (Code.INVALID_ARGUMENT, "PROMPT_REFUSED"),
    UnknownAdapter: (Code.NOT_FOUND, "UNKNOWN_ADAPTER"),
    AdapterRefused: (Code.FAILED_PRECONDITION, "ADAPTER_REFUSED"),
    WrongLayers: (Code.INVALID_ARGUMENT, "WRONG_LAYERS"),
    CannotFollow: (Code.FAILED_PRECONDITION, "CANNOT_FOLLOW"),
    CannotBlend: (Code.FAILED_PRECONDITION, "CANNOT_BLEND"),
    JobNotFound: (Code.NOT_FOUND, "JOB_NOT_FOUND"),
    JobEnded: (Code.FAILED_PRECONDITION, "JOB_ENDED"),
    JobNotResumable: (Code.FAILED_PRECONDITION, "JOB_NOT_RESUMABLE"),
    JobDamaged: (Code.DATA_LOSS, "JOB_DAMAGED"),
    JobsUnusable: (Code.UNAVAILABLE, "JOBS_UNUSABLE"),
    TrainingNotInstalled: (Code.FAILED_PRECONDITION, "TRAINING_NOT_INSTALLED"),
    NotPublished: (Code.FAILED_PRECONDITION, "ADAPTERS_UNWRITABLE"),
    AdapterError: (Code.FAILED_PRECONDITION, "ADAPTERS_UNREADABLE"),
    NoToken: (Code.UNAUTHENTICATED, "NO_TOKEN"),
    TokenUnknown: (Code.UNAUTHENTICATED, "TOKEN_UNKNOWN"),
    TokenExpired: (Code.UNAUTHENTICATED, "TOKEN_EXPIRED"),
    TokenGuessing: (Code.RESOURCE_EXHAUSTED, "TOKEN_GUESSING"),
    ScopeMissing: (Code.PERMISSION_DENIED, "SCOPE_MISSING"),
    RateLimited: (Code.RESOURCE_EXHAUSTED, "RATE_LIMITED"),
    QuotaExceeded: (Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED"),
    AuditUnavailable: (Code.UNAVAILABLE, "AUDIT_UNAVAILABLE"),
}
"""Every error a caller can meet, by type; the nearest base class of an error decides."""

RETRY_SECONDS: Final = 0.2
"""Delay suggested with UNAVAILABLE where the error names none."""

GREATEST_REFUSAL: Final = 1000
"""Bytes of a refusal's words, and of the fields it names: it travels in headers, of which a client takes 8 KiB."""

log = logging.getLogger(__name__)


def known(error: BaseException) -> tuple[Code, str] | None:
    """The status code and the reason the table gives an error; None for one it does not know."""
    return next((STATUS[base] for base in type(error).__mro__ if base in STATUS), None)


def status_of(error: Exception) -> status_pb2.Status:
    """The google.rpc.Status of an error: code, message, ErrorInfo, and BadRequest or RetryInfo where they apply."""
    entry = known(error)
    if entry is None:
        incident = uuid.uuid4().hex[:12]
        log.error("incident %s", incident, exc_info=error)
        message = f"the service failed in a way it should not; its log holds the cause under incident {incident}"
        return _status(Code.INTERNAL, message, [_info("INTERNAL", {"incident": incident})])
    code, reason = entry
    facts = error.facts if isinstance(error, ServiceError) else {}
    details: list[Message] = [_info(reason, facts)]
    every = _violations(error)
    violations = _first(every)
    if violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=v.field, description=v.description)
                    for v in violations
                ]
            )
        )
    seconds = getattr(error, "retry_seconds", RETRY_SECONDS)
    if code in (Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED) and seconds is not None:
        delay = Duration()
        delay.FromNanoseconds(int(seconds * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return _status(code, _message(error, violations, len(every)), details)


def _violations(error: Exception) -> list[Violation]:
    if isinstance(error, InvalidRequest):
        return error.violations
    if isinstance(error, CoreError) and not isinstance(error, TimeReversed):
        return [Violation(error.field, error.description)]
    return []


def _first(violations: Sequence[Violation]) -> list[Violation]:
    """Those of which a client can be told, one at least."""
    shown: list[Violation] = []
    left = GREATEST_REFUSAL
    for one in violations:
        left -= len(one.field.encode()) + len(one.description.encode())
        if left < 0 and shown:
            break
        shown.append(Violation(_bounded(one.field), _bounded(one.description)))
    return shown


def _message(error: Exception, shown: Sequence[Violation], count: int) -> str:
    if len(shown) == count:
        return _bounded(str(error))
    told = "; ".join(f"{one.field}: {one.description}" for one in shown)
    return _bounded(f"{count} fields are wrong, the first {len(shown)} are {told}")


def _bounded(text: str) -> str:
    encoded = text.encode()
    return text if len(encoded) <= GREATEST_REFUSAL else encoded[:GREATEST_REFUSAL].decode(errors="ignore") + "..."


def _info(reason: str, facts: Mapping[str, str]) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=facts)


def _status(code: Code, message: str, details: list[Message]) -> status_pb2.Status:
    packed = []
    for detail in details:
        packed.append(Any())
        packed[-1].Pack(detail)
    return status_pb2.Status(code=code.value[0], message=message, details=packed)
