"""The bridge's entry in Kiro's mcp.json: text in, text out. Other servers and what Kiro or a person added are kept.

What is refreshed is how the bridge is started; whether it is on, what it may do unasked and its variables are left to whoever
set them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emotional_ai.kiro.document import Document, Node
from emotional_ai.kiro.errors import SettingsBroken

SERVERS: Final = "mcpServers"
SERVER: Final = "emotion_engine"
APPROVED: Final = ("get_emotional_state", "update_emotion")
"""Tools Kiro calls unasked, in a new entry."""
EVERY_TOOL: Final = "*"
"""Approves every tool of a server."""
REFRESHED: Final = ("command", "args")
"""What a new installation changes in an entry that is there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """How Kiro starts a server over pipes, and what it may do with it."""

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    disabled: bool = False
    auto_approve: tuple[str, ...] = APPROVED
    """Tools that are called without asking."""
    disabled_tools: tuple[str, ...] = ()
    """Tools that are not offered."""

    def members(self) -> dict[str, object]:
        """As JSON, in Kiro's names."""
        return {
            "command": self.command,
            "args": list(self.args),
            "env": dict(self.env),
            "disabled": self.disabled,
            "autoApprove": list(self.auto_approve),
            "disabledTools": list(self.disabled_tools),
        }


@dataclass(frozen=True, slots=True)
class Merged:
    """Settings that hold an entry."""

    text: str
    changes: tuple[str, ...]
    """What differs from before, in words; none if nothing does."""


def bridge_entry(
    python: Path,
    *,
    target: str | None = None,
    session: str | None = None,
    toolsets: str | None = None,
    autostart: bool = False,
    read_only: bool = False,
) -> Entry:
    """An entry that starts the bridge with an interpreter; only what is given is passed on to it.

    Raises ValueError for an interpreter whose path is not absolute, as Kiro would not find it.
    """
    if not python.is_absolute():
        raise ValueError(f"the interpreter must be named by an absolute path, got {python}")
    args = ["-m", "emotional_ai.mcp_bridge"]
    for flag, value in (("--target", target), ("--session", session), ("--toolsets", toolsets)):
        if value is not None:
            args += [flag, value]
    args += [flag for flag, wanted in (("--autostart", autostart), ("--read-only", read_only)) if wanted]
    return Entry(str(python), tuple(args))


def merged(text: str | None, wanted: Entry, path: Path) -> Merged:
    """Settings with an entry for the bridge; None stands for a file that is not there, `path` names it in errors.

    Raises SettingsBroken, with line and column, for settings that Kiro would not read.
    """
    before = Document.of("{}\n" if text is None else text, path)
    node = _bridge(before)
    if node is not None:
        _kept(before, node)
        after, changes = _refreshed(before, node, wanted)
    elif SERVERS in before.root.members:
        after, changes = before.put((SERVERS, SERVER), wanted.members()), [f"{SERVER} added"]
    else:
        after, changes = before.put((SERVERS,), {SERVER: wanted.members()}), [f"{SERVER} added"]
    return Merged(after.text, tuple(changes))


def entry(text: str, path: Path) -> Entry | None:
    """The bridge's entry, None if there is none. Raises SettingsBroken for settings that Kiro would not read."""
    document = Document.of(text, path)
    node = _bridge(document)
    return None if node is None else _kept(document, node).entry()


def remarks(found: Entry) -> tuple[str, ...]:
    """What was set by hand and keeps Kiro from using the bridge as a new entry would let it, in words."""
    every = EVERY_TOOL in found.auto_approve
    asked = [] if every else [name for name in APPROVED if name not in found.auto_approve]
    told = (
        (found.disabled, "disabled is true, so Kiro does not start it"),
        (bool(asked), f"autoApprove leaves out {', '.join(asked)}, so Kiro asks before each call"),
        (bool(found.disabled_tools), f"disabledTools hides {', '.join(found.disabled_tools)}"),
    )
    return tuple(text for holds, text in told if holds)


def _bridge(document: Document) -> Node | None:
    """The bridge's entry as it stands in the text, if it does; what holds it is checked."""
    root = _object(document, document.root, "the settings")
    if SERVERS not in root.members:
        return None
    servers = _object(document, root.members[SERVERS].node, SERVERS)
    return _object(document, servers.members[SERVER].node, SERVER) if SERVER in servers.members else None


def _object(document: Document, node: Node, what: str) -> Node:
    if not isinstance(node.value, dict):
        raise document.broken(node, f"{what} must be an object, got {document.shown(node)}")
    return node


def _refreshed(document: Document, node: Node, wanted: Entry) -> tuple[Document, list[str]]:
    after, changes = document, []
    for name, value in wanted.members().items():
        there = node.members.get(name)
        if there is None:
            changes.append(f"{name} added")
        elif name in REFRESHED and there.node.value != value:
            changes.append(f"{name} was {document.shown(there.node)}, is now {json.dumps(value, ensure_ascii=False)}")
        else:
            continue
        after = after.put((SERVERS, SERVER, name), value)
    return after, changes


def _kept(document: Document, node: Node) -> "_Members":
    """The members of an entry; those that a person sets are checked."""
    if "url" in node.members:
        raise document.broken(
            node.members["url"].node, f"{SERVER} is reached by a url, and would be started besides; take the url out"
        )
    members = _Members(document, node)
    members.variables("env")
    members.flag("disabled")
    members.texts("autoApprove")
    members.texts("disabledTools")
    return members


@dataclass(frozen=True, slots=True)
class _Members:
    """Members of an entry, each of the kind Kiro wants or refused with its place."""

    document: Document
    node: Node

    def entry(self) -> Entry:
        return Entry(
            command=self.text("command"),
            args=self.texts("args"),
            env=self.variables("env"),
            disabled=self.flag("disabled"),
            auto_approve=self.texts("autoApprove"),
            disabled_tools=self.texts("disabledTools"),
        )

    def text(self, name: str) -> str:
        value = self._value(name, None)
        if value is None:
            raise self.document.broken(self.node, f"{SERVER} has no {name}")
        if not isinstance(value, str) or not value:
            raise self._wrong(name, "must be a string that is not empty")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._value(name, [])
        if isinstance(value, list):
            texts = tuple(one for one in value if isinstance(one, str))
            if len(texts) == len(value):
                return texts
        raise self._wrong(name, "must be a list of strings")

    def variables(self, name: str) -> Mapping[str, str]:
        value = self._value(name, {})
        if isinstance(value, dict):
            texts = {key: one for key, one in value.items() if isinstance(one, str)}
            if len(texts) == len(value):
                return texts
        raise self._wrong(name, "must be an object of strings")

    def flag(self, name: str) -> bool:
        value = self._value(name, False)
        if not isinstance(value, bool):
            raise self._wrong(name, "must be true or false")
        return value

    def _value(self, name: str, default: object) -> object:
        found = self.node.members.get(name)
        return default if found is None else found.node.value

    def _wrong(self, name: str, what: str) -> SettingsBroken:
        node = self.node.members[name].node
        return self.document.broken(node, f"{SERVER}.{name} {what}, got {self.document.shown(node)}")
