"""The table of errors covers everything a caller can meet, and what it says arrives whole."""

import inspect

import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from emotional_ai.errors import ERRORS, details_of
from emotional_ai_service import errors as service_errors
from emotional_ai_service.core import errors as core_errors
from emotional_ai_service.core.errors import InvalidInput, TimeReversed, UnstableConfiguration
from emotional_ai_service.decoding import errors as decoding_errors
from emotional_ai_service.decoding.tinker import errors as tinker_errors
from emotional_ai_service.decoding.vllm import errors as vllm_errors
from emotional_ai_service.errors import InvalidRequest, ServiceError, SessionNotFound, Violation
from emotional_ai_service.refusal import DOMAIN, RETRY_SECONDS, STATUS, Code, status_of
from emotional_ai_service.stores import (
    StoreClosed,
    StoreError,
    StoreForeign,
    StoreLocked,
    StoreTooNew,
    StoreUncertain,
    StoreUnfit,
    StoreUnreachable,
    StoreUnwritable,
    base,
)
from emotional_ai_service.workers import errors as worker_errors
from emotional_ai_training.adapters import errors as adapter_errors
from emotional_ai_training.jobs import errors as job_errors

ABSTRACT = {
    ServiceError,
    core_errors.CoreError,
    StoreError,
    base.StoreUnusable,
    job_errors.JobsError,
    decoding_errors.DecodingError,
}
"""Bases nobody raises."""
INSIDE = {
    job_errors.JobCancelled,
    adapter_errors.AdapterDamaged,
    vllm_errors.NotServed,
    vllm_errors.BlendRefused,
    worker_errors.WorkerFault,
}
"""What ends inside a job's process, the registry (which lists the adapters that are whole) or a backend; and a worker's fault,
which is a bug wherever it comes from, so INTERNAL."""
MODULES = (
    service_errors,
    core_errors,
    base,
    job_errors,
    adapter_errors,
    decoding_errors,
    tinker_errors,
    vllm_errors,
    worker_errors,
)
AT_START = {
    StoreForeign,
    StoreTooNew,
    StoreLocked,
    StoreUnwritable,
    StoreUnreachable,
    StoreUnfit,
    decoding_errors.DecoderUnsuited,
    tinker_errors.TinkerStartFailed,
    vllm_errors.ServerUnfit,
    worker_errors.WorkerStartFailed,
}
"""What keeps the service from starting, so that no caller meets it."""


def defined_in(module: object) -> list[type[Exception]]:
    return [
        one
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, Exception) and one.__module__ == getattr(module, "__name__", "")
    ]


MET = [error for module in MODULES for error in defined_in(module) if error not in ABSTRACT | AT_START | INSIDE]


@pytest.mark.parametrize("error", MET, ids=lambda error: error.__name__)
def test_every_error_a_caller_can_meet_has_a_status_and_a_reason(error: type[Exception]) -> None:
    assert any(base in STATUS for base in error.__mro__)


def test_the_table_maps_no_error_to_a_success_or_to_a_status_the_client_does_not_know() -> None:
    for code, reason in STATUS.values():
        assert code in ERRORS
        assert reason == reason.upper()


def test_no_base_class_swallows_the_errors_below_it() -> None:
    assert not ABSTRACT & set(STATUS)


def details(status: Message) -> dict[str, bytes]:
    return {any_.type_url: any_.value for any_ in getattr(status, "details")}  # noqa: B009


def test_the_nearest_base_class_decides() -> None:
    assert status_of(UnstableConfiguration("coupling", "too strong")).code == Code.INVALID_ARGUMENT.value[0]
    assert details_of(status_of(UnstableConfiguration("f", "m")).SerializeToString()).reason == "UNSTABLE_CONFIGURATION"
    assert details_of(status_of(TimeReversed("time", "late")).SerializeToString()).reason == "TIME_REVERSED"
    assert details_of(status_of(StoreClosed()).SerializeToString()).reason == "STORE_UNAVAILABLE"
    assert details_of(status_of(StoreUncertain("cut off")).SerializeToString()).reason == "STORE_UNCERTAIN"


def test_an_error_carries_its_facts_under_the_domain_of_the_product() -> None:
    status = status_of(SessionNotFound("ada"))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.domain, info.reason, dict(info.metadata)) == (DOMAIN, "SESSION_NOT_FOUND", {"session_id": "ada"})


def test_every_violation_reaches_the_client() -> None:
    violations = [Violation("stimuli[3].event.reward", "must be in [0, 1]"), Violation("session_id", "must be set")]
    told = details_of(status_of(InvalidRequest(violations)).SerializeToString())
    assert [(one.field, one.description) for one in told.violations] == [
        ("stimuli[3].event.reward", "must be in [0, 1]"),
        ("session_id", "must be set"),
    ]
    one = details_of(status_of(InvalidInput("at", "too early")).SerializeToString())
    assert [(v.field, v.description) for v in one.violations] == [("at", "too early")]


def test_what_passes_by_itself_says_when_to_try_again() -> None:
    assert details_of(status_of(StoreClosed()).SerializeToString()).retry_after == RETRY_SECONDS
    assert details_of(status_of(SessionNotFound("ada")).SerializeToString()).retry_after is None


def test_an_unknown_error_is_internal_and_tells_nothing_but_where_to_look(caplog: pytest.LogCaptureFixture) -> None:
    status = status_of(KeyError("secret"))
    told = details_of(status.SerializeToString())
    assert status.code == Code.INTERNAL.value[0]
    assert "secret" not in status.message
    assert told.metadata["incident"] in status.message
    assert told.metadata["incident"] in caplog.text
    assert "secret" in caplog.text
