"""An import is taken whole or not at all, and the refusal names the first entry that cannot be."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from loopback import service
from wire_client import fields, refused

from emotional_ai import AlreadyExists, Client, InvalidArgument, SessionConfig
from emotional_ai.v1 import engine_pb2 as pb

Export = dict[str, Any]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with service() as address, Client(address) as client:
        client.create_session("ada")
        client.apply("ada", reward=0.4, note="a good start")
        client.update_session("ada", SessionConfig())
        client.reset_session("ada")
        client.sustain("ada", loss=0.2, minutes=5)
        yield client


@pytest.fixture
def export(client: Client) -> Export:
    exported: Export = json.loads(client.export_json("ada"))
    return exported


def refused_import(client: Client, text: str) -> InvalidArgument:
    error = refused(lambda: client.import_json(text, session_id="copy"))
    assert isinstance(error, InvalidArgument)
    assert [one.session_id for one in client.list_sessions()] == ["ada"]
    return error


def test_a_sound_export_is_taken(client: Client, export: Export) -> None:
    made = client.import_json(json.dumps(export), session_id="copy")
    client.delete_session("copy")
    assert made.state.version == 5


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '"ada"', "17", '{"format": 3}', '{"unheard": 1}', "\x00", "[" * 100_000]
)
def test_what_is_not_the_json_of_an_export_is_refused_saying_where(client: Client, text: str) -> None:
    error = refused_import(client, text)
    assert error.reason in {"MALFORMED_JSON", "INVALID_REQUEST"}
    assert error.violations
    assert error.violations[0].field.startswith("session")


@pytest.mark.parametrize("form", ["", "emotional-ai/session/2", "emotional-ai/session/1 "])
def test_an_export_of_another_form_is_refused(client: Client, export: Export, form: str) -> None:
    error = refused_import(client, json.dumps(export | {"format": form}))
    assert fields(error) == ["session.format"]
    assert "emotional-ai/session/1" in str(error)


def renumbered(entries: list[Export]) -> None:
    entries[2]["sequence"] = "4"


def shortened(entries: list[Export]) -> None:
    del entries[1]


def headless(entries: list[Export]) -> None:
    del entries[0]
    for number, entry in enumerate(entries, start=1):
        entry["sequence"] = str(number)


def created_twice(entries: list[Export]) -> None:
    entries[3] = entries[0] | {"sequence": "4", "time": entries[3]["time"]}


def reversed_in_time(entries: list[Export]) -> None:
    entries[2]["time"] = "1999-01-01T00:00:00Z"


def timeless(entries: list[Export]) -> None:
    del entries[3]["time"]


def empty_entry(entries: list[Export]) -> None:
    del entries[1]["stimulus"]


def out_of_range(entries: list[Export]) -> None:
    entries[1]["stimulus"]["event"]["reward"] = 1.5


def not_a_number(entries: list[Export]) -> None:
    entries[1]["stimulus"]["event"]["reward"] = "NaN"


def endlessly_requested(entries: list[Export]) -> None:
    entries[1]["requestId"] = "r" * 129


def unstable_at_first(entries: list[Export]) -> None:
    entries[0]["created"]["config"]["dynamics"]["coupling"]["cortisol"]["dopamine"] = 9.0


def unstable_later(entries: list[Export]) -> None:
    entries[2]["configured"]["dynamics"]["coupling"]["cortisol"]["dopamine"] = 9.0


WRONG: list[tuple[Callable[[list[Export]], None], str, str]] = [
    (renumbered, "entries[2].sequence", "must be 3"),
    (shortened, "entries[1].sequence", "must be 2"),
    (headless, "entries[0].effect", "`created`"),
    (created_twice, "entries[3].effect", "`stimulus`, `configured`, `reset`"),
    (reversed_in_time, "entries[2].time", "time cannot go backwards"),
    (timeless, "entries[3].time", "must be set"),
    (empty_entry, "entries[1].effect", "must be set"),
    (out_of_range, "entries[1].stimulus.event.reward", "less than or equal to 1"),
    (not_a_number, "entries[1].stimulus.event.reward", "less than or equal to 1"),
    (endlessly_requested, "entries[1].request_id", "128"),
    (unstable_at_first, "entries[0].created.config.dynamics.coupling.cortisol", "below 4"),
    (unstable_later, "entries[2].configured.dynamics.coupling.cortisol", "below 4"),
]


@pytest.mark.parametrize(("spoil", "field", "allowed"), WRONG, ids=[one[0].__name__ for one in WRONG])
def test_a_log_that_cannot_be_is_refused_at_its_first_wrong_entry(
    client: Client, export: Export, spoil: Callable[[list[Export]], None], field: str, allowed: str
) -> None:
    spoil(export["entries"])
    error = refused_import(client, json.dumps(export))
    assert fields(error) == [f"session.{field}"]
    assert allowed in error.violations[0].description


def test_a_request_id_may_be_as_long_in_an_import_as_in_a_request(client: Client, export: Export) -> None:
    export["entries"][1]["requestId"] = "😀" * 128
    assert client.import_json(json.dumps(export), session_id="copy").state.version == 5
    client.delete_session("copy")


def test_an_export_without_a_log_is_refused(client: Client, export: Export) -> None:
    assert fields(refused_import(client, json.dumps(export | {"entries": []}))) == ["session.entries"]


def test_a_moment_no_clock_can_show_is_refused(client: Client) -> None:
    for seconds, nanos in ((10**15, 0), (-(10**12), 0), (1_700_000_000, -5), (1_700_000_000, 2 * 10**9)):
        export = client.export_session("ada")
        export.entries[-1].time.seconds, export.entries[-1].time.nanos = seconds, nanos
        error = refused(lambda: client.import_session(export, session_id="copy"))  # noqa: B023
        assert fields(error) == ["session.entries[4].time"]
        export = client.export_session("ada")
        occurred = export.entries[1].stimulus.occurred_at
        occurred.seconds, occurred.nanos = seconds, nanos
        error = refused(lambda: client.import_session(export, session_id="copy"))  # noqa: B023
        assert fields(error) == ["session.entries[1].stimulus.occurred_at"]


def test_nothing_is_stored_that_could_not_be_exported(client: Client) -> None:
    stimulus = pb.Stimulus(event=pb.Signals(reward=0.1))
    stimulus.occurred_at.GetCurrentTime()
    stimulus.occurred_at.nanos = -5
    error = refused(lambda: client.apply_stimuli("ada", [stimulus]))
    assert fields(error) == ["stimuli[0].occurred_at"]
    assert "nanos" in str(error)


def test_a_signal_this_version_does_not_know_is_refused(client: Client) -> None:
    export = client.export_session("ada")
    export.entries[1].stimulus.event.MergeFromString(b"\x69" + bytes(8))
    error = refused(lambda: client.import_session(export, session_id="copy"))
    assert fields(error) == ["session.entries[1].stimulus.event"]
    assert "field 13" in str(error)


@pytest.mark.parametrize("session_id", ["../x", "a/b", "<b>", "a\nb", "a\0", "-a", "e\u0301", "x" * 129])
def test_an_import_takes_the_ids_a_session_can_be_made_by_and_no_other(
    client: Client, export: Export, session_id: str
) -> None:
    error = refused(lambda: client.import_json(json.dumps(export), session_id=session_id))
    assert fields(error) == ["session_id"]
    error = refused(lambda: client.import_json(json.dumps(export | {"sessionId": session_id}), session_id="copy"))
    assert fields(error) == ["session.session_id"]
    assert [one.session_id for one in client.list_sessions()] == ["ada"]


def test_an_import_under_an_id_that_is_taken_changes_nothing(client: Client, export: Export) -> None:
    before = client.export_json("ada")
    del export["entries"][1:]
    error = refused(lambda: client.import_json(json.dumps(export)))
    assert isinstance(error, AlreadyExists)
    assert error.reason == "SESSION_EXISTS"
    assert client.export_json("ada") == before


def test_an_import_asks_for_a_session(client: Client) -> None:
    error = refused(lambda: client.import_session(pb.SessionExport()))
    assert {"session.format", "session.session_id", "session.entries"} == set(fields(error))
