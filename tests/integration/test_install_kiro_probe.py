"""What is found of a server that is started as Kiro does at its worst, and what is left of it: nothing."""

import re
import sys
from pathlib import Path

import pytest
from kiro_probing import PATIENT, detail, failed, faulty, gone, probed

from emotional_ai.kiro import Entry, Patience, Verdict


def test_a_server_that_behaves_passes_every_step() -> None:
    report = probed(faulty("none"))
    assert report.passed
    assert [(step.name, step.verdict) for step in report.steps] == [
        ("start", Verdict.OK),
        ("initialize", Verdict.OK),
        ("tools/list", Verdict.OK),
        ("names", Verdict.OK),
        ("schemas", Verdict.OK),
        ("tools/call", Verdict.OK),
        ("engine", Verdict.NOTE),
        ("output", Verdict.OK),
        ("stop", Verdict.OK),
    ]
    assert re.fullmatch(
        r"first answer after \d+\.\d\d s, from tester 1, protocol 2025-06-18", detail(report, "initialize")
    )
    assert detail(report, "engine") == "It is up."


@pytest.mark.parametrize(
    "fault",
    [
        "an older protocol",
        "two pages",
        "a long line",
        "asks back",
        "words of schemas as names",
    ],
)
def test_what_is_unusual_but_allowed_passes(fault: str) -> None:
    assert failed(probed(faulty(fault))) == {}


@pytest.mark.parametrize(
    ("fault", "step", "says"),
    [
        ("a banner", "output", "2 lines on standard output are no messages: 'Welcome to the engine!';"),
        ("a huge line", "output", "2 lines on standard output are no messages: 'xxx"),
        ("another protocol", "initialize", "speaks protocol 2019-01-01, not 2025-06-18"),
        ("no result", "initialize", "the answer holds no result"),
        ("ends at once", "initialize", "the server ended with status 3"),
        ("is killed", "tools/list", "the server was ended by SIGKILL"),
        ("refuses the list", "tools/list", "refused: not today"),
        ("a list that is none", "tools/list", "the answer holds no list of tools"),
        ("no tools", "tools/list", "no tools"),
        ("endless pages", "tools/list", "more than 100 pages of tools"),
        ("a cursor that is a number", "tools/list", "a cursor must be a string of at most 1024 characters"),
        ("a long cursor", "tools/list", "a cursor must be a string of at most 1024 characters"),
        ("a reference", "schemas", "feel (mood.$ref)"),
        ("definitions", "schemas", "feel ($defs)"),
        ("a combination", "schemas", "feel (mood.anyOf)"),
        ("a schema of a list", "schemas", "feel (the type must be object)"),
        ("no schema", "schemas", "feel (the type must be object)"),
        ("a name with a dash", "names", "'feel-it' is not letters, digits and _ after a letter"),
        ("a name that begins with a digit", "names", "'9lives' is not letters, digits and _ after a letter"),
        ("a long name", "names", "has 65 characters, over 64"),
        ("no name", "names", "None is no name"),
        ("a call that fails", "tools/call", "engine_status: no engine room"),
        ("a call without text", "tools/call", "engine_status: the answer holds no text"),
    ],
)
def test_what_kiro_could_not_use_fails_its_step_alone(fault: str, step: str, says: str) -> None:
    report = probed(faulty(fault))
    assert not report.passed
    assert list(failed(report)) == [step]
    assert says in failed(report)[step]


@pytest.mark.parametrize(
    ("fault", "patience", "says"),
    [
        ("says nothing", Patience(answers=0.5), "no answer within 0.5 s"),
        ("floods", Patience(answers=0.5, end=0.2), "no answer within 0.5 s"),
        ("closes its output", Patience(end=0.2), "the server closed its output and went on"),
    ],
)
def test_one_that_does_not_answer_is_not_waited_for_longer_than_kiro_waits(
    fault: str, patience: Patience, says: str
) -> None:
    assert failed(probed(faulty(fault), patience)) == {"initialize": says}


def test_what_a_server_that_ended_complained_of_is_kept() -> None:
    assert probed(faulty("ends at once")).complaints == ("no engine room",)


def test_a_server_without_a_tool_for_the_status_is_not_called() -> None:
    report = probed(faulty("no tool of the status"))
    assert report.passed
    assert detail(report, "tools/call") == "engine_status is not among the tools, so none was called"


def test_an_engine_that_is_down_is_no_failure_and_its_command_is_told() -> None:
    report = probed(faulty("an engine that is down"))
    assert report.passed
    assert detail(report, "engine") == "It is down; start one with: emotional-ai serve --port 7"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("/nowhere/python", "/nowhere/python cannot be started: No such file or directory"),
        ("/etc", "/etc cannot be started: Permission denied"),
        ("python\0", "cannot be started: embedded null byte"),
        ("emotional-ai", "emotional-ai cannot be started: No such file or directory"),
    ],
)
def test_a_command_that_is_not_found_without_a_shell_fails_to_start(command: str, says: str) -> None:
    assert says in failed(probed(Entry(command, ())))["start"]


def test_the_server_is_started_in_the_worst_place() -> None:
    told = "import os, sys; sys.stderr.write(f'{os.getcwd()} {sorted(os.environ.items())}')"
    report = probed(Entry(sys.executable, ("-S", "-c", told), {"MOOD": "calm"}))
    (line,) = report.complaints
    assert line.startswith("/ ")
    for variable in (("PATH", "/usr/bin:/bin"), ("HOME", "/"), ("MOOD", "calm")):
        assert repr(variable) in line
    assert "VIRTUAL_ENV" not in line
    assert "PYTHON" not in line


@pytest.mark.parametrize(
    ("fault", "patience", "how"),
    [
        ("none", PATIENT, "ended with its input"),
        ("says nothing", Patience(answers=2.0), "ended with its input"),
        ("leaves a child", Patience(end=5.0), "ended with its input"),
        ("heeds no end", Patience(end=2.0), "did not end with its input, but when it was terminated"),
        ("heeds no signal", Patience(end=0.2), "did not end until it was killed"),
    ],
)
def test_no_process_is_left(fault: str, patience: Patience, how: str, tmp_path: Path) -> None:
    report = probed(faulty(fault, tmp_path / "pids"), patience)
    processes = [int(one) for one in (tmp_path / "pids").read_text().split()]
    assert len(processes) == (2 if fault == "leaves a child" else 1)
    assert all(map(gone, processes))
    assert detail(report, "stop") == how
