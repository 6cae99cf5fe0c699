"""`install-kiro` refuses what it cannot do right, names what is wrong, and leaves everything as it is."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import CommandLine
from loopback import PATIENCE

from emotional_ai.kiro import settings_file

CLI = CommandLine("127.0.0.1:9")
EMPTY = b'{"mcpServers": {}}'


def ours(members: str) -> bytes:
    """Settings with an entry of the bridge on the second line."""
    return f'{{"mcpServers": {{\n"emotion_engine": {members}}}}}'.encode()


BROKEN: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "1:1", "is empty; write {} into it, or remove it"),
    "blanks": (b"\n \n", "1:1", "is empty; write {} into it, or remove it"),
    "a line comment": (b'{\n  // my servers\n  "mcpServers": {}}', "2:3", "JSON has no comments, and here is one"),
    "a block comment": (b'{"mcpServers": {} /* none */}', "1:19", "JSON has no comments, and here is one"),
    "a comma after the last member": (b'{"mcpServers": {"a": {},\n}}', "2:1", "a comma with nothing after it"),
    "a comma after the last of a list": (b'{"a": [1,\n 2,\n]}', "3:1", "a comma with nothing after it"),
    "a text cut off": (b'{"mcpServers": {"a": ', "1:22", "Expecting value"),
    "a quote that is missing": (b'{"mcpServers: {}}', "1:2", "Unterminated string"),
    "single quotes": (b"{'mcpServers': {}}", "1:2", "Expecting property name enclosed in double quotes"),
    "two texts": (b"{}\n{}", "2:1", "Extra data"),
    "a number that is none": (b'{"a":\n NaN}', "2:2", "a number must be finite"),
    "a tab in a string": (b'{"a": "\t"}', "1:8", "Invalid control character"),
    "a name twice": (b'{"mcpServers": {\n"a": 1,\n  "a": 2}}', "3:3", '"a" is given twice in one object'),
    "the servers twice": (b'{"mcpServers": {}, "mcpServers": {}}', "1:20", '"mcpServers" is given twice'),
    "lists without end": (b"[" * 100_000, "1:1", "is nested too deeply"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "1:1", "JSON has no byte order mark, and here is one; save it"),
    "UTF-16": ("{}".encode("utf-16"), "1:1", "byte 0xff is not UTF-8, the file seems to be UTF-16"),
    "Latin-1": (b'{\n "caf\xe9": 1}', "2:6", "byte 0xe9 is not UTF-8"),
    "a list": (b"[]", "1:1", "the settings must be an object, got []"),
    "servers in a list": (b'{"a": 1,\n "mcpServers": []}', "2:16", "mcpServers must be an object, got []"),
    "an entry that is a text": (ours('"bridge"'), "2:19", 'emotion_engine must be an object, got "bridge"'),
    "an entry with a url": (ours('{"url": "http://x"}'), "2:27", "emotion_engine is reached by a url"),
    "variables in a list": (ours('{"env": ["A=1"]}'), "2:27", 'emotion_engine.env must be an object of strings, got ["A=1"]'),
    "a variable that is a number": (ours('{"env": {"A": 1}}'), "2:27", "emotion_engine.env must be an object of strings"),
    "disabled as a text": (ours('{"disabled": "no"}'), "2:32", 'emotion_engine.disabled must be true or false, got "no"'),
    "one tool without a list": (ours('{"autoApprove": "a"}'), "2:35", "emotion_engine.autoApprove must be a list of strings"),
    "tools that are numbers": (ours('{"disabledTools": [1]}'), "2:37", "emotion_engine.disabledTools must be a list"),
}  # fmt: skip


@pytest.mark.parametrize("flag", [(), ("--check",)])
@pytest.mark.parametrize("fault", BROKEN)
def test_settings_kiro_could_not_read_are_refused_by_line_and_column_and_kept(
    fault: str, flag: tuple[str, ...], tmp_path: Path
) -> None:
    raw, place, says = BROKEN[fault]
    path = settings_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(raw)
    ran = CLI("install-kiro", *flag, "--workspace", str(tmp_path))
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(f"error: {path}:{place}: ")
    assert says in ran.err
    assert ran.err.endswith("; the file is left as it is\n")
    assert path.read_bytes() == raw
    assert list(path.parent.iterdir()) == [path]


def directory(path: Path) -> None:
    path.mkdir(parents=True)


def file_above(path: Path) -> None:
    path.parent.parent.write_text("")


def ring(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (directory, "it is no regular file"),
        (file_above, "Not a directory"),
        (ring, "Too many levels of symbolic links"),
    ],
)
def test_a_place_that_cannot_hold_settings_is_named(make: Callable[[Path], None], says: str, tmp_path: Path) -> None:
    make(settings_file(tmp_path))
    ran = CLI("install-kiro", "--workspace", str(tmp_path))
    assert (ran.status, ran.err) == (1, f"error: cannot read {settings_file(tmp_path)}: {says}\n")


@pytest.mark.parametrize("before", [None, EMPTY])
def test_settings_are_as_they_were_when_they_could_not_be_written_whole(before: bytes | None, tmp_path: Path) -> None:
    path = settings_file(tmp_path)
    path.parent.mkdir(parents=True)
    if before is not None:
        path.write_bytes(before)
    command = (sys.executable, "-m", "emotional_ai", "install-kiro", "--workspace", str(tmp_path))
    ran = subprocess.run(
        ["bash", "-c", f"ulimit -f 0; exec {shlex.join(command)}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == f"error: cannot write {path}: File too large\n"
    assert [one.read_bytes() for one in path.parent.iterdir()] == ([] if before is None else [before])


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--check", "--target", "h:1", "--read-only"), "leave out --target, --read-only"),
        (
            ("--check", "--session", "a", "--toolsets", "emotion", "--autostart"),
            "out --session, --toolsets, --autostart",
        ),
        (("--toolsets", "emotion,moods"), "moods is no toolset; there are emotion, inference, training"),
        (("--check", "--no-read-only"), "leave out --read-only"),
        (("--target", "h"), "a service is named as HOST:PORT"),
        (("--target", "127.0.0.1:0", "--autostart"), "the port in 1..65535; got '127.0.0.1:0'"),
        (("--toolsets", ","), "nothing is no toolset; there are emotion, inference, training"),
        (("--session", ""), "a session id has 1..128 characters"),
        (("--session", "a b"), "beginning with a letter or digit, got 'a b' (3 characters)"),
        (("--session", "a" * 129), "(129 characters)"),
        (("--user",), "--user is for every workspace; leave out --workspace"),
    ],
)
def test_flags_that_make_no_sense_are_wrong_usage(flags: tuple[str, ...], says: str, tmp_path: Path) -> None:
    ran = CLI("install-kiro", "--workspace", str(tmp_path), *flags)
    assert ran.status == 2
    assert says in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_is_named_before_the_command_is_checked(tmp_path: Path) -> None:
    ran = CommandLine("h:0")("install-kiro", "--workspace", str(tmp_path))
    assert (ran.status, ran.out) == (1, "")
    assert "the port in 1..65535; got 'h:0'" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("home", ["", "here"])
def test_a_home_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str) -> None:
    monkeypatch.setenv("HOME", home)
    monkeypatch.chdir(tmp_path)
    ran = CLI("install-kiro", "--user")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "error: cannot tell which folder is your home: HOME names none; set it\n"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_gone_is_refused(tmp_path: Path) -> None:
    ran = subprocess.run(
        ["bash", "-c", f"rmdir {shlex.quote(str(tmp_path))}; exec {sys.executable} -m emotional_ai install-kiro"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        "error: cannot tell which folder this is: No such file or directory; go to one, or give --workspace\n"
    )


def test_a_workspace_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    ran = CLI("install-kiro", "--workspace", str(tmp_path / "typo"))
    assert ran.status == 2
    assert "does not exist" in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_service_elsewhere_cannot_be_started_from_here(tmp_path: Path) -> None:
    ran = CLI("install-kiro", "--workspace", str(tmp_path), "--autostart", "--target", "example.com:1")
    assert ran.status == 1
    assert "--target must be 127.0.0.1:PORT, got 'example.com:1'" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("text", "says"), [(None, "there is no {}"), (EMPTY, "{} has no emotion_engine")])
def test_without_an_entry_the_check_fails_and_tells_what_writes_it(
    text: bytes | None, says: str, tmp_path: Path
) -> None:
    path = settings_file(tmp_path)
    if text is not None:
        path.parent.mkdir(parents=True)
        path.write_bytes(text)
    ran = CLI("install-kiro", "--check", "--workspace", str(tmp_path))
    what = says.format(path)
    assert (ran.status, ran.out) == (1, f"FAIL  settings    {what}\n")
    assert ran.err == f"error: {what}; write it with: emotional-ai install-kiro --workspace {tmp_path}\n"
    assert path.exists() == (text is not None)
