"""The protocol over standard input and output, a message a line; a line that is no message is answered, too.

The SDK's own transport hands such a line to nobody, and who sent it would wait for ever.
"""

import json
import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import StringIO, TextIOWrapper
from typing import BinaryIO, Final

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.stdio import stdio_server
from mcp.shared._stream_protocols import WriteStream
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

logger = logging.getLogger(__name__)

DEEPEST: Final = 100
"""Objects and lists within one another that a message may have."""
LONGEST_LINE: Final = 1 << 20
"""Characters of a message; a megabyte of JSON may take a second to read, and nothing that tools take is a tenth as long."""
LONGEST_NUMBER: Final = 400
"""Digits of a whole number; a longer one is no number of any argument, and taken for infinite."""
RULE: Final = (
    'a message is one JSON object a line, with jsonrpc "2.0", a method, an object of params if it has any, '
    "and an id of text or a whole number if it is to be answered"
)
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')

Received = SessionMessage | Exception
Writing = WriteStream[SessionMessage]
Message = types.JSONRPCRequest | types.JSONRPCNotification | types.JSONRPCResponse | types.JSONRPCError


class Unreadable(Exception):
    """A line is no message; `code` is JSON-RPC's, `asked` the id of the request it was meant as, None if that is not told."""

    def __init__(self, code: int, asked: int | str | None, why: str) -> None:
        self.code = code
        self.asked = asked
        super().__init__(f"{why}; {RULE}")

    def answer(self) -> types.JSONRPCError:
        """What its sender is told."""
        wrong = types.ErrorData(code=self.code, message=str(self))
        return types.JSONRPCError(jsonrpc="2.0", id=self.asked, error=wrong)


@asynccontextmanager
async def streams() -> AsyncIterator[tuple[MemoryObjectReceiveStream[Received], Writing]]:
    """The client's messages, and where answers go. Nothing else of this process reads or writes the two from here on."""
    lines = anyio.wrap_file(TextIOWrapper(_claimed_input(), encoding="utf-8", errors="replace"))
    sending, reading = anyio.create_memory_object_stream[Received](0)
    async with stdio_server(anyio.wrap_file(StringIO())) as (_, writing), anyio.create_task_group() as tasks:
        tasks.start_soon(_hear, lines, sending, writing)
        yield reading, writing


def message(line: str) -> Message:
    """The message a line holds. Raises Unreadable.

    Half a character in the arguments of a tool, and a number too long, are let through: the tool refuses them by name.
    """
    if len(line) > LONGEST_LINE:
        raise Unreadable(
            types.INVALID_REQUEST, _outline(line[:LONGEST_LINE]).asked(), f"it is longer than {LONGEST_LINE}"
        )
    try:
        found = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError:
        return _leniently(line)
    if isinstance(found, types.JSONRPCNotification) and "id" in _outline(line).members:
        # The SDK takes a request whose id it cannot read for a notification, which is never answered.
        raise Unreadable(types.INVALID_REQUEST, None, "the id is neither text nor a whole number")
    return found


@dataclass(frozen=True, slots=True)
class _Outline:
    """What can be told of a text that is meant as JSON, whether or not it is."""

    members: dict[str, str]
    """Of the object it is: names, and the first token of each value."""
    depth: int

    def asked(self) -> int | str | None:
        """The id of the request it is, None if there is none or it cannot be said back."""
        if "method" not in self.members and self.members.keys() & {"result", "error"}:
            return None  # an answer to the bridge: its id is one of the bridge's own
        token = self.members.get("id", "")
        if token.lstrip("-").isdecimal() and token.isascii() and len(token) <= LONGEST_NUMBER:
            return int(token)
        text = _text(token)
        return text if text is not None and _whole(text) else None


async def _hear(lines: anyio.AsyncFile[str], sending: MemoryObjectSendStream[Received], writing: Writing) -> None:
    async with sending:
        async for line in lines:
            try:
                if line.strip():
                    await sending.send(SessionMessage(message(line)))
            except Unreadable as error:
                logger.warning("a line of standard input is no message: %s", error)
                await writing.send(SessionMessage(error.answer()))
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                return  # the bridge ends


def _claimed_input() -> BinaryIO:
    """Standard input, with nothing left in its place for what this process starts."""
    claimed = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    # A thread may be waiting for input still when everything else has ended.
    return os.fdopen(claimed, "rb", closefd=False)


def _leniently(line: str) -> Message:
    outline = _outline(line)
    if outline.depth > DEEPEST:
        raise Unreadable(types.INVALID_REQUEST, outline.asked(), f"it is nested deeper than {DEEPEST}")
    try:
        found = json.loads(line, parse_int=_number)
    except json.JSONDecodeError as error:
        asked = outline.asked()
        code = types.PARSE_ERROR if asked is None else types.INVALID_REQUEST
        raise Unreadable(code, asked, f"it is not JSON: {error.msg} at character {error.pos + 1}") from error
    try:
        read = types.jsonrpc_message_adapter.validate_python(found)
    except ValidationError as error:
        raise Unreadable(types.INVALID_REQUEST, outline.asked(), _wrong(found)) from error
    if not _whole(_besides_arguments(read)):
        raise Unreadable(types.INVALID_REQUEST, outline.asked(), "it holds half a character, a lone surrogate")
    return read


def _besides_arguments(read: Message) -> str:
    """What a message holds that no tool looks at, as text."""
    plain = read.model_dump()
    if plain.get("method") == "tools/call" and plain["params"]:
        plain["params"].pop("arguments", None)
    return json.dumps(plain, ensure_ascii=False)


def _wrong(found: object) -> str:
    """What keeps a value from being a message."""
    if not isinstance(found, dict):
        return "it is no object"
    checks = (
        (found.get("jsonrpc") == "2.0", 'jsonrpc is not "2.0"'),
        (isinstance(found.get("method", ""), str), "the method is not text"),
        (isinstance(found.get("params") or {}, dict), "params is no object"),
        (bool(found.keys() & {"method", "result", "error"}), "it has no method"),
    )
    return next((wrong for holds, wrong in checks if not holds), "a member is not what JSON-RPC has there")


def _outline(line: str) -> _Outline:
    members: dict[str, str] = {}
    depth, deepest, begun, name, before = 0, 0, "", "", ""
    for part in _TOKEN.findall(line):
        if part in ("{", "["):
            begun, depth = begun or part, depth + 1
            deepest = max(deepest, depth)
        elif part in ("}", "]"):
            depth -= 1
        if depth == 1 and part == ":":
            name = _text(before) or ""
        elif before == ":" and name:
            members[name], name = part, ""
        before = part
    return _Outline(members if begun == "{" else {}, deepest)


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_NUMBER else float(digits)


def _text(token: str) -> str | None:
    """A token as the text it stands for, None if it stands for none."""
    try:
        value = json.loads(token)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _whole(text: str) -> bool:
    """Whether a text can be written as UTF-8: half of a character cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
