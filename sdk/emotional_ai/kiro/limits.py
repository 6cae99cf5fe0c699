"""What of a list of tools Kiro cannot take: names it refuses, schemas that lose tools or break the chat."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

LONGEST_NAME: Final = 64
"""Characters of a tool's name."""
NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
BREAKING: Final = frozenset({"$ref", "$defs", "anyOf", "oneOf", "allOf"})
BY_NAME: Final = frozenset({"properties", "patternProperties"})
"""Keywords whose members are named by the tool, each a schema."""
DATA: Final = frozenset({"default", "const", "enum", "examples"})
"""Keywords whose values are no schemas, whatever they look like."""


def refused_name(name: object) -> str:
    """What is wrong with a tool's name, in words; empty if nothing is."""
    if not isinstance(name, str):
        return f"{name!r} is no name"
    if len(name) > LONGEST_NAME:
        return f"{name} has {len(name)} characters, over {LONGEST_NAME}"
    return "" if NAME.fullmatch(name) else f"{name!r} is not letters, digits and _ after a letter"


def refused_schema(schema: object) -> tuple[str, ...]:
    """Where a tool's input schema holds what Kiro cannot take, as paths and keywords; nowhere if none is said."""
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        return ("the type must be object",)
    try:
        return tuple(_breaking(schema, ""))
    except RecursionError:
        return ("it is nested too deeply",)


def _breaking(schema: object, path: str) -> Iterator[str]:
    if isinstance(schema, list):
        for one in schema:
            yield from _breaking(one, path)
    elif isinstance(schema, Mapping):
        for keyword, value in schema.items():
            if keyword in BREAKING:
                yield f"{path}{keyword}"
            elif keyword in BY_NAME and isinstance(value, Mapping):
                for name, one in value.items():
                    yield from _breaking(one, f"{path}{name}.")
            elif keyword not in DATA:
                yield from _breaking(value, path)
