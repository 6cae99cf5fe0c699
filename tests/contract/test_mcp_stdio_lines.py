"""Every line over standard input that asks for something is answered, be it a message or none."""

import json
from collections.abc import Iterator
from typing import Any

import mcp_types as types
import pytest
from loopback import service
from mcp_wire import HANDSHAKES, INITIALIZED, STATELESS, Message, Speech, Wire, wire

HALF = "\\ud83d"
"""The first half of an emoji, as JSON writes it."""
LONG = "7" * 5000
DEEP = "[" * 250 + "]" * 250
ABYSS = "[" * 100_000


@pytest.fixture(scope="module")
def client() -> Iterator[Wire]:
    with service() as address, wire(address, "--toolsets", "emotion,inference") as client:
        client.begin(Speech(HANDSHAKES[-1]))
        yield client


def called(number: int, arguments: str, name: str = "update_emotion") -> str:
    """A call of a tool as a line, its arguments as they are written."""
    return (
        f'{{"jsonrpc": "2.0", "id": {number}, "method": "tools/call", '
        f'"params": {{"name": "{name}", "arguments": {arguments}}}}}'
    )


def answered(client: Wire, line: str) -> Message:
    """The one message that comes back; what is sent after it is answered after it."""
    client.line(line)
    return client.receive()


def told(message: Message) -> str:
    """What a refused call says."""
    result: dict[str, Any] = message["result"]
    assert result["isError"]
    return str(result["content"][0]["text"])


def test_half_a_character_is_refused_by_the_tool_it_is_meant_for(client: Wire) -> None:
    message = answered(client, called(101, f'{{"text": "well done {HALF}"}}'))
    assert message["id"] == 101
    assert "text must be text of whole characters" in told(message)


def test_an_argument_named_by_half_a_character_is_refused(client: Wire) -> None:
    assert "the name of an argument must be text of whole characters" in told(
        answered(client, called(106, f'{{"{HALF}": 1}}'))
    )


def test_a_number_without_end_is_refused_by_the_tool_it_is_meant_for(client: Wire) -> None:
    message = answered(client, called(102, f'{{"reward": {LONG}}}'))
    assert message["id"] == 102
    assert "reward must be a finite number" in told(message)


@pytest.mark.parametrize(
    "request_with_half",
    [
        '"method": "resources/read", "params": {"uri": "emotion://sessions/%s/state"}',
        '"method": "resources/subscribe", "params": {"uri": "emotion://sessions/%s/state"}',
        '"method": "prompts/get", "params": {"name": "reply_in_character", "arguments": {"message": "%s"}}',
        '"method": "prompts/get", "params": {"name": "%s"}',
        '"method": "tools/call", "params": {"name": "%s", "arguments": {}}',
        '"method": "%s"',
        '"method": "tools/call", "params": {"name": "engine_status", "_meta": {"progressToken": "%s"}}',
    ],
)
def test_half_a_character_anywhere_is_answered_and_survived(client: Wire, request_with_half: str) -> None:
    message = answered(client, f'{{"jsonrpc": "2.0", "id": 103, {request_with_half % HALF}}}')
    assert message["id"] == 103
    assert "half a character" in message["error"]["message"]
    assert answered(client, '{"jsonrpc": "2.0", "id": 104, "method": "ping"}')["id"] == 104


@pytest.mark.parametrize(
    ("line", "code", "asked", "said"),
    [
        pytest.param(called(1, f'{{"id": 9, "text": {DEEP}}}'), -32600, 1, "nested deeper than 100", id="deep"),
        pytest.param(called(2, ABYSS), -32600, 2, "nested deeper than 100", id="abyss"),
        pytest.param(
            '{"jsonrpc": "2.0", "id": 3, "method": "ping", "params": [1]}',
            -32600,
            3,
            "params is no object",
            id="params",
        ),
        pytest.param(
            '{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', -32600, None, "the id is neither", id="fraction"
        ),
        pytest.param('{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600, None, "the id is neither", id="null"),
        pytest.param(f'{{"jsonrpc": "2.0", "id": "{HALF}", "method": "ping"}}', -32600, None, "", id="half-an-id"),
        pytest.param('{"id": "four", "method": "ping"}', -32600, "four", 'jsonrpc is not "2.0"', id="no-version"),
        pytest.param('{"jsonrpc": "2.0", "id": 5, "method": 7}', -32600, 5, "the method is not text", id="method"),
        pytest.param('{"jsonrpc": "2.0", "id": 6}', -32600, 6, "it has no method", id="no-method"),
        pytest.param('{"jsonrpc": "2.0", "id": 7, "result": 1}', -32600, None, "", id="an-answer-that-is-none"),
        pytest.param('{"jsonrpc": "2.0", "id": 8, "method": "pi', -32600, 8, "it is not JSON", id="cut-off"),
        pytest.param('[{"jsonrpc": "2.0", "id": 9, "method": "ping"}]', -32600, None, "it is no object", id="batch"),
        pytest.param("hello", -32700, None, "it is not JSON: Expecting value at character 1", id="garbage"),
    ],
)
def test_a_line_that_is_no_message_is_answered_with_what_is_wrong(
    client: Wire, line: str, code: int, asked: int | str | None, said: str
) -> None:
    message = answered(client, line)
    assert message["id"] == asked
    assert message["error"]["code"] == code
    assert said in message["error"]["message"]
    assert "a message is one JSON object a line" in message["error"]["message"]


def test_a_blank_line_says_nothing(client: Wire) -> None:
    client.line("")
    assert answered(client, '{"jsonrpc": "2.0", "id": 105, "method": "ping"}')["id"] == 105


@pytest.mark.parametrize("version", [HANDSHAKES[0], STATELESS])
def test_a_line_that_is_no_message_may_be_the_first(version: str) -> None:
    speech = Speech(version)
    with wire("127.0.0.1:1") as client:
        assert answered(client, "hello")["error"]["code"] == types.PARSE_ERROR
        client.begin(speech)
        assert client.ask(speech.request("tools/list"))["result"]["tools"]
        client.line(json.dumps(INITIALIZED)[:-1])
        assert client.receive()["error"]["code"] == types.PARSE_ERROR
        rest, complaints = client.end()
    assert rest == []
    assert client.process.returncode == 0
    assert complaints.count("a line of standard input is no message") == 2


def test_a_line_of_megabytes_is_refused_before_it_is_read(client: Wire) -> None:
    message = answered(client, called(190, '{"text": "' + "a" * 3_000_000 + '"}'))
    assert message["id"] == 190
    assert message["error"]["code"] == types.INVALID_REQUEST
    assert "longer than" in message["error"]["message"]
