"""Which service, or which replicas of it, a target names, and what gRPC is told of them."""

import json

import pytest

from emotional_ai import AsyncClient, Client
from emotional_ai.connection import (
    DEFAULT_TARGET,
    call_metadata,
    channel_options,
    is_local,
    service_address,
    service_config,
    start_command,
)
from emotional_ai.credentials import Credentials
from emotional_ai.targets import addresses, joined, spread, uri

SEVERAL = "10.0.0.1:50051,10.0.0.2:50052"


def test_several_addresses_are_given_as_one_text_or_a_list() -> None:
    for given in (SEVERAL, "10.0.0.1:50051, 10.0.0.2:50052", SEVERAL.split(","), tuple(SEVERAL.split(","))):
        assert joined(given) == SEVERAL
    assert addresses(SEVERAL) == ("10.0.0.1:50051", "10.0.0.2:50052")
    assert service_address(SEVERAL) == SEVERAL
    assert joined([DEFAULT_TARGET]) == DEFAULT_TARGET


@pytest.mark.parametrize(
    ("target", "known"),
    [
        (DEFAULT_TARGET, DEFAULT_TARGET),
        (SEVERAL, f"ipv4:{SEVERAL}"),
        ("localhost:1,127.0.0.1:2", "ipv4:127.0.0.1:1,127.0.0.1:2"),
        ("[::1]:1,[::2]:2", "ipv6:[::1]:1,[::2]:2"),
        ("engine.example:1", "engine.example:1"),
        ("ipv4:1.2.3.4:1,5.6.7.8:1", "ipv4:1.2.3.4:1,5.6.7.8:1"),
        ("unix:/tmp/a,b", "unix:/tmp/a,b"),
    ],
)
def test_grpc_is_given_what_it_takes(target: str, known: str) -> None:
    assert uri(target) == known


@pytest.mark.parametrize(
    ("target", "spreads"),
    [
        (SEVERAL, True),
        ("engine.example:1", True),
        ("dns:///engine.example:1", True),
        ("ipv4:1.2.3.4:1,5.6.7.8:1", True),
        (DEFAULT_TARGET, False),
        ("localhost:1", False),
        ("[::1]:1", False),
        ("unix:/tmp/a", False),
    ],
)
def test_calls_spread_where_there_may_be_several_replicas(target: str, spreads: bool) -> None:
    assert spread(target) is spreads
    config = json.loads(service_config(target))
    assert ("loadBalancingConfig" in config) is ("healthCheckConfig" in config) is spreads
    assert config["methodConfig"]


@pytest.mark.parametrize(
    "target", ["one.example:1,two.example:2", "10.0.0.1:1,one.example:1", "10.0.0.1:1,[::1]:1", "10.0.0.1:1,", ","]
)
@pytest.mark.parametrize("made", [Client, AsyncClient])
def test_addresses_that_grpc_could_not_take_together_are_refused_with_what_to_do(
    target: str, made: type[Client] | type[AsyncClient]
) -> None:
    with pytest.raises(ValueError, match=r"all IPv4 or all IPv6, such as .*belong under one name"):
        made(target)
    with pytest.raises(ValueError, match=r"such as"):
        service_address(target)


@pytest.mark.parametrize("target", ["", "  ", [""]])
@pytest.mark.parametrize("made", [Client, AsyncClient])
def test_a_target_that_names_nothing_is_refused(
    target: str | list[str], made: type[Client] | type[AsyncClient]
) -> None:
    with pytest.raises(ValueError, match=r"a target is HOST:PORT, such as 127\.0\.0\.1:50051; got ''"):
        made(target)


def test_no_address_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="such as 10"):
        joined([])


@pytest.mark.parametrize(
    "target",
    [
        "localhost:119587",
        "localhost:65536",
        "engine.example:0",
        "127.0.0.1:-1",
        "[::1]:65536",
        "10.0.0.1:1,10.0.0.2:65536",
        "dns:engine.example:65536",
        "dns:///engine.example:65536",
        "ipv4:10.0.0.1:1,10.0.0.2:65536",
        "ipv6:[::1]:65536",
    ],
)
@pytest.mark.parametrize("made", [Client, AsyncClient])
def test_a_port_there_is_not_is_refused_where_grpc_would_take_another(
    target: str, made: type[Client] | type[AsyncClient]
) -> None:
    with pytest.raises(ValueError, match=r"a port is in 1\.\.65535, such as 50051; got "):
        made(target)


@pytest.mark.parametrize(
    "target",
    [
        "engine.example",
        "engine.example:65535",
        "engine.example:https",
        "::1",
        "fe80::99999",
        "[::1]",
        "[::1]:65535",
        "dns:engine.example",
        "dns:///engine.example:65535",
        "dns://10.0.0.53:53/engine.example:1",
        "ipv4:10.0.0.1:1,10.0.0.2:65535",
        "ipv6:[::1]:1,[::2]:2",
        "unix:/tmp/a:99999",
        "unix-abstract:a:99999",
        "vsock:2:99999",
        "xds:///engine:99999",
    ],
)
def test_other_targets_stay_as_they_are(target: str) -> None:
    assert joined(target) == target


@pytest.mark.parametrize(
    ("target", "local"),
    [
        ("127.0.0.1:1,127.0.0.1:2", True),
        ("localhost:1,127.0.0.2:2", True),
        ("ipv4:127.0.0.1:1,127.0.0.1:2", True),
        ("127.0.0.1:1,10.0.0.1:2", False),
        ("10.0.0.1:2,127.0.0.1:1", False),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", False),
        ("127.0.0.1,10.0.0.1:2", False),
    ],
)
def test_a_token_leaves_this_machine_in_the_clear_for_none_of_several_addresses(target: str, local: bool) -> None:
    assert is_local(target) is local
    assert dict(channel_options(target))["grpc.enable_http_proxy"] == int(not local)
    if local:
        assert call_metadata(target, None, "secret") == (("authorization", "Bearer secret"),)
        assert Credentials("secret").of_channel(target) is None
        return
    with pytest.raises(ValueError, match="unencrypted"):
        call_metadata(target, None, "secret")
    with pytest.raises(ValueError, match="unencrypted"):
        Credentials("secret").of_channel(target)


def test_certificates_are_those_of_the_first_of_several_addresses() -> None:
    assert dict(channel_options(SEVERAL))["grpc.default_authority"] == "10.0.0.1"
    assert dict(channel_options("[::1]:1,[::2]:2"))["grpc.default_authority"] == "::1"
    assert "grpc.default_authority" not in dict(channel_options(DEFAULT_TARGET))


def test_the_command_that_starts_a_service_is_that_of_the_first_address() -> None:
    assert start_command("127.0.0.1:7001,127.0.0.1:7002") == "emotional-ai serve --port 7001"
