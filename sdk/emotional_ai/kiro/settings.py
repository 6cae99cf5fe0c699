"""The bridge's entry in Kiro's mcp.json: text in, text out. Other servers and what Kiro or a person added are kept.

What is refreshed is how the bridge is started; whether it is on, what it may do unasked and its variables are left to whoever
set them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Final, Self

from emotional_ai.connection import service_address
from emotional_ai.kiro.document import Document, Node
from emotional_ai.kiro.errors import SettingsBroken
from emotional_ai.mcp_bridge.settings import Toolset, toolsets
from emotional_ai.names import session_id

SERVERS: Final = "mcpServers"
SERVER: Final = "emotion_engine"
APPROVED: Final = ("get_emotional_state", "update_emotion")
"""Tools Kiro calls unasked, in a new entry."""
EVERY_TOOL: Final = "*"
"""Approves every tool of a server."""
TRAININGS: Final = ("start_training",)
"""Tools that cost hours of a processor."""
MODULE: Final = ("-P", "-m", "emotional_ai.mcp_bridge")
"""Starts the bridge; with -P, modules of the folder it is started in do not take the place of those it needs."""
TAKEN: Final[Mapping[str, Callable[[str], object]]] = {
    "--target": service_address,
    "--session": session_id,
    "--toolsets": toolsets,
}
"""Flags of the bridge with a value, and what refuses a wrong one."""
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


@dataclass(frozen=True, slots=True)
class Flags:
    """What an entry passes on to the bridge; None where it says nothing."""

    target: str | None = None
    session: str | None = None
    toolsets: str | None = None
    autostart: bool | None = None
    read_only: bool | None = None

    def over(self, there: "Flags") -> "Flags":
        """These, and of others what these say nothing of."""
        given = {one.name: value for one in fields(self) if (value := getattr(self, one.name)) is not None}
        return replace(there, **given)

    def arguments(self) -> tuple[str, ...]:
        """As arguments of the bridge."""
        named = (("--target", self.target), ("--session", self.session), ("--toolsets", self.toolsets))
        switches = (("--autostart", self.autostart), ("--read-only", self.read_only))
        values = [part for flag, value in named if value is not None for part in (flag, value)]
        return (*values, *(flag for flag, on in switches if on))

    @classmethod
    def of(cls, args: Sequence[str]) -> Self:
        """Those of an entry that starts the bridge, as far as the bridge takes them; none of another."""
        for start in (MODULE, MODULE[1:]):
            if tuple(args[: len(start)]) == start:
                return cls._read(args[len(start) :])
        return cls()

    @classmethod
    def _read(cls, passed: Sequence[str]) -> Self:
        values: dict[str, str] = {}
        parts = iter(passed)
        for part in parts:
            flag, given, value = part.partition("=")
            if flag in TAKEN:
                values[flag] = value if given else next(parts, "")
        return cls(
            target=_taken("--target", values),
            session=_taken("--session", values),
            toolsets=_taken("--toolsets", values),
            autostart="--autostart" in passed or None,
            read_only="--read-only" in passed or None,
        )


def _taken(flag: str, values: Mapping[str, str]) -> str | None:
    """The value of a flag if the bridge takes it; one that it refuses would keep it from starting."""
    value = values.get(flag)
    if value is None:
        return None
    try:
        TAKEN[flag](value)
    except ValueError:
        return None
    return value


def bridge_entry(python: Path, flags: Flags) -> Entry:
    """An entry that starts the bridge with an interpreter, and passes flags on to it.

    Raises ValueError for an interpreter whose path is not absolute, as Kiro would not find it.
    """
    if not python.is_absolute():
        raise ValueError(f"the interpreter must be named by an absolute path, got {python}")
    return Entry(str(python), (*MODULE, *flags.arguments()))


def flags(text: str | None, path: Path) -> Flags:
    """What the entry of settings passes on to the bridge. Raises SettingsBroken for settings that Kiro would not read."""
    node = None if text is None else _bridge(Document.of(text, path))
    args = None if node is None or "args" not in node.members else node.members["args"].node.value
    return Flags.of([str(one) for one in args]) if isinstance(args, list) else Flags()


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
    """What was set by hand and lets Kiro use the bridge otherwise than a new entry would, in words."""
    every = EVERY_TOOL in found.auto_approve
    unasked = [name for name in TRAININGS if name in found.auto_approve or (every and _trains(found))]
    asked = [] if every else [name for name in APPROVED if name not in found.auto_approve]
    told = (
        (found.disabled, "disabled is true, so Kiro does not start it"),
        (bool(asked), f"autoApprove leaves out {', '.join(asked)}, so Kiro asks before each call"),
        (bool(unasked), f"autoApprove lets Kiro call {', '.join(unasked)} unasked: a training can start without you"),
        (bool(found.disabled_tools), f"disabledTools hides {', '.join(found.disabled_tools)}"),
    )
    return tuple(text for holds, text in told if holds)


def _trains(found: Entry) -> bool:
    """Whether the bridge of an entry offers trainings."""
    return Toolset.TRAINING in toolsets(Flags.of(found.args).toolsets or Toolset.EMOTION.value)


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
