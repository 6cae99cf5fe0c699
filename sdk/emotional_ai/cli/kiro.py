"""install-kiro: writes the MCP bridge into Kiro's settings, and tries whether Kiro could use it."""

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

from emotional_ai.cli.output import CommandFailed, note, printable, say
from emotional_ai.cli.reach import named_service
from emotional_ai.connection import DEFAULT_TARGET, service_address
from emotional_ai.kiro import (
    Entry,
    Flags,
    KiroError,
    Patience,
    Step,
    Verdict,
    bridge_entry,
    entry,
    flags,
    merged,
    probe,
    read,
    remarks,
    settings_file,
    write,
)
from emotional_ai.mcp_bridge.autostart import serve_command
from emotional_ai.mcp_bridge.settings import toolset_names, toolsets
from emotional_ai.names import session_id

COMMAND: Final = ("emotional-ai", "install-kiro")
FLAGS: Final = ("--target", "--session", "--toolsets", "--autostart", "--read-only")
"""What the entry passes on to the bridge."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("install-kiro")(install_kiro)


def _checked(read: Callable[[str], object]) -> Callable[[str | None], str | None]:
    """Lets a value pass as it was given, where there is none or the bridge can read it."""

    def passed(given: str | None) -> str | None:
        try:
            if given is not None:
                read(given)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        return given

    return passed


def install_kiro(
    ctx: typer.Context,
    user: Annotated[bool, typer.Option("--user", help="Set up every workspace: ~/.kiro/settings/mcp.json.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; try what the settings say.")] = False,
    workspace: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Workspace to set up; default this folder.", exists=True, file_okay=False),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="HOST:PORT",
            help=f"Service the bridge talks to; default {DEFAULT_TARGET}.",
            callback=_checked(service_address),
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Session of calls that name none.", callback=_checked(session_id)),
    ] = None,
    toolsets: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help=f"Tools to offer, separated by commas: {toolset_names()}; default emotion.",
            callback=_checked(toolsets),
        ),
    ] = None,
    autostart: Annotated[
        bool | None,
        typer.Option(
            "--autostart/--no-autostart", help="Let the bridge start a service where none answers, on this machine."
        ),
    ] = None,
    read_only: Annotated[
        bool | None, typer.Option("--read-only/--no-read-only", help="Offer only tools that change nothing.")
    ] = None,
) -> None:
    """Set up Kiro: write the MCP bridge into its settings, then start it as Kiro does and report each step.

    Other servers, and what was set by hand in the entry, stay as they are. So do flags of the bridge that an earlier call
    gave and this one does not: give one again to change it. Settings that Kiro could not read are refused and left alone.
    A step that says FAIL keeps Kiro from using the bridge, and the command ends with 1. A service that is not running is no
    failure.
    """
    if user and workspace is not None:
        raise typer.BadParameter("--user is for every workspace; leave out --workspace")
    values = (target, session, toolsets, autostart, read_only)
    superfluous = [flag for flag, value in zip(FLAGS, values, strict=True) if value is not None]
    if check and superfluous:
        raise typer.BadParameter(f"--check tries what the settings say; leave out {', '.join(superfluous)}")
    where = _where(user, workspace)
    path = settings_file(_home() if user else _absolute(workspace or Path()))
    if check:
        found = _found(path, where)
        _tried(found, f"to renew the entry: {shlex.join([*COMMAND, *where])}")
        return
    given = Flags(target or _service_named_before(ctx), session, toolsets, autostart, read_only)
    _tried(_installed(path, given), f"to try it again: {shlex.join([*COMMAND, '--check', *where])}")


def _where(user: bool, workspace: Path | None) -> tuple[str, ...]:
    """The flags that name the same settings again."""
    if user:
        return ("--user",)
    return () if workspace is None else ("--workspace", str(workspace))


def _home() -> Path:
    try:
        home = Path.home()
    except RuntimeError as error:
        raise CommandFailed(f"cannot tell which folder is your home: {error}; set HOME") from error
    if os.environ.get("HOME") == "" or not home.is_absolute():  # an empty one would be the root of the file system
        raise CommandFailed("cannot tell which folder is your home: HOME names none; set it")
    return home


def _absolute(folder: Path) -> Path:
    try:
        return folder.absolute()
    except OSError as error:
        raise CommandFailed(
            f"cannot tell which folder this is: {error.strerror}; go to one, or give --workspace"
        ) from error


def _service_named_before(ctx: typer.Context) -> str | None:
    """The service named before the command, or by the environment; None for the one there is by default."""
    named = named_service(ctx).target
    return None if named in ("", DEFAULT_TARGET) else named


def _wanted(wanted: Flags) -> Entry:
    """The entry. Raises CommandFailed if the bridge could not be started so."""
    target = wanted.target or DEFAULT_TARGET
    try:
        service_address(target)
        if wanted.autostart:
            serve_command(target)
        return bridge_entry(Path(sys.executable), wanted)
    except ValueError as error:
        raise CommandFailed(str(error)) from error


def _installed(path: Path, given: Flags) -> Entry:
    """Writes the entry and says what changed. Returns it as it is in the settings, with what was set by hand."""
    if find_spec("mcp") is None:
        raise CommandFailed("the bridge needs the MCP SDK; install it with: pip install 'emotional-ai[mcp]'")
    try:
        before = read(path)
        after = merged(before, _wanted(given.over(flags(before, path))), path)
        if after.changes:
            write(path, after.text)
        found = entry(after.text, path)
    except KiroError as error:
        raise CommandFailed(str(error)) from error
    assert found is not None
    if after.changes:
        say(f"{path} {'written' if before is None else 'changed'}:")
        for change in after.changes:
            say(f"  {printable(change)}")
    else:
        say(f"{path} is left as it is: nothing differs")
    return found


def _found(path: Path, where: Sequence[str]) -> Entry:
    """The entry of the settings. Raises CommandFailed, after a step that says so, if there is none."""
    try:
        text = read(path)
        found = None if text is None else entry(text, path)
    except KiroError as error:
        raise CommandFailed(str(error)) from error
    if found is not None:
        _show(Step("settings", Verdict.OK, str(path)))
        return found
    what = f"there is no {path}" if text is None else f"{path} has no emotion_engine"
    _show(Step("settings", Verdict.FAIL, what))
    raise CommandFailed(f"{what}; write it with: {shlex.join([*COMMAND, *where])}")


def _tried(found: Entry, advice: str) -> None:
    """Starts the server of an entry and reports. Raises CommandFailed if Kiro could not use it."""
    for remark in remarks(found):
        _show(Step("settings", Verdict.NOTE, remark))
    patience = Patience()
    note(f"starting it as Kiro does, for at most {patience.answers:g} s")
    with _ended_in_order():
        report = probe(found, str(_home()), patience, time.monotonic)
    for step in report.steps:
        _show(step)
    if not report.passed:
        for line in report.complaints:
            note(f"  it wrote: {printable(line)}")
        raise CommandFailed(f"Kiro cannot use emotion_engine as it is, FAIL says why; {advice}")
    say("Kiro could use emotion_engine, but it is disabled" if found.disabled else "Kiro can use emotion_engine")


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Lets the block clean up when the process is told to end, as it does when it is interrupted."""

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _show(step: Step) -> None:
    """Prints a step as one line."""
    say(f"{step.verdict.value:<4}  {step.name:<10}  {printable(' '.join(step.detail.split()))}")
