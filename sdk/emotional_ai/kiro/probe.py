"""Starts a server as Kiro does at its worst, and reports step by step whether Kiro could use it.

At its worst Kiro was not started from a shell: its folder is `/`, its PATH short, and there are no variables of the shell's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import version
from typing import Final

from emotional_ai.connection import start_command
from emotional_ai.kiro.limits import refused_name, refused_schema
from emotional_ai.kiro.server import ENDED, Message, Patience, Server, Unanswered
from emotional_ai.kiro.settings import Entry

PROTOCOL: Final = "2025-06-18"
UNDERSTOOD: Final = ("2024-11-05", "2025-03-26", PROTOCOL)
"""Versions of the protocol a client of that one goes on with."""
PAGES: Final = 100
"""Pages of tools that are read."""
LONGEST_CURSOR: Final = 1024
"""Characters of a page's address: what a pipe holds of it is written even if the server never reads."""
STATUS: Final = "engine_status"
SHOWN: Final = 3
"""Stray lines that are shown."""


class Verdict(Enum):
    """What a step comes to."""

    OK = "OK"
    FAIL = "FAIL"
    NOTE = "NOTE"
    """Worth knowing, and no failure."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried."""

    name: str
    verdict: Verdict
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a probe found."""

    steps: tuple[Step, ...]
    complaints: tuple[str, ...]
    """The last lines the server wrote to standard error."""

    @property
    def passed(self) -> bool:
        """Whether Kiro could use the server."""
        return all(step.verdict is not Verdict.FAIL for step in self.steps)


def probe(entry: Entry, home: str, patience: Patience, clock: Callable[[], float]) -> Report:
    """Starts the server of an entry, talks to it and ends it. `home` is its HOME; `clock` gives seconds.

    Variables of the entry are passed as they are written: Kiro fills in `${NAME}` for names a person has approved alone.
    """
    command = " ".join([entry.command, *entry.args])
    try:
        server = Server(entry, home, patience, clock)
    except (OSError, ValueError) as error:
        why = (isinstance(error, OSError) and error.strerror) or str(error)
        return Report((_step("start", f"{entry.command} cannot be started: {why}", fails=True),), ())
    steps = [_step("start", command)]
    try:
        steps += _conversation(server)
    finally:
        how = server.end()
    steps += [_stray(server), Step("stop", Verdict.OK if how == ENDED else Verdict.NOTE, how)]
    return Report(tuple(steps), tuple(server.complaints))


def _conversation(server: Server) -> Iterator[Step]:
    try:
        yield _greeted(server)
        server.tell("notifications/initialized")
        tools = _tools(server)
        names = [str(tool.get("name")) for tool in tools]
        yield _step("tools/list", f"{len(tools)} tools: {', '.join(names)}" if tools else "no tools", fails=not tools)
        yield _judged("names", "all taken", [refused_name(tool.get("name")) for tool in tools])
        yield _judged("schemas", "all flat", [_schema(tool) for tool in tools])
        if STATUS in names:
            yield from _called(server)
        else:
            yield Step("tools/call", Verdict.NOTE, f"{STATUS} is not among the tools, so none was called")
    except Unanswered as error:
        yield _step(error.method, error.what, fails=True)


def _greeted(server: Server) -> Step:
    client = {"name": "emotional-ai install-kiro", "version": version("emotional-ai")}
    answer = server.ask("initialize", {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client})
    seconds, protocol, who = server.age, answer.get("protocolVersion"), _object(answer.get("serverInfo"))
    if protocol not in UNDERSTOOD:
        return _step("initialize", f"speaks protocol {protocol}, not {PROTOCOL}", fails=True)
    return _step(
        "initialize",
        f"first answer after {seconds:.2f} s, from {who.get('name')} {who.get('version')}, protocol {protocol}",
    )


def _tools(server: Server) -> list[Message]:
    """Every tool, page by page."""
    tools: list[Message] = []
    params: Message = {}
    for _ in range(PAGES):
        answer = server.ask("tools/list", params)
        listed = answer.get("tools")
        if not isinstance(listed, list):
            raise Unanswered("tools/list", "the answer holds no list of tools")
        tools += map(_object, listed)
        cursor = answer.get("nextCursor")
        if cursor is None:
            return tools
        if not isinstance(cursor, str) or len(cursor) > LONGEST_CURSOR:
            raise Unanswered("tools/list", f"a cursor must be a string of at most {LONGEST_CURSOR} characters")
        params = {"cursor": cursor}
    raise Unanswered("tools/list", f"more than {PAGES} pages of tools")


def _schema(tool: Message) -> str:
    found = refused_schema(tool.get("inputSchema"))
    return f"{tool.get('name')} ({', '.join(found)})" if found else ""


def _called(server: Server) -> Iterator[Step]:
    answer = server.ask("tools/call", {"name": STATUS, "arguments": {}})
    content = answer.get("content")
    parts = map(_object, content if isinstance(content, list) else [])
    texts = [str(part.get("text")) for part in parts if part.get("type") == "text"]
    if answer.get("isError") or not texts:
        yield _step("tools/call", f"{STATUS}: {' '.join(texts) or 'the answer holds no text'}", fails=True)
        return
    yield _step("tools/call", f"{STATUS} answers")
    yield Step("engine", Verdict.NOTE, _engine(texts[0], _object(answer.get("structuredContent"))))


def _engine(text: str, status: Message) -> str:
    """How the engine is, with the command that starts it if it is down."""
    if status.get("up") is not False:
        return text
    command = start_command(str(status.get("target")))
    return text if command in text else f"{text.rstrip('.')}; start one with: {command}"


def _stray(server: Server) -> Step:
    if not server.strays:
        return _step("output", "nothing but messages on standard output")
    shown = "; ".join(repr(line[:80]) for line in server.stray[:SHOWN])
    return _step("output", f"{server.strays} lines on standard output are no messages: {shown}", fails=True)


def _judged(name: str, good: str, wrong: Sequence[str]) -> Step:
    said = "; ".join(filter(None, wrong))
    return _step(name, said or good, fails=bool(said))


def _step(name: str, detail: str, *, fails: bool = False) -> Step:
    return Step(name, Verdict.FAIL if fails else Verdict.OK, detail)


def _object(value: object) -> Message:
    """A value as an object; what is none says nothing."""
    return value if isinstance(value, Mapping) else {}
