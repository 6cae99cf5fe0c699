"""Lines of the log: one object or one line a record, the call they are about, and no word of what was said in it."""

import json
import logging
import sys
from contextvars import copy_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai.v1 import engine_pb2, inference_pb2
from emotional_ai_service.observing import LogFormat, LogSettings
from emotional_ai_service.observing.bare import Bare
from emotional_ai_service.observing.call import LONGEST_ID, Call, begin_call, request_id_of
from emotional_ai_service.observing.logs import Lines

SAID = inference_pb2.ConverseRequest(
    session_id="ada",
    text="I lost my dog",
    history=[inference_pb2.ChatMessage(role=inference_pb2.ROLE_USER, content='He said "no"\nto me')],
)
JSON, TEXT = LogSettings(LogFormat.JSON), LogSettings(LogFormat.TEXT)


def line(settings: LogSettings, message: str, *, about: Call | None = None, blind: bool = False) -> str:
    """What becomes of a message said by the guard."""

    def made() -> str:
        if about is not None:
            begin_call(about)
        record = logging.LogRecord(
            "emotional_ai_service.guard", logging.ERROR, __file__, 1, message, (), sys.exc_info()
        )
        return Lines(settings, blind=blind).format(record)

    return copy_context().run(made)


def test_a_library_that_gives_false_for_no_exception_is_logged_as_well() -> None:
    record = logging.LogRecord("exporter", logging.ERROR, __file__, 1, "the collector is away", (), None)
    record.exc_info = False  # type: ignore[assignment]  # as OpenTelemetry's exporter does
    assert Lines(TEXT).format(record).endswith("ERROR exporter the collector is away")


def test_a_line_in_json_has_the_time_the_level_who_says_it_and_the_call() -> None:
    told = json.loads(line(JSON, "incident 17", about=Call("r-1", "Inference/Converse", SAID)))
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "ERROR",
        "logger": "emotional_ai_service.guard",
        "message": "incident 17",
        "request_id": "r-1",
        "method": "Inference/Converse",
    }


def test_a_line_names_the_session_only_where_it_was_asked_for() -> None:
    about = Call("r-1", "Inference/Converse", SAID)
    asked = json.loads(line(LogSettings(LogFormat.JSON, sessions=True), "session 'ada' is gone", about=about))
    unasked = json.loads(line(JSON, "session 'ada' is gone", about=about))
    assert (asked["session"], asked["message"]) == ("ada", "session 'ada' is gone")
    assert "ada" not in json.dumps(unasked)


def test_a_line_in_text_is_one_line_whatever_is_in_its_message() -> None:
    told = line(TEXT, "a file named 'x\n2026 ERROR forged\r\n'")
    assert len(told.splitlines()) == 1
    assert "emotional_ai_service.guard a file named" in told


@pytest.mark.parametrize("settings", [JSON, TEXT])
def test_what_people_wrote_is_cut_out_of_messages_and_exceptions(settings: LogSettings) -> None:
    about = Call("r-1", "Inference/Converse", SAID)
    try:
        raise RuntimeError(f"cannot read {SAID.text!r} after {SAID.history[0].content!r}")
    except RuntimeError:
        told = line(settings, f"it was: {SAID.text}", about=about)
    assert "dog" not in told
    assert "to me" not in told
    assert "RuntimeError: cannot read '<text>' after '<text>'" in told


@given(st.text(min_size=4), st.sampled_from(["{}", "{!r}", "text={!a}.", "<{}>"]))
def test_no_text_survives_in_a_line_however_it_was_put_into_it(text: str, form: str) -> None:
    about = Call("r-1", "Inference/Appraise", inference_pb2.AppraiseRequest(texts=[text.replace("\ud800", "")]))
    if not about.texts or about.texts[0] != text or text.strip() in "<text>":
        return
    told = json.loads(line(JSON, form.format(text), about=about))["message"]
    assert text not in told.replace("<text>", "")


def test_a_process_that_knows_no_calls_writes_exceptions_without_their_messages() -> None:
    try:
        raise RuntimeError(SAID.text)
    except RuntimeError:
        told = line(JSON, "a request failed", blind=True)
    assert "dog" not in told
    assert json.loads(told)["exception"].endswith("RuntimeError")


def test_where_no_log_was_asked_for_an_exception_is_told_without_its_message_and_how_to_have_it() -> None:
    try:
        raise RuntimeError(SAID.text)
    except RuntimeError:
        told = Bare().format(logging.LogRecord("x", logging.ERROR, __file__, 1, "incident %d", (17,), sys.exc_info()))
    lines = told.splitlines()
    assert (lines[0], lines[-2:]) == ("incident 17", ["RuntimeError", "(its message is told with --log text)"])
    assert "dog" not in told
    assert Bare().format(logging.LogRecord("x", logging.WARNING, __file__, 1, "plain", (), None)) == "plain"


def test_notes_of_stimuli_are_texts_too() -> None:
    stimulus = engine_pb2.Stimulus(event=engine_pb2.Signals(reward=0.5), note="he hugged me")
    about = Call("r", "EmotionEngine/ApplyStimuli", engine_pb2.ApplyStimuliRequest(session_id="a", stimuli=[stimulus]))
    assert "hugged" not in line(JSON, "a stimulus with 'he hugged me'", about=about)


@pytest.mark.parametrize("given_", ["r-1", "x" * LONGEST_ID, "!~"])
def test_a_call_keeps_the_name_its_client_gave_it(given_: str) -> None:
    assert request_id_of([("other", "y"), ("x-request-id", given_)]) == given_


@pytest.mark.parametrize("given_", ["", "x" * (LONGEST_ID + 1), "two words", "line\nbreak", "umläut", b"bytes"])
def test_a_call_gets_a_new_name_where_its_client_gave_none_that_can_stand_in_a_line(given_: str | bytes) -> None:
    made = request_id_of([("x-request-id", given_)])
    assert made != given_
    assert made.isalnum()
    assert request_id_of([]) != request_id_of([])
