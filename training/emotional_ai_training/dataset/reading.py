"""Reading prepared rows back: every field is checked, and a bad one is named by line and field."""

import codecs
import json
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from emotional_ai_training.conditioning import ADAPTERS, Levels, conditioning_tokens
from emotional_ai_training.dataset.errors import DataUnreadable, MalformedRow
from emotional_ai_training.dataset.rows import (
    CHEMICALS,
    HEAVIEST,
    REPLAY,
    SCHEMA,
    STATE_LABELS,
    Labels,
    Message,
    News,
    Role,
    Row,
    Source,
    Split,
)
from emotional_ai_training.showing import shown

_Choice = TypeVar("_Choice", bound=StrEnum)
_FIELDS: Final = ("id", "schema", *(name for name in Row.__dataclass_fields__ if name != "id"))


class _Refused(Exception):
    """A field's problem, before line and file are known."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem


def read_rows(path: Path) -> list[Row]:
    """Reads a prepared file. Raises MalformedRow, naming line and field with what is allowed, or DataUnreadable."""
    rows: list[Row] = []
    seen: set[str] = set()
    for number, line in enumerate(_lines(path), start=1):
        try:
            row = _row(line)
            if row.id in seen:
                raise _Refused("id", f"{shown(row.id)} is the id of an earlier row")
        except _Refused as refused:
            raise MalformedRow(path, number, refused.field, refused.problem) from None
        except RecursionError:  # by the parser, or by showing what it only just read
            raise MalformedRow(path, number, "row", "lists or objects are nested too deeply for a row") from None
        seen.add(row.id)
        rows.append(row)
    return rows


def _lines(path: Path) -> Iterator[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataUnreadable(path, f"cannot be read: {error.strerror}") from error
    content = content.removeprefix(codecs.BOM_UTF8)  # as editors on Windows write it
    if not content.strip():
        raise DataUnreadable(path, "it holds no rows")
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedRow(path, number, "row", f"not UTF-8: {error.reason} at byte {error.start}") from error


def _row(line: str) -> Row:
    fields = _object(line)
    if fields["schema"] != SCHEMA:
        raise _Refused("schema", f"{shown(fields['schema'])} is not {SCHEMA}")
    row = Row(
        id=_text(fields, "id", empty=False),
        split=_choice(fields, "split", Split),
        state_label=_one_of(fields, "state_label", STATE_LABELS),
        neuro=_neuro(fields),
        prefix=_text(fields, "prefix"),
        gloss=_text(fields, "gloss"),
        messages=_messages(fields),
        labels=_labels(fields),
        weight=_number(fields, "weight", "weight"),
        reward=None if fields["reward"] is None else _number(fields, "reward", "reward"),
        judge=_judge(fields),
        source=_choice(fields, "source", Source),
        licence=_text(fields, "licence", empty=False),
    )
    _check_whole(row)
    return row


def _object(line: str) -> dict[str, object]:
    if not line.strip():
        raise _Refused("row", "the line is empty")
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise _Refused("row", f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise _Refused("row", "not a JSON object")
    for name in _FIELDS:
        if name not in fields:
            raise _Refused(name, "the field is missing")
    for name in fields:
        if name not in _FIELDS:
            raise _Refused("row", f"there is no field {shown(name)}; the fields are {', '.join(_FIELDS)}")
    return fields


def _check_whole(row: Row) -> None:
    """Refuses fields that contradict each other."""
    if (row.neuro is None) != (row.state_label == REPLAY):
        raise _Refused("neuro", f"null in rows of state {REPLAY}, and only there")
    expected = "" if row.neuro is None else conditioning_tokens(row.neuro)
    if row.prefix != expected:
        raise _Refused("prefix", f"{shown(row.prefix)} does not tell neuro, which is {expected!r}")
    if not 0 < row.weight <= HEAVIEST:
        raise _Refused("weight", f"{row.weight} is not above 0 and at most {HEAVIEST:.0f}")
    if row.labels.replay != (row.state_label == REPLAY):
        raise _Refused("labels.replay", f"true in rows of state {REPLAY}, and only there")


def _text(fields: Mapping[str, object], name: str, *, inside: str = "", empty: bool = True) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not (value or empty):
        raise _Refused(inside + name, f"{shown(value)} is not {'a' if empty else 'a non-empty'} string")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # which JSON can spell
        half = f"character {error.start + 1}, {value[error.start]!r}, is half a character"
        raise _Refused(inside + name, f"{half}; a string must be valid Unicode") from error
    return value


def _one_of(fields: Mapping[str, object], name: str, allowed: tuple[str, ...], inside: str = "") -> str:
    value = fields.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise _Refused(inside + name, f"{shown(value)} is not one of {', '.join(allowed)}")
    return value


def _choice(fields: Mapping[str, object], name: str, kind: type[_Choice], inside: str = "") -> _Choice:
    return kind(_one_of(fields, name, tuple(kind), inside))


def _flag(fields: Mapping[str, object], name: str, inside: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise _Refused(inside + name, f"{shown(value)} is not true or false")
    return value


def _number(fields: Mapping[str, object], name: str, field: str) -> float:
    value = fields.get(name)
    # JSON as Python reads it knows NaN and Infinity; neither may reach a loss.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise _Refused(field, f"{shown(value)} is not a finite number of 64 bits")
    return float(value)


def _share(fields: Mapping[str, object], name: str, field: str) -> float:
    value = _number(fields, name, field)
    if not 0 <= value <= 1:
        raise _Refused(field, f"{value} is not within 0 to 1")
    return value


def _neuro(fields: Mapping[str, object]) -> Levels | None:
    if fields["neuro"] is None:
        return None
    value = _mapping(fields, "neuro", CHEMICALS)
    dopamine, serotonin, cortisol, oxytocin = (_share(value, name, f"neuro.{name}") for name in CHEMICALS)
    return dopamine, serotonin, cortisol, oxytocin


def _judge(fields: Mapping[str, object]) -> dict[str, float] | None:
    if fields["judge"] is None:
        return None
    value = _mapping(fields, "judge", ADAPTERS)
    return {state: _share(value, state, f"judge.{state}") for state in ADAPTERS}


def _labels(fields: Mapping[str, object]) -> Labels:
    value = _mapping(fields, "labels", tuple(Labels.__dataclass_fields__))
    return Labels(
        news=_choice(value, "news", News, "labels."),
        topic=_text(value, "topic", inside="labels."),
        replay=_flag(value, "replay", "labels."),
    )


def _mapping(fields: Mapping[str, object], name: str, keys: tuple[str, ...]) -> Mapping[str, object]:
    value = fields[name]
    if not isinstance(value, dict) or set(value) != set(keys):
        raise _Refused(name, f"not an object of exactly {', '.join(keys)}")
    return value


def _messages(fields: Mapping[str, object]) -> tuple[Message, ...]:
    value = fields["messages"]
    if not isinstance(value, list):
        raise _Refused("messages", "not a list of messages")
    messages = tuple(_message(item, f"messages[{index}]") for index, item in enumerate(value))
    roles = [message.role for message in messages]
    if roles[-2:] != [Role.USER, Role.ASSISTANT] or not messages[-1].train:
        raise _Refused("messages", "they end with a user's message and an assistant's to be trained on")
    return messages


def _message(item: object, field: str) -> Message:
    if not isinstance(item, dict) or set(item) != set(Message.__dataclass_fields__):
        raise _Refused(field, f"not an object of exactly {', '.join(Message.__dataclass_fields__)}")
    inside = f"{field}."
    role = _choice(item, "role", Role, inside)
    message = Message(role, _text(item, "content", inside=inside, empty=False), _flag(item, "train", inside))
    if message.train and role is not Role.ASSISTANT:
        raise _Refused(f"{inside}train", "only an assistant's message is trained on")
    return message
