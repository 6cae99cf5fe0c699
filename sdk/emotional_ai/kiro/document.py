"""A JSON text changed member by member: what is not changed stays as it was written, to the byte."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from emotional_ai.kiro.errors import SettingsBroken

MARK: Final = "\ufeff"
"""A byte order mark, as text; JSON has none."""
BLANK: Final = " \t\r\n"
INDENT: Final = "  "
"""A level of indentation, in a text that shows none."""

SHOWN: Final = 200
"""Characters of a value that a message shows."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value, and where it stands: from `start` up to `end`."""

    start: int
    end: int
    value: object
    members: "Mapping[str, Member]" = field(default_factory=dict)
    """Members of an object, in order; of another value there are none."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object: where its name stands, and its value."""

    start: int
    node: Node


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON text, and what it says. `path` names it in errors."""

    path: Path
    text: str
    root: Node

    @classmethod
    def of(cls, text: str, path: Path) -> Self:
        """Reads a text. Raises SettingsBroken for one that is not JSON, or that gives a name twice in an object."""
        if text.startswith(MARK):
            raise SettingsBroken.at(
                path, text, 0, "is not JSON: JSON has no byte order mark, and here is one; save it as UTF-8 without one"
            )
        if not text.strip(BLANK):
            raise SettingsBroken.at(path, text, 0, "is empty; write {} into it, or remove it")
        try:
            json.loads(text, parse_int=float)
            scanner = _Scanner(text, path)
            return cls(path, text, scanner.value(scanner.past_blank(0)))
        except json.JSONDecodeError as error:
            raise SettingsBroken.at(path, text, error.pos, f"is not JSON: {_reason(text, error)}") from error
        except RecursionError as error:
            raise SettingsBroken.at(path, text, 0, "is nested too deeply") from error

    def broken(self, node: Node, what: str) -> SettingsBroken:
        """An error at a value."""
        return SettingsBroken.at(self.path, self.text, node.start, what)

    def shown(self, node: Node) -> str:
        """A value as it is written, on one line and shortened."""
        text = " ".join(self.text[node.start : node.end].split())
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."

    def put(self, where: Sequence[str], value: object) -> Self:
        """This document with a member given a value: its own place if it is there, the last if not.

        `where` names the objects from the root to the member; all but the last must be there.
        """
        *outer, name = where
        node = self.root
        for step in outer:
            node = node.members[step].node
        member = node.members.get(name)
        if member is not None:
            return self._replaced(member.node, _rendered(value, self._layout(member.start)))
        if node.members:
            return self._appended(node, name, value)
        return self._replaced(node, _rendered({name: value}, self._layout(node.start)))

    def _appended(self, node: Node, name: str, value: object) -> Self:
        last = list(node.members.values())[-1]
        before = self.text[: last.start]
        gap = before[len(before.rstrip(BLANK)) :]
        layout = self._layout(last.start) if "\n" in gap else None
        written = f",{gap or ' '}{json.dumps(name)}: {_rendered(value, layout)}"
        return self._edited(last.node.end, last.node.end, written)

    def _replaced(self, node: Node, written: str) -> Self:
        return self._edited(node.start, node.end, written)

    def _edited(self, start: int, end: int, written: str) -> Self:
        return self.of(self.text[:start] + written + self.text[end:], self.path)

    def _layout(self, index: int) -> "_Layout":
        """How what stands in the line of a character is laid out."""
        line = self.text[self.text.rfind("\n", 0, index) + 1 : index]
        outer = line[: len(line) - len(line.lstrip(" \t"))]
        return _Layout(outer, self._indent(), "\r\n" if "\r\n" in self.text else "\n")

    def _indent(self) -> str:
        """A level of indentation, as the members of the root show it."""
        for member in self.root.members.values():
            above, _, indent = self.text[self.root.start : member.start].rpartition("\n")
            if above and indent and not indent.strip(" \t"):
                return indent
        return INDENT


@dataclass(frozen=True, slots=True)
class _Layout:
    """Indentation of the line a value begins in, that of a level, and the end of a line."""

    outer: str
    level: str
    newline: str


def _rendered(value: object, layout: _Layout | None) -> str:
    """A value as JSON: an object a member a line, on one line without a layout; everything else on one line."""
    if not isinstance(value, dict) or not value or layout is None:
        return json.dumps(value, ensure_ascii=False)
    inner = _Layout(layout.outer + layout.level, layout.level, layout.newline)
    members = [
        f"{inner.outer}{json.dumps(name, ensure_ascii=False)}: {_rendered(one, inner)}" for name, one in value.items()
    ]
    return layout.newline.join(["{", f",{layout.newline}".join(members), f"{layout.outer}}}"])


class _Scanner:
    """Finds where values stand in a text that is known to be JSON."""

    def __init__(self, text: str, path: Path) -> None:
        self._text = text
        self._path = path
        self._decoder = json.JSONDecoder(parse_int=float)

    def value(self, at: int) -> Node:
        """The value that begins at a character."""
        match self._text[at]:
            case "{":
                return self._object(at)
            case "[":
                return self._list(at)
            case _:
                return self._plain(at)

    def past_blank(self, at: int) -> int:
        """The first character from `at` on that is not blank."""
        while at < len(self._text) and self._text[at] in BLANK:
            at += 1
        return at

    def _object(self, start: int) -> Node:
        members: dict[str, Member] = {}
        at = self.past_blank(start + 1)
        while self._text[at] != "}":
            name = self._plain(at)
            key = str(name.value)
            if key in members:
                raise SettingsBroken.at(self._path, self._text, at, f"{json.dumps(key)} is given twice in one object")
            members[key] = Member(at, self.value(self.past_blank(self.past_blank(name.end) + 1)))
            at = self._next(members[key].node.end)
        return Node(start, at + 1, {key: member.node.value for key, member in members.items()}, members)

    def _list(self, start: int) -> Node:
        items: list[object] = []
        at = self.past_blank(start + 1)
        while self._text[at] != "]":
            item = self.value(at)
            items.append(item.value)
            at = self._next(item.end)
        return Node(start, at + 1, items)

    def _plain(self, start: int) -> Node:
        if self._text.startswith(("NaN", "Infinity", "-Infinity"), start):  # Python reads them, JSON has none
            raise SettingsBroken.at(self._path, self._text, start, "is not JSON: a number must be finite")
        value, end = self._decoder.raw_decode(self._text, start)
        return Node(start, end, value)

    def _next(self, at: int) -> int:
        """Past a comma, if one follows."""
        at = self.past_blank(at)
        return self.past_blank(at + 1) if self._text[at] == "," else at


def _reason(text: str, error: json.JSONDecodeError) -> str:
    if text.startswith(("//", "/*", "#"), error.pos):
        return "JSON has no comments, and here is one"
    if text[error.pos : error.pos + 1] in ("}", "]") and text[: error.pos].rstrip(BLANK).endswith(","):
        return "a comma with nothing after it"
    return error.msg
