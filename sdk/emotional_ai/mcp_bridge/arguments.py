"""Arguments of tools: flat, described, and refused in words a language model can act on."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emotional_ai.mcp_bridge.refusals import Code, Refused

LONGEST_SHOWN: Final = 60
"""Characters of a refused value that are said back."""


class Arguments(BaseModel):
    """Base of every tool's arguments: nothing unknown, nothing infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NoArguments(Arguments):
    """Of a tool that takes none."""


SessionId = Annotated[
    str,
    Field(max_length=128, description="Emotional session, 1..128 characters; left out, the one of this bridge."),
]

A = TypeVar("A", bound=Arguments)


def read(kind: type[A], given: Mapping[str, Any], tool: str) -> A:
    """The arguments of a call. Raises Refused naming each that is wrong and what is allowed."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        wrong = [_told(one["type"], ".".join(map(str, one["loc"])), one) for one in error.errors()]
        unknown = any(one["type"] == "extra_forbidden" for one in error.errors())
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


def _told(kind: str, name: str, error: Any) -> str:
    match kind:
        case "extra_forbidden":
            return f"{name} is not an argument"
        case "missing":
            return f"{name} is missing"
        case _:
            given = repr(error["input"])
            shown = given if len(given) <= LONGEST_SHOWN else f"{given[:LONGEST_SHOWN]}... ({len(given)} characters)"
            return f"{name} {error['msg'].removeprefix('Input ').removeprefix('Value ')}, got {shown}"
