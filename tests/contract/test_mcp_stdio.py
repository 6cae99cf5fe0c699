"""Clients beside each other on one session, and clients that cancel or vanish in the middle of a call."""

import asyncio
import signal
from collections.abc import Callable, Iterator

import pytest
from loopback import PATIENCE, service
from mcp.client import Client
from mcp_bridge import LEGACY, MODERN, answer, over_http, over_stdio
from mcp_wire import HANDSHAKES, STATELESS, Message, Speech, Wire, cancelled, http_wire, messages, wire
from scripted_speech import Script, scripted_service

from emotional_ai import Client as Service

UPDATES = 15
ONE = pytest.mark.parametrize("version", [HANDSHAKES[-1], STATELESS])
REPLY = {"name": "generate_reply", "arguments": {"prompt": "hello"}, "_meta": {"progressToken": "reply"}}
"""A call whose first piece comes as progress and whose second never does."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


@pytest.fixture
def script() -> Script:
    return Script(pause_after=1)


@pytest.fixture
def speaking(script: Script) -> Iterator[str]:
    """A service that waits in the middle of a reply until it is cancelled."""
    with scripted_service(script) as running, Service(running) as there:
        there.create_session("default")
        yield running


async def moved_often(client: Client, session_id: str, who: str) -> None:
    """Many changes, all sent before the first is answered."""
    calls = [
        client.call_tool("update_emotion", {"novelty": 0.01, "note": f"{who} {number}", "session_id": session_id})
        for number in range(UPDATES)
    ]
    for result in await asyncio.gather(*calls):
        assert answer(result)["heard"] == {"novelty": 0.01}


def notes(address: str, session_id: str) -> list[str]:
    """What the log of a session holds, in order of text."""
    with Service(address) as there:
        return sorted(one.stimulus.note for one in there.history(session_id).entries if one.HasField("stimulus"))


def expected(*who: str) -> list[str]:
    return sorted(f"{one} {number}" for one in who for number in range(UPDATES))


async def test_two_bridges_change_one_session_at_once_and_no_change_is_lost(address: str) -> None:
    with Service(address) as there:
        there.create_session("two-bridges")
    async with over_stdio(address, era=LEGACY) as one, over_stdio(address, era=MODERN) as other:
        await asyncio.gather(moved_often(one, "two-bridges", "one"), moved_often(other, "two-bridges", "other"))
        versions = [
            answer(await client.call_tool("get_emotional_state", {"session_id": "two-bridges"}))["version"]
            for client in (one, other)
        ]
    assert versions == [2 * UPDATES + 1] * 2
    assert notes(address, "two-bridges") == expected("one", "other")


async def test_clients_of_one_bridge_over_http_change_one_session_at_once(address: str) -> None:
    with Service(address) as there:
        there.create_session("one-bridge")
    with over_http(address) as bridge:
        async with bridge.client(LEGACY) as one, bridge.client(MODERN) as other:
            await asyncio.gather(moved_often(one, "one-bridge", "one"), moved_often(other, "one-bridge", "other"))
    assert notes(address, "one-bridge") == expected("one", "other")


async def test_bridges_that_make_the_same_session_at_once_share_it(address: str) -> None:
    flags = ("--session", "made-twice")
    async with over_stdio(address, *flags) as one, over_stdio(address, *flags) as other:
        states = await asyncio.gather(*(client.call_tool("get_emotional_state", {}) for client in (one, other) * 3))
    assert {answer(state)["session_id"] for state in states} == {"made-twice"}


def begun(client: Wire, speech: Speech, script: Script) -> Message:
    """A request whose reply is being spoken."""
    client.begin(speech)
    asked = speech.request("tools/call", **REPLY)
    client.send(asked)
    progress = client.receive()
    assert progress["method"] == "notifications/progress"
    assert progress["params"]["progressToken"] == "reply"
    assert progress["params"]["message"] == "I am "
    assert script.paused.wait(PATIENCE)
    return asked


@ONE
def test_a_call_that_is_cancelled_is_cancelled_at_the_service(speaking: str, script: Script, version: str) -> None:
    speech = Speech(version)
    with wire(speaking, "--toolsets", "emotion,inference") as client:
        asked = begun(client, speech, script)
        client.send(cancelled(asked))
        assert script.cancelled.wait(PATIENCE)
        state = client.ask(speech.request("tools/call", name="get_emotional_state", arguments={}))
        assert "isError" not in state["result"] or not state["result"]["isError"]
        late, complaints = client.end()
    assert [one for one in (*client.seen, *late) if one.get("id") == asked["id"] and "result" in one] == []
    assert complaints == ""


def hung_up(client: Wire) -> None:
    _, complaints = client.end()
    assert client.process.returncode == 0
    assert complaints == ""


def killed(client: Wire) -> None:
    client.process.kill()


def interrupted(client: Wire) -> None:
    client.process.send_signal(signal.SIGINT)
    assert client.process.wait(PATIENCE) == -signal.SIGINT


def terminated(client: Wire) -> None:
    client.process.terminate()
    assert client.process.wait(PATIENCE) == -signal.SIGTERM


@ONE
@pytest.mark.parametrize("gone", [hung_up, killed, interrupted, terminated])
def test_a_client_that_vanishes_takes_its_call_along(
    speaking: str, script: Script, version: str, gone: Callable[[Wire], None]
) -> None:
    with wire(speaking, "--toolsets", "inference") as client:
        begun(client, Speech(version), script)
        gone(client)
        assert script.cancelled.wait(PATIENCE)


@ONE
def test_a_client_that_reads_no_more_is_no_fault_of_the_bridge(address: str, version: str) -> None:
    speech = Speech(version)
    with wire(address) as client:
        client.begin(speech)
        client.ask(speech.request("tools/list"))
        assert client.process.stdin is not None
        assert client.process.stdout is not None
        assert client.process.stderr is not None
        client.process.stdout.close()
        client.send(speech.request("tools/list"))
        client.process.stdin.close()
        assert client.process.wait(PATIENCE) == 0
        assert client.process.stderr.read() == ""


def test_a_connection_of_http_that_drops_takes_its_call_along(speaking: str, script: Script) -> None:
    with over_http(speaking, "--toolsets", "inference") as bridge, http_wire(bridge.url, STATELESS) as client:
        asked = client.speech.request("tools/call", **REPLY)
        with client.http.stream("POST", bridge.url, json=asked, headers=client.headers(asked)) as events:
            news = messages(events.iter_lines())  # Held: one that is let go closes the connection.
            assert next(news)["method"] == "notifications/progress"
            assert script.paused.wait(PATIENCE)
        assert script.cancelled.wait(PATIENCE)
        bridge.end()
        assert bridge.complaints() == ""


@pytest.mark.parametrize("by", ["notification", "end of session"])
def test_a_client_of_the_earlier_era_cancels_over_http(speaking: str, script: Script, by: str) -> None:
    with over_http(speaking, "--toolsets", "inference") as bridge, http_wire(bridge.url, HANDSHAKES[-1]) as client:
        client.begin()
        asked = client.speech.request("tools/call", **REPLY)
        with client.http.stream("POST", bridge.url, json=asked, headers=client.headers(asked)) as events:
            news = messages(events.iter_lines())  # Held: one that is let go closes the connection.
            assert next(news)["method"] == "notifications/progress"
            assert script.paused.wait(PATIENCE)
            if by == "notification":
                assert client.post(cancelled(asked)).status_code == 202
            else:
                assert client.http.delete(bridge.url, headers=client.headers(asked)).status_code == 200
            assert script.cancelled.wait(PATIENCE)
        bridge.end()
        assert bridge.complaints() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_bridge_over_http_in_the_middle_of_a_call(
    speaking: str, script: Script, number: signal.Signals
) -> None:
    with over_http(speaking, "--toolsets", "inference") as bridge, http_wire(bridge.url, STATELESS) as client:
        asked = client.speech.request("tools/call", **REPLY)
        with client.http.stream("POST", bridge.url, json=asked, headers=client.headers(asked)) as events:
            news = messages(events.iter_lines())  # Held: one that is let go closes the connection.
            assert next(news)["method"] == "notifications/progress"
            assert script.paused.wait(PATIENCE)
            assert bridge.end(number) in (-signal.SIGTERM, 130)
            assert script.cancelled.wait(PATIENCE)
        assert bridge.complaints() == ""
