"""What the command line reads and prints, without a service."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer

from emotional_ai.backoff import Attempts
from emotional_ai.causes import sentence
from emotional_ai.cli.figures import bar, sparkline
from emotional_ai.cli.files import parse_message, read_text, write_text
from emotional_ai.cli.joined import joined
from emotional_ai.cli.language import BATCH, BATCH_BYTES, Arrivals
from emotional_ai.cli.lines import Line, decoded
from emotional_ai.cli.output import CommandFailed, aligned, compact, printable
from emotional_ai.cli.past import entry_line
from emotional_ai.cli.reach import ToldBackoff
from emotional_ai.cli.reference import read_reference
from emotional_ai.cli.spans import last_minutes, span
from emotional_ai.connection import start_command
from emotional_ai.errors import Unavailable
from emotional_ai.v1 import engine_pb2 as pb

REFERENCE = Path(__file__).parents[1] / "data" / "reference_trajectories.json"


def test_text_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[31mb\x07\tc\n\x9bd") == "a[31mb\tc\nd"


def test_a_bar_fills_with_the_level_and_marks_the_baseline() -> None:
    assert bar(0.0, 0.5, 4) == "··|·"
    assert bar(1.0, 0.0, 4) == "|███"
    assert bar(0.5, 1.0, 4) == "██·|"


def test_a_sparkline_spans_the_whole_range() -> None:
    assert sparkline([0.0, 0.5, 1.0]) == "▁▅█"


def test_columns_line_up() -> None:
    assert aligned([("a", "1"), ("bcd", "10")]) == "a     1\nbcd  10"


def test_lines_that_are_not_text_are_told_from_those_that_are() -> None:
    assert list(decoded([b"a\r\n", b"\xff\n", b"\xc3\xa9"])) == [Line(1, "a"), Line(2, None), Line(3, "é")]


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    mark = b"\xef\xbb\xbf"
    assert list(decoded([mark + b"a\n", mark + b"b\n"])) == [Line(1, "a"), Line(2, "\ufeffb")]


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "marked"
    file.write_bytes(b"\xef\xbb\xbf{}")
    assert read_text(file) == "{}"


@pytest.mark.parametrize(
    ("address", "command"),
    [
        ("127.0.0.1:50051", "emotional-ai serve"),
        ("127.0.0.1:6000", "emotional-ai serve --port 6000"),
        ("10.0.0.2:6000", "emotional-ai serve --host 10.0.0.2 --port 6000"),
        ("unix:/tmp/socket", "emotional-ai serve"),
    ],
)
def test_the_command_that_starts_a_service_is_named(address: str, command: str) -> None:
    assert start_command(address) == command


def test_lines_are_batched_in_order_and_none_is_lost() -> None:
    lines = [Line(number, str(number)) for number in range(1, 2 * BATCH + 10)]
    batches = list(Arrivals(lines))
    assert [line for batch in batches for line in batch] == lines
    assert max(map(len, batches)) <= BATCH


def test_a_batch_stays_within_its_bytes() -> None:
    lines = [Line(number, "x" * (BATCH_BYTES // 3)) for number in range(7)]
    batches = list(Arrivals(lines))
    assert [line for batch in batches for line in batch] == lines
    assert max(map(len, batches)) <= 3


def test_a_line_that_has_come_does_not_wait_for_one_that_has_not() -> None:
    more = threading.Event()

    def slow() -> Iterator[Line]:
        yield Line(1, "first")
        assert more.wait(60)
        yield Line(2, "second")

    arrivals = iter(Arrivals(slow()))
    assert next(arrivals) == [Line(1, "first")]
    more.set()
    assert next(arrivals) == [Line(2, "second")]


def test_the_reference_file_is_read_whole() -> None:
    cases = read_reference(REFERENCE.read_text(), REFERENCE)
    assert len(cases) == len(json.loads(REFERENCE.read_text())["cases"])
    by_name = {case.name: case.request for case in cases}
    assert by_name["circadian_48h"].config.circadian.amplitude.cortisol == 0.8
    assert by_name["circadian_48h"].start_hour == 0.0
    assert by_name["allostasis"].config.mood.tau_minutes == 1440
    assert not by_name["conversation"].config.HasField("mood")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"x0": [1, 2, 3]}, "cases[0].x0: must be 4 numbers, got 3"),
        ({"x": [[0, 0, 0, 0]]}, "cases[0].x: must be 2 rows"),
        ({"t": [0, "1"]}, "cases[0].t[1]: must be a finite number"),
        ({"overrides": {"W2": 1}}, "cases[0].overrides.W2: is not a parameter"),
        ({"overrides": {"W": [[1]]}}, "cases[0].overrides.W: must be 4 rows"),
        ({"events": [{"t": 0, "signals": {"joy": 1}}]}, "cases[0].events[0].signals.joy: is not a signal"),
        ({"name": 3}, "cases[0].name: must be a string"),
    ],
)
def test_a_malformed_reference_is_named_by_its_place(change: dict[str, object], place: str) -> None:
    case = {"name": "a", "x0": [0.5] * 4, "t": [0, 1], "x": [[0.5] * 4] * 2}
    with pytest.raises(CommandFailed) as raised:
        read_reference(json.dumps({"cases": [case | change]}), Path("f.json"))
    assert place in str(raised.value)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cases": []}', '{"cases": 3}', "[" * 100_000])
def test_a_file_that_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(CommandFailed, match=r"f\.json"):
        read_reference(text, Path("f.json"))


def test_a_package_that_cannot_be_loaded_is_reported_with_the_extra_it_needs() -> None:
    found = joined([EntryPoint("service", "no_such_package_here:app", "emotional_ai.commands")])
    assert not found.commands
    assert "no_such_package_here" in str(found.absent[0])
    assert "pip install 'emotional-ai[local]'" in str(found.absent[0])


def test_without_its_extra_the_command_line_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['typer'] = None\n"
        "import importlib.util, emotional_ai.__main__ as m\n"
        "m.find_spec = lambda name: None if name == 'typer' else importlib.util.find_spec(name)\n"
        "m.main()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 2
    assert "pip install 'emotional-ai[cli]'" in ran.stderr
    assert not ran.stdout


def test_a_note_stays_on_its_line_and_cannot_steer_the_terminal() -> None:
    stimulus = pb.Stimulus(event=pb.Signals(reward=0.5), note="a\x1b[31mb\n    2  forged\r")
    assert entry_line(pb.LogEntry(sequence=1, stimulus=stimulus)).endswith("  # a[31mb 2 forged")


def test_a_watch_says_once_that_the_service_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    attempts = Attempts(ToldBackoff(), clock=lambda: 0.0)
    attempts.wait_after(Unavailable("away"))
    assert capsys.readouterr().err == ""
    for _ in range(5):
        attempts.wait_after(Unavailable("away"))
    assert capsys.readouterr().err == "note: the service does not answer; reconnecting (Ctrl-C ends)\n"


def test_json_cannot_steer_the_terminal() -> None:
    line = compact({"note": "\x1b\x9b\x7fé"})
    assert json.loads(line) == {"note": "\x1b\x9b\x7fé"}
    assert line == r'{"note": "\u001b\u009b\u007fé"}'


def test_a_change_too_small_to_show_is_none() -> None:
    assert sentence("oxytocin", 0.5, 0.50001, {"reward": 0.00001}) == "oxytocin did not move from 0.500"
    cancelled = sentence("cortisol", 0.5, 0.5, {"threat": 0.1, "homeostasis": -0.1})
    assert cancelled == "cortisol did not move from 0.500: threat +0.100, homeostasis -0.100"
    assert sentence("dopamine", 0.5, 0.6, {"reward": 0.1}).startswith("dopamine rose by 0.100, from 0.500 to 0.600")


@pytest.mark.parametrize(
    "written",
    ["3000000d", "9" * 15 + "d", "9" * 400 + "d", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"],
)
def test_a_moment_outside_of_all_calendars_is_wrong_usage(written: str) -> None:
    with pytest.raises(typer.BadParameter):
        span(pb.Session(), written, None)


@pytest.mark.parametrize("minutes", [1e300, float("inf"), float("nan")])
def test_minutes_beyond_all_calendars_are_wrong_usage(minutes: float) -> None:
    with pytest.raises(typer.BadParameter):
        last_minutes(pb.Session(), minutes)


def test_a_link_stays_a_link_and_what_it_points_to_is_written(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    for text in ("first", "second"):
        write_text(link, text)
        assert target.read_text() == text
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "target"]


def test_a_named_pipe_stays_one_and_carries_the_text(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "whole")
        assert os.read(reader, 100) == b"whole"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_device_stays_one() -> None:
    write_text(Path(os.devnull), "gone")
    assert Path(os.devnull).is_char_device()
    with pytest.raises(CommandFailed, match="cannot write /dev/full: No space left"):
        write_text(Path("/dev/full"), "text")


@pytest.mark.parametrize("text", ["null", "[]", "3", "", '{"nosuch": 1}', '{"times": [' + "9" * 5000 + "]}"])
def test_a_message_that_is_none_is_refused_by_the_name_of_its_file(text: str) -> None:
    with pytest.raises(CommandFailed, match=r"f\.json is not the JSON of SimulateRequest") as raised:
        parse_message(text, pb.SimulateRequest(), Path("f.json"))
    assert "Available Fields" not in str(raised.value)


@pytest.mark.parametrize("command", [["chat"], ["appraise"], ["simulate", "-"]])
def test_a_closed_standard_input_is_said(command: list[str]) -> None:
    ran = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "emotional_ai", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "error: standard input is closed; give it a file, a pipe or a terminal\n"


@pytest.mark.parametrize(
    ("arguments", "number"),
    [
        ((b"signal", b"--session", b"\xff", b"reward=.5"), 3),
        ((b"signal", b"reward=.5", b"--note=caf\xe9"), 3),
        ((b"state", b"\xff"), 2),
        ((b"simulate", b"\xff.json"), 2),
    ],
)
def test_an_argument_that_is_not_text_is_wrong_usage_and_named(arguments: tuple[bytes, ...], number: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "emotional_ai", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"error: argument {number} is not UTF-8 text: {arguments[number - 1]!r}\n"


def test_a_reader_that_leaves_ends_a_command_quietly_as_its_help_says() -> None:
    command = (sys.executable, "-m", "emotional_ai", "--help")
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "1 refused or failed" in told.stdout
    assert "with none where the reader of the output left" in " ".join(told.stdout.split())
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as unread:
        ran = subprocess.run(command, stdout=unread, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (1, "")


def test_output_that_cannot_be_written_is_one_error() -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "emotional_ai", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 1
    assert ran.stderr == "error: cannot write the output: No space left on device\n"


def test_an_interrupt_while_the_command_line_is_loaded_ends_it_quietly() -> None:
    code = (
        "import os, signal, sys, emotional_ai.__main__ as m\n"
        f"m.find_spec = lambda name: os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "m.main()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "")
