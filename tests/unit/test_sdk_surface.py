"""What the package offers, and what it costs to import."""

import inspect
import json
import subprocess
import sys

import pytest
from google.protobuf.descriptor import MethodDescriptor

import emotional_ai
from emotional_ai import AsyncClient, Client, Deadlines
from emotional_ai.calls import Effort
from emotional_ai.connection import (
    DEFAULT_TARGET,
    RETRIED,
    call_metadata,
    channel_options,
    service_address,
    service_config,
    watch_options,
)
from emotional_ai.v1 import engine_pb2, inference_pb2, training_pb2

RPCS: list[MethodDescriptor] = [
    method
    for file in (engine_pb2, inference_pb2, training_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
METHODS = {
    "GetState": "state",
    "StreamState": "stream",
    "WatchState": "watch",
    "GetHistory": "history",
    "ReplayCounterfactual": "counterfactual",
}
"""Client methods that are not named after their rpc, by rpc."""


def public(client: type) -> dict[str, object]:
    return {name: value for name, value in vars(client).items() if not name.startswith("_")}


def test_the_public_names_are_sorted_and_exist() -> None:
    names = emotional_ai.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(emotional_ai, name) for name in names)


@pytest.mark.parametrize("rpc", RPCS, ids=lambda rpc: rpc.full_name)
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_every_rpc_of_the_contract_has_a_method(client: type, rpc: MethodDescriptor) -> None:
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in rpc.name).lstrip("_")
    assert METHODS.get(rpc.name, snake) in public(client)


def test_both_clients_offer_the_same_methods_with_the_same_parameters() -> None:
    blocking, asynchronous = public(Client), public(AsyncClient)
    assert set(blocking) == set(asynchronous)
    for name, method in blocking.items():
        assert (
            list(inspect.signature(method).parameters.values())[1:]
            == list(inspect.signature(asynchronous[name]).parameters.values())[1:]
        )


def test_every_method_says_what_it_does_and_what_it_returns() -> None:
    for name, method in public(Client).items():
        assert inspect.getdoc(method), name
        assert inspect.signature(method).return_annotation is not inspect.Signature.empty, name


def test_only_methods_that_change_nothing_or_carry_a_request_id_are_retried() -> None:
    retried = {f"{service}.{method}" for service, methods in RETRIED.items() for method in methods}
    by_name = {rpc.full_name: rpc for rpc in RPCS}
    assert retried <= set(by_name)
    changing = {
        name for name, rpc in by_name.items() if rpc.name.startswith(("Update", "Delete", "Reset", "Import", "Cancel"))
    }
    assert not retried & changing
    assert all(
        "request_id" in by_name[name].input_type.fields_by_name
        for name in retried
        & {name for name, rpc in by_name.items() if rpc.name.startswith(("Create", "Apply", "Converse", "Start"))}
    )


def test_the_service_config_is_what_grpc_reads() -> None:
    (method_config,) = json.loads(service_config())["methodConfig"]
    assert {"service": "emotional_ai.v1.EmotionEngine", "method": "GetState"} in method_config["name"]
    assert method_config["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]


def test_watches_have_a_channel_that_takes_in_little_ahead() -> None:
    extra = dict(watch_options(DEFAULT_TARGET)).items() - dict(channel_options(DEFAULT_TARGET)).items()
    assert dict(extra) == {"grpc.http2.bdp_probe": 0, "grpc.http2.lookahead_bytes": 1024}


@pytest.mark.parametrize("effort", Effort)
def test_a_timeout_replaces_the_deadline_of_any_kind_of_call(effort: Effort) -> None:
    deadlines = Deadlines(read=1, update=2, work=3, reply=4)
    assert deadlines.seconds(effort, None) == getattr(deadlines, effort.value)
    assert deadlines.seconds(effort, 0.5) == 0.5


@pytest.mark.parametrize("target", ["127.0.0.1:1", "localhost:1", "dns:///localhost:1", "[::1]:1", "unix:/tmp/one"])
def test_a_token_may_stay_on_the_machine_unencrypted(target: str) -> None:
    assert call_metadata(target, None, "secret") == (("authorization", "Bearer secret"),)


@pytest.mark.parametrize("target", ["10.0.0.1:1", "localhost.example:1", "dns:///service:1", "[::2]:1", "unixes:1"])
def test_a_token_may_not_leave_the_machine_unencrypted(target: str) -> None:
    with pytest.raises(ValueError, match="unencrypted"):
        call_metadata(target, None, "secret")
    assert call_metadata(target, None, None) == ()


def test_importing_the_package_loads_grpc_and_protobuf_and_nothing_else_from_outside() -> None:
    outside = loaded_by("import emotional_ai") - loaded_by("pass") - set(sys.stdlib_module_names)
    assert "grpc" in outside
    # grpc itself loads its compiler's runtime, typing_extensions, and those of its sister packages that are installed.
    of_grpc = ("grpc", "_cython", "cython", "typing_extensions")
    assert {name for name in outside if not name.startswith(of_grpc)} == {"emotional_ai", "google"}


def loaded_by(statement: str) -> set[str]:
    """Top-level modules of a fresh interpreter after a statement."""
    script = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


@pytest.mark.parametrize("text", ["127.0.0.1:50051", "localhost:1", "engine.example:65535", "[::1]:50051"])
def test_an_address_of_a_service_is_host_and_port(text: str) -> None:
    assert service_address(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "foo",
        "127.0.0.1",
        ":50051",
        "127.0.0.1:",
        "a:b",
        "a:0",
        "a:65536",
        "a:٣",
        "http://x:1",
        "::1:50051",
        "a b:1",
    ],
)
def test_what_is_no_address_of_a_service_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT, such as 127\.0\.0\.1:50051"):
        service_address(text)
