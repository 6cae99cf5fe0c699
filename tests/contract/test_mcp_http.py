"""Streamable HTTP: on the loopback interface alone, for this machine's own programs, and gone when it is told to go."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator

import httpx
import pytest
from loopback import PATIENCE, service
from mcp_bridge import ERAS, MODERN, Era, HttpBridge, answer, command, over_http
from mcp_wire import HANDSHAKES, STATELESS, HttpWire, http_wire, messages
from ports import nowhere

from emotional_ai.mcp_bridge import http, uris

ONE = pytest.mark.parametrize("version", [HANDSHAKES[-1], STATELESS])
STRANGERS = [
    *("http://evil.example", "https://127.0.0.1.evil.example", "null", "file://"),
    *("http://localhost:3000", "http://127.0.0.1", "http://127.0.0.1:1"),
]
"""Origins of pages, those of other programs of this machine among them."""
HOSTS = ["evil.example", "evil.example:80", "192.168.0.1:8765", "127.0.0.1.evil.example", "localhost:1", "127.0.0.1"]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


@pytest.fixture(scope="module")
def bridge(address: str) -> Iterator[HttpBridge]:
    with over_http(address) as bridge:
        yield bridge


def first(client: HttpWire, **headers: str) -> httpx.Response:
    """What is answered to the first request of a client."""
    speech = client.speech
    return client.post(speech.handshake() if speech.shakes_hands else speech.request("tools/list"), **headers)


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_of_either_era_is_served(bridge: HttpBridge, era: Era) -> None:
    async with bridge.client(era) as client:
        moved = answer(await client.call_tool("update_emotion", {"reward": 0.1}))
        assert moved["heard"] == {"reward": 0.1}
        assert len((await client.list_tools()).tools) == 6
        assert (await client.read_resource(uris.SESSIONS)).contents
        assert (await client.get_prompt("describe_state", {})).messages


@ONE
@pytest.mark.parametrize("origin", STRANGERS)
def test_a_page_of_another_origin_is_refused(bridge: HttpBridge, version: str, origin: str) -> None:
    with http_wire(bridge.url, version) as client:
        assert first(client, origin=origin).status_code == 403
        assert first(client, origin=f"http://localhost:{bridge.port}").status_code == 200


@ONE
@pytest.mark.parametrize("scheme", ["https", "HTTP"])
def test_the_origin_is_its_own_to_the_letter(bridge: HttpBridge, version: str, scheme: str) -> None:
    with http_wire(bridge.url, version) as client:
        assert first(client, origin=f"{scheme}://127.0.0.1:{bridge.port}").status_code == 403
        assert first(client, origin=f"http://127.0.0.1:{bridge.port}").status_code == 200


@ONE
@pytest.mark.parametrize("host", HOSTS)
def test_a_request_for_another_host_is_refused(bridge: HttpBridge, version: str, host: str) -> None:
    with http_wire(bridge.url, version) as client:
        assert first(client, host=host).status_code == 421
        assert first(client, host=f"localhost:{bridge.port}").status_code == 200


@ONE
def test_a_body_that_is_no_message_is_refused_and_survived(bridge: HttpBridge, version: str) -> None:
    with http_wire(bridge.url, version) as client:
        for body in (b"{", b"[]", b"null", b"\xff\xfe", b'{"jsonrpc": "2.0"}'):
            headers = client.headers({"method": "tools/list"}) | {"content-type": "application/json"}
            refused = client.http.post(bridge.url, content=body, headers=headers)
            assert refused.status_code == 400
            assert "error" in refused.json()
        assert first(client).status_code == 200


def test_a_session_of_http_that_is_unknown_is_not_found(bridge: HttpBridge) -> None:
    with http_wire(bridge.url, HANDSHAKES[-1]) as client:
        client.session = "never given"
        assert client.post(client.speech.request("tools/list")).status_code == 404


def test_another_path_is_not_found(bridge: HttpBridge) -> None:
    assert httpx.get(bridge.url.removesuffix("/mcp"), timeout=PATIENCE).status_code == 404


def test_it_listens_on_the_loopback_interface_alone(bridge: HttpBridge) -> None:
    assert bridge.url == f"http://127.0.0.1:{bridge.port}/mcp"
    with socket.create_connection(("127.0.0.1", bridge.port), PATIENCE):
        pass
    # Every other address of this machine, of which this is one, is refused; on one that is not served, nobody listens.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", bridge.port), PATIENCE)


def test_a_port_that_is_taken_is_named_with_what_to_do(bridge: HttpBridge, address: str) -> None:
    ran = subprocess.run(
        command(address, "--http", str(bridge.port)), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(
        f"port {bridge.port} of 127.0.0.1 cannot be had (Address already in use); choose another"
    )
    assert ran.stderr.count("\n") == 1


def test_on_the_port_of_http_the_names_alone_are_enough() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may listen on port 80")
    try:
        http.listening(80).close()
    except OSError as error:
        pytest.skip(str(error))
    with over_http(nowhere(), port=80) as bridge, http_wire(bridge.url, STATELESS) as client:
        # The client leaves the port out of the header, as every client does.
        assert first(client).status_code == 200
        assert first(client, host="localhost:80", origin="http://localhost").status_code == 200
        assert first(client, origin="http://localhost:3000").status_code == 403


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_those_who_listen_are_told(address: str, number: signal.Signals, status: int) -> None:
    with over_http(address) as bridge:
        with http_wire(bridge.url, STATELESS) as client:
            asked = client.speech.request(
                "subscriptions/listen", notifications={"resourceSubscriptions": [uris.state_of("default")]}
            )
            with client.http.stream("POST", bridge.url, json=asked, headers=client.headers(asked)) as events:
                lines = events.iter_lines()
                heard = json.loads(next(line for line in lines if line.startswith("data: {")).removeprefix("data:"))
                assert heard["method"] == "notifications/subscriptions/acknowledged"
                assert bridge.end(number) == status
                (ended,) = messages(lines)
                assert ended["id"] == asked["id"]
        assert bridge.complaints() == ""
    with pytest.raises(httpx.ConnectError):
        httpx.get(bridge.url, timeout=PATIENCE)


async def test_it_starts_and_lists_with_the_engine_down() -> None:
    with over_http(nowhere()) as bridge:
        async with bridge.client(MODERN) as client:
            assert len((await client.list_tools()).tools) == 6
        assert bridge.end() == -signal.SIGTERM
