"""Arguments of tools: flat, described, and refused in words a language model can act on."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emotional_ai.mcp_bridge.refusals import Code, Refused

LONGEST_SHOWN: Final = 60
"""Characters of a refused value that are said back."""
MOST_TOLD: Final = 20
"""Wrong arguments that are told at once."""
WORDS: Final[Mapping[str, str]] = {
    "extra_forbidden": "is not an argument",
    "missing": "is missing",
    "string_type": "must be text",
    "string_unicode": "must be text of whole characters",
    "string_too_short": "must not be empty",
    "string_too_long": "is longer than the {max_length} characters allowed",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "bool_type": "must be true or false",
    "literal_error": "must be {expected}",
    "list_type": "must be a list",
    "too_long": "has more than the {max_length} entries allowed",
}
"""What is wrong with an argument, by pydantic's name for it: every kind that the arguments of a tool can have."""
SAY_ALL: Final = frozenset({"extra_forbidden", "missing"})
"""Kinds that say everything without the value."""


class Arguments(BaseModel):
    """Base of every tool's arguments: nothing unknown, nothing infinite, and nothing taken for what it is not."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class NoArguments(Arguments):
    """Of a tool that takes none."""


SessionId = Annotated[
    str,
    Field(
        max_length=128,
        description="Emotional session, 1..128 letters, digits or -_.: beginning with a letter or digit; "
        "left out, the one of this bridge.",
    ),
]

A = TypeVar("A", bound=Arguments)


def read(kind: type[A], given: Mapping[str, Any], tool: str) -> A:
    """The arguments of a call. Raises Refused naming each that is wrong and what is allowed."""
    try:
        return kind.model_validate({name: _whole(value) for name, value in given.items()})
    except ValidationError as error:
        every = error.errors()
        wrong = [_told(one) for one in every[:MOST_TOLD]]
        if len(every) > MOST_TOLD:
            wrong.append(f"and {len(every) - MOST_TOLD} more")
        unknown = any(one["type"] == "extra_forbidden" for one in every)
        takes = f"; {tool} takes {', '.join(kind.model_fields) or 'no arguments'}" if unknown else ""
        raise Refused(Code.INVALID_ARGUMENT, "; ".join(wrong) + takes) from error


def schema(kind: type[Arguments], defaults: Mapping[str, str]) -> dict[str, Any]:
    """The JSON schema of a tool's arguments; `defaults` are known only to the running bridge."""
    told = plain(kind.model_json_schema())
    for name, value in defaults.items():
        if name in told["properties"]:
            told["properties"][name]["default"] = value
    return told


def plain(told: dict[str, Any]) -> dict[str, Any]:
    """A schema without pydantic's titles and its name for the class, which say nothing new."""
    properties = {
        name: {key: value for key, value in one.items() if key != "title"}
        for name, one in told.get("properties", {}).items()
    }
    kept = {key: value for key, value in told.items() if key not in ("title", "description", "properties")}
    return {**kept, "properties": properties}


def _told(error: Any) -> str:
    name, kind = ".".join(str(part)[:LONGEST_SHOWN] for part in error["loc"]), error["type"]
    name = name or "the name of an argument"
    limits = {key: str(value).removesuffix(".0") for key, value in error.get("ctx", {}).items()}
    wrong = WORDS[kind].format_map(limits) if kind in WORDS else error["msg"]
    return f"{name} {wrong}" if kind in SAY_ALL else f"{name} {wrong}, got {_shown(error['input'])}"


def _shown(given: object) -> str:
    if isinstance(given, str) and len(given) > LONGEST_SHOWN:
        return f"{len(given)} characters"
    # What Python spells otherwise than JSON is said as whoever sent it wrote it.
    shown = json.dumps(given) if given is None or isinstance(given, bool | list | dict) else repr(given)
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}..."


def _whole(value: object) -> object:
    """JSON knows one kind of number: 160.0 is as whole as 160."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
