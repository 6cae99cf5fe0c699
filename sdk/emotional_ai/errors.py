"""What a call can raise, one class per gRPC status.

EmotionalAIError
+-- RequestRejected         the same request will be refused again; change it
|   +-- InvalidArgument     a field breaks a rule; `violations` names each
|   +-- OutOfRange          beyond what there is, or before what is still known
|   +-- NotFound            no session, job or adapter of that name
|   +-- AlreadyExists       the id is taken
|   +-- FailedPrecondition  not while things stand as they do
|   +-- PermissionDenied    these credentials may not do it
|   +-- Unauthenticated     credentials are missing or wrong
|   +-- Unimplemented       the service does not offer it
+-- TryAgain                the same request may succeed later; `retry_after` may say when
|   +-- Unavailable         the service cannot be reached, is starting or shutting down
|   +-- DeadlineExceeded    no answer in time; what was asked may have happened
|   +-- ResourceExhausted   a message or a load beyond the limits
|   +-- Aborted             another writer was first; read again and decide anew
+-- ServiceFault            the service failed in a way it should not
|   +-- Internal
|   +-- Unknown
|   +-- DataLoss            something acknowledged is gone
+-- Cancelled               the call was cancelled
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, cast

import grpc
from google.protobuf.message import DecodeError

from emotional_ai.v1 import status_pb2 as pb

Code = grpc.StatusCode

DETAILS_KEY: Final = "grpc-status-details-bin"
"""Trailer in which the service sends the form of its error."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A field that broke a rule: its path in the contract, what was wrong and what is allowed."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class Details:
    """What an error says for programs."""

    reason: str = ""
    """Constant name of the cause, such as "SESSION_NOT_FOUND"; empty if the error did not come from the service itself."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Facts, such as the session's id, by name."""
    violations: Sequence[Violation] = ()
    """Every field that broke a rule."""
    retry_after: float | None = None
    """Seconds to wait before trying again, where the service says so."""


class EmotionalAIError(Exception):
    """Base of everything a call raises. `code` is the gRPC status; the rest is described at `Details`."""

    code: ClassVar[grpc.StatusCode]
    advice: ClassVar[str] = ""
    """What to do next, said where the message does not come from the service, whose messages say it themselves."""

    def __init__(self, message: str, details: Details | None = None) -> None:
        self.details = details or Details()
        self.message = message
        advised = self.advice and not self.details.reason
        super().__init__(f"{message.rstrip('.')}; {self.advice}" if advised else message)

    @property
    def reason(self) -> str:
        """Constant name of the cause; empty if the error did not come from the service itself."""
        return self.details.reason

    @property
    def metadata(self) -> Mapping[str, str]:
        """Facts about the error, by name."""
        return self.details.metadata

    @property
    def violations(self) -> Sequence[Violation]:
        """Every field that broke a rule."""
        return self.details.violations

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before trying again, where the service says so."""
        return self.details.retry_after


class RequestRejected(EmotionalAIError):
    """The same request will be refused again; change it."""


class TryAgain(EmotionalAIError):
    """The same request may succeed later."""


class ServiceFault(EmotionalAIError):
    """The service failed in a way it should not."""

    advice = "the log of the service says more"


class InvalidArgument(RequestRejected):
    """A field breaks a rule; `violations` names each."""

    code = Code.INVALID_ARGUMENT

    @classmethod
    def of(cls, reason: str, field: str, description: str) -> "InvalidArgument":
        """One wrong field, found before anything was sent."""
        return cls(f"{field}: {description}", Details(reason, violations=(Violation(field, description),)))


class OutOfRange(RequestRejected):
    """Beyond what there is, or before what is still known."""

    code = Code.OUT_OF_RANGE


class NotFound(RequestRejected):
    """No session, job or adapter of that name."""

    code = Code.NOT_FOUND


class AlreadyExists(RequestRejected):
    """The id is taken."""

    code = Code.ALREADY_EXISTS


class FailedPrecondition(RequestRejected):
    """Not while things stand as they do."""

    code = Code.FAILED_PRECONDITION


class PermissionDenied(RequestRejected):
    """These credentials may not do it."""

    code = Code.PERMISSION_DENIED
    advice = "use a token that may"


class Unauthenticated(RequestRejected):
    """Credentials are missing or wrong."""

    code = Code.UNAUTHENTICATED
    advice = "give the client the service's `token`"


class Unimplemented(RequestRejected):
    """The service does not offer it."""

    code = Code.UNIMPLEMENTED
    advice = "the service may be of another version than this client, or something else may listen at its address"


class Unavailable(TryAgain):
    """The service cannot be reached, is starting or shutting down."""

    code = Code.UNAVAILABLE
    advice = "check that the service runs at the client's target (`emotional-ai serve` starts one)"


class DeadlineExceeded(TryAgain):
    """No answer in time; what was asked may have happened."""

    code = Code.DEADLINE_EXCEEDED
    advice = "give `timeout` more seconds, or try again with the same request_id, which never applies twice"


class ResourceExhausted(TryAgain):
    """A message or a load beyond the limits."""

    code = Code.RESOURCE_EXHAUSTED
    advice = "send less in one message (at most 4 MiB), or wait"


class Aborted(TryAgain):
    """Another writer was first; read again and decide anew."""

    code = Code.ABORTED


class Internal(ServiceFault):
    """The service failed."""

    code = Code.INTERNAL


class Unknown(ServiceFault):
    """The service failed and does not say how."""

    code = Code.UNKNOWN


class DataLoss(ServiceFault):
    """Something acknowledged is gone."""

    code = Code.DATA_LOSS


class Cancelled(EmotionalAIError):
    """The call was cancelled."""

    code = Code.CANCELLED


ERRORS: Final[Mapping[grpc.StatusCode, type[EmotionalAIError]]] = {
    Code.CANCELLED: Cancelled,
    Code.UNKNOWN: Unknown,
    Code.INVALID_ARGUMENT: InvalidArgument,
    Code.DEADLINE_EXCEEDED: DeadlineExceeded,
    Code.NOT_FOUND: NotFound,
    Code.ALREADY_EXISTS: AlreadyExists,
    Code.PERMISSION_DENIED: PermissionDenied,
    Code.RESOURCE_EXHAUSTED: ResourceExhausted,
    Code.FAILED_PRECONDITION: FailedPrecondition,
    Code.ABORTED: Aborted,
    Code.OUT_OF_RANGE: OutOfRange,
    Code.UNIMPLEMENTED: Unimplemented,
    Code.INTERNAL: Internal,
    Code.UNAVAILABLE: Unavailable,
    Code.DATA_LOSS: DataLoss,
    Code.UNAUTHENTICATED: Unauthenticated,
}
"""The class of every status that is an error."""


def raised(error: grpc.RpcError) -> EmotionalAIError:
    """The error to raise for a failed call, of the plain or of the asyncio stack."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        raise error
    kind, message = ERRORS[error.code()], error.details() or error.code().value[1]
    trailers = cast(Iterable[tuple[str, str | bytes]], error.trailing_metadata() or ())
    trailer = dict(trailers).get(DETAILS_KEY, b"")
    try:
        return kind(message, details_of(trailer if isinstance(trailer, bytes) else trailer.encode()))
    except DecodeError:
        unread = kind(message)
        unread.add_note(f"the {DETAILS_KEY} trailer of this error could not be read: {trailer!r}")
        return unread


def details_of(trailer: bytes) -> Details:
    """Reads a serialized google.rpc.Status. Raises DecodeError if it is none; details of unknown types are left out."""
    found = {any_.type_url.rpartition("/")[2]: any_.value for any_ in pb.RpcStatus.FromString(trailer).details}
    info = pb.RpcErrorInfo.FromString(found.get("google.rpc.ErrorInfo", b""))
    request = pb.RpcBadRequest.FromString(found.get("google.rpc.BadRequest", b""))
    delay = found.get("google.rpc.RetryInfo")
    return Details(
        reason=info.reason,
        metadata=dict(info.metadata),
        violations=tuple(Violation(one.field, one.description) for one in request.field_violations),
        retry_after=None if delay is None else _seconds(pb.RpcRetryInfo.FromString(delay)),
    )


def _seconds(info: pb.RpcRetryInfo) -> float:
    return info.retry_delay.ToNanoseconds() / 1e9
