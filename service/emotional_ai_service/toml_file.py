"""A TOML file as people write settings: small, of UTF-8 text, and without a key that nobody reads."""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any


class TomlUnusable(ValueError):
    """A file that cannot be read, or says what it cannot: how it is wrong, and what is allowed; without its name."""


def read_toml(path: Path, most_bytes: int) -> dict[str, Any]:
    """What a file says. Raises TomlUnusable."""
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise TomlUnusable(f"cannot be read: {error.strerror or error}") from error
    if len(content) > most_bytes:
        raise TomlUnusable(f"is larger than {most_bytes} bytes")
    try:
        return parsed(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise TomlUnusable("is not UTF-8 text") from error


def parsed(text: str) -> dict[str, Any]:
    """What a text says. Raises TomlUnusable."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise TomlUnusable(f"is not TOML: {error}") from error


def table_of(value: object, known: Collection[str]) -> Mapping[str, object]:
    """A table that has none but `known` keys. Raises TomlUnusable."""
    if not isinstance(value, dict):
        raise TomlUnusable(f"must be a table, is {value!r}")
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise TomlUnusable(f"has unknown keys {', '.join(unknown)}; there are {', '.join(known)}")
    return value
