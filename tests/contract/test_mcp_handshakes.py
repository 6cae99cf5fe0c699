"""Every version of the protocol, written by hand: over standard input and output, and over HTTP."""

from collections.abc import Iterator

import pytest
from loopback import service
from mcp_bridge import HttpBridge, over_http
from mcp_wire import HANDSHAKES, STATELESS, VERSIONS, HttpWire, Message, Speech, Wire, http_wire, wire
from ports import nowhere

NEWEST = HANDSHAKES[-1]
BROKEN = (
    "this is no message",
    '{"jsonrpc": "2.0", "id": 700, "method": "tools/list"',
    '{"jsonrpc": "2.0", "id": 700, "method": "tools/call", "params": {"name": "a", "arguments": {"text": "\\ud800"}}}',
    '{"id": 700, "method": "tools/list"}',
    "[1, 2, 3]",
    "null",
    "",
    "9" * 100_000,
)
"""Lines that are no messages."""
ONE = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


@pytest.fixture(scope="module")
def bridge(address: str) -> Iterator[HttpBridge]:
    with over_http(address) as bridge:
        yield bridge


def talked(client: Wire | HttpWire, speech: Speech) -> None:
    """What any client does first, once it has shaken hands."""
    listed = client.ask(speech.request("tools/list"))["result"]["tools"]
    assert [one["name"] for one in listed][:2] == ["get_emotional_state", "update_emotion"]
    called = speech.request("tools/call", name="get_emotional_state", arguments={})
    result = client.ask(called)["result"]
    assert result.get("isError", False) is False
    assert "default feels " in result["content"][0]["text"]
    assert result["structuredContent"]["session_id"] == "default"


def introduced(result: Message | None, version: str) -> None:
    """What a handshake must tell."""
    assert result is not None
    assert result["protocolVersion"] == version
    assert result["serverInfo"]["name"] == "emotion_engine"
    assert {"tools", "resources", "prompts"} <= set(result["capabilities"])
    assert "get_emotional_state" in result["instructions"]


@ONE
def test_a_version_is_spoken_over_standard_input_and_output(address: str, version: str) -> None:
    speech = Speech(version)
    with wire(address) as client:
        result = client.begin(speech)
        if speech.shakes_hands:
            introduced(result, version)
        talked(client, speech)
        late, complaints = client.end()
        assert client.process.returncode == 0
    assert (client.seen, late, complaints) == ([], [], "")


@ONE
def test_a_version_is_spoken_over_http(bridge: HttpBridge, version: str) -> None:
    with http_wire(bridge.url, version) as client:
        result = client.begin()
        if client.speech.shakes_hands:
            introduced(result, version)
            assert client.session
        talked(client, client.speech)


def test_the_stateless_version_is_discovered(address: str, bridge: HttpBridge) -> None:
    speech = Speech(STATELESS)
    with wire(address) as client, http_wire(bridge.url, STATELESS) as over_http:
        for result in (
            client.ask(speech.request("server/discover"))["result"],
            over_http.ask(speech.request("server/discover"))["result"],
        ):
            assert STATELESS in result["supportedVersions"]
            assert {"tools", "resources", "prompts", "completions"} <= set(result["capabilities"])


@pytest.mark.parametrize("version", ["2023-01-01", "2027-01-01", STATELESS])
def test_a_handshake_of_an_unknown_version_is_answered_with_one_that_is_spoken(address: str, version: str) -> None:
    speech = Speech(NEWEST)
    asked = speech.handshake()
    asked["params"]["protocolVersion"] = version
    with wire(address) as client:
        assert client.ask(asked)["result"]["protocolVersion"] in HANDSHAKES
        client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        talked(client, speech)


def test_a_request_of_an_unknown_version_is_refused_with_those_there_are(address: str) -> None:
    with wire(address) as client:
        error = client.ask(Speech("2027-01-01").request("tools/list"))["error"]
    assert error["code"] == -32022
    assert STATELESS in error["data"]["supported"]


@pytest.mark.parametrize("version", [NEWEST, STATELESS])
def test_a_line_that_is_no_message_is_survived(address: str, version: str) -> None:
    speech = Speech(version)
    with wire(address) as client:
        client.begin(speech)
        for line in BROKEN:
            client.line(line)
            talked(client, speech)
        late, _ = client.end()
        answers = [*client.seen, *late]
        assert all("error" in message for message in answers)
        assert len(answers) == sum(map(bool, BROKEN))
        assert client.process.returncode == 0


@pytest.mark.parametrize("version", [NEWEST, STATELESS])
def test_an_unknown_method_and_wrong_parameters_are_errors_of_the_protocol(address: str, version: str) -> None:
    speech = Speech(version)
    with wire(address) as client:
        client.begin(speech)
        assert client.ask(speech.request("tools/sing"))["error"]["code"] == -32601
        assert client.ask(speech.request("tools/call", arguments={}))["error"]["code"] == -32602
        for given, told in (([1], "[1]"), ("x", '"x"'), (5, "5"), (False, "false")):
            error = client.ask(speech.request("tools/call", name="engine_status", arguments=given))["error"]
            assert error["code"] == -32602
            assert error["message"] == f"arguments must be an object, names and values, got {told}"
        error = client.ask(speech.request("tools/call", name="sing", arguments={}))["error"]
        assert error["code"] == -32602
        assert "this bridge offers get_emotional_state, " in error["message"]
        talked(client, speech)


@pytest.mark.parametrize("version", [NEWEST, STATELESS])
def test_standard_output_holds_nothing_but_messages_when_everything_goes_wrong(version: str) -> None:
    speech = Speech(version)
    with wire(nowhere(), "--verbose", "--toolsets", "emotion,inference,training") as client:
        client.begin(speech)
        tools = client.ask(speech.request("tools/list"))["result"]["tools"]
        for tool in tools:
            result = client.ask(speech.request("tools/call", name=tool["name"], arguments={"nonsense": 1}))["result"]
            assert result["isError"] is True
        result = client.ask(speech.request("tools/call", name="get_emotional_state", arguments={}))["result"]
        assert result["content"][0]["text"].startswith("[UNAVAILABLE] ")
        client.end()
        assert client.process.returncode == 0
