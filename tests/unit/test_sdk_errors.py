"""Statuses become exceptions by one table; details come along."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from google.rpc import status_pb2 as google_status_pb2
from grpc.aio import AioRpcError, Metadata

import emotional_ai
from emotional_ai import errors
from emotional_ai.errors import ERRORS, Details, EmotionalAIError, Violation, details_of, raised

WIRE_STATUS = google_status_pb2.Status(code=3, message="wrong")
for part in (
    error_details_pb2.ErrorInfo(reason="INVALID_REQUEST", domain="emotional-ai", metadata={"session_id": "ada"}),
    error_details_pb2.BadRequest(
        field_violations=[error_details_pb2.BadRequest.FieldViolation(field="a.b", description="must be less")]
    ),
    error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000)),
    error_details_pb2.Help(links=[error_details_pb2.Help.Link(url="nowhere")]),
):
    packed = Any()
    packed.Pack(part)
    WIRE_STATUS.details.append(packed)


def failed(code: grpc.StatusCode, message: str, trailer: bytes | None = None) -> AioRpcError:
    trailing = Metadata(("grpc-status-details-bin", trailer)) if trailer is not None else Metadata()
    return AioRpcError(code, Metadata(), trailing, message, None)


def test_every_status_that_is_an_error_has_a_class_of_its_own() -> None:
    assert set(ERRORS) == set(grpc.StatusCode) - {grpc.StatusCode.OK}
    assert len(set(ERRORS.values())) == len(ERRORS)
    assert all(kind.code is code for code, kind in ERRORS.items())


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip("|+- ").split(" ")[0]
        if hasattr(errors, name) and name != "":
            depth = (len(line) - len(line.lstrip("|+- "))) // 4
            path[depth:] = [name]
            if depth:
                drawn[name] = path[depth - 1]
    true = {kind.__name__: kind.__base__.__name__ for kind in all_below(EmotionalAIError)}
    assert drawn == true


def all_below(kind: type) -> list[type]:
    return [one for below in kind.__subclasses__() for one in (below, *all_below(below))]


@pytest.mark.parametrize("kind", [EmotionalAIError, *all_below(EmotionalAIError)])
def test_every_exception_can_be_imported_from_the_package(kind: type) -> None:
    assert getattr(emotional_ai, kind.__name__) is kind


@pytest.mark.parametrize("code", ERRORS)
def test_a_failed_call_raises_the_class_of_its_status_with_its_message(code: grpc.StatusCode) -> None:
    error = raised(failed(code, "it went wrong"))
    assert type(error) is ERRORS[code]
    assert error.message == "it went wrong"
    assert str(error).startswith("it went wrong")


def test_details_as_google_defines_them_are_read_without_its_package() -> None:
    error = raised(failed(grpc.StatusCode.INVALID_ARGUMENT, "wrong", WIRE_STATUS.SerializeToString()))
    assert error.details == Details(
        reason="INVALID_REQUEST",
        metadata={"session_id": "ada"},
        violations=(Violation("a.b", "must be less"),),
        retry_after=1.5,
    )


def test_a_message_of_the_service_stands_alone_and_any_other_is_followed_by_advice() -> None:
    assert str(errors.Unavailable("the decoder restarts", Details("MODEL_UNAVAILABLE"))) == "the decoder restarts"
    assert str(errors.Unavailable("failed to connect.")).startswith("failed to connect; check that the service runs")


def test_an_error_without_a_trailer_has_empty_details() -> None:
    assert raised(failed(grpc.StatusCode.INTERNAL, "oops")).details == Details()


def test_a_trailer_that_cannot_be_read_is_said_so_and_hides_nothing() -> None:
    error = raised(failed(grpc.StatusCode.NOT_FOUND, "no session", b"\xff\xff"))
    assert isinstance(error, errors.NotFound)
    assert "could not be read" in error.__notes__[0]


def test_details_that_are_no_status_are_refused() -> None:
    with pytest.raises(DecodeError):
        details_of(b"\xff\xff")


def test_an_error_that_carries_no_status_stays_what_it_is() -> None:
    bug = grpc.RpcError("no status")
    with pytest.raises(grpc.RpcError) as caught:
        raised(bug)
    assert caught.value is bug
