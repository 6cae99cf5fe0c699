"""A JSON object that a client sent, taken apart by name: what does not fit is refused by its path.

A null is as good as nothing, as OpenAI's own clients send one for what is not set.
"""

import json
from collections.abc import Collection, Mapping
from typing import Final, TypeVar

from emotional_ai.web.doors.openai.refusals import Refused

T = TypeVar("T")

LONGEST_SHOWN: Final = 60
"""Characters of a refused value, or of a name, that are said back."""


class Given:
    """An object of a request; `path` is where in the request it stands, empty for the whole."""

    def __init__(self, values: Mapping[str, object], path: str = "") -> None:
        self._values = values
        self._path = path

    def path(self, name: str) -> str:
        """Where in the request a member stands."""
        shown = name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}..."
        return f"{self._path}.{shown}" if self._path else shown

    def names(self) -> list[str]:
        """Names of the members that are not null."""
        return [name for name, value in self._values.items() if value is not None]

    def value(self, name: str) -> object:
        """A member as it is; None if it is not there."""
        return self._values.get(name)

    def text(self, name: str) -> str | None:
        """A string."""
        value = self.value(name)
        return None if value is None else text_at(self.path(name), value)

    def flag(self, name: str) -> bool:
        """Whether something is wanted; false if nothing is said."""
        value = self.value(name)
        if value is None or isinstance(value, bool):
            return bool(value)
        raise self._mistyped(name, "true or false")

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number, `least` and `most` included. JSON knows one kind of number: 160.0 is as whole as 160."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._mistyped(name, "a whole number")
        if not least <= value <= most:
            raise self._out_of(name, f"from {least} to {most}")
        return value

    def number(self, name: str, least: float, most: float, *, above: bool = False, below: bool = False) -> float | None:
        """A number; `least` is included unless it must be `above`, and `most` unless it must be `below`."""
        value = self.value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._mistyped(name, "a number")
        if not least <= value <= most or (above and value == least) or (below and value == most):
            raise self._out_of(name, f"{'above' if above else 'from'} {least:g} to {'below ' if below else ''}{most:g}")
        return float(value)

    def choice(self, name: str, of: Mapping[str, T]) -> T | None:
        """What one of some words stands for."""
        word = self.text(name)
        if word is None:
            return None
        if word not in of:
            raise self._out_of(name, f"one of {', '.join(of)}")
        return of[word]

    def inner(self, name: str) -> "Given | None":
        """An object within."""
        value = self.value(name)
        return None if value is None else object_at(self.path(name), value)

    def elements(self, name: str) -> list[object] | None:
        """A list."""
        value = self.value(name)
        if value is None or isinstance(value, list):
            return value
        raise self._mistyped(name, "a list")

    def only(self, known: Collection[str], untold: Collection[str] = ()) -> None:
        """Refuses members of other names, telling those that are `known`; those `untold` are taken too."""
        for name in self.names():
            if name not in known and name not in untold:
                raise Refused(
                    f"unknown parameter: {self.path(name)}; here there are {', '.join(sorted(known))}",
                    param=self.path(name),
                    code="unknown_parameter",
                )

    def _mistyped(self, name: str, kind: str) -> Refused:
        return mistyped(self.path(name), kind, self.value(name))

    def _out_of(self, name: str, allowed: str) -> Refused:
        path = self.path(name)
        return Refused(f"{path} must be {allowed}, got {shown(self.value(name))}", param=path)


def object_at(path: str, value: object) -> Given:
    """The object at a path of the request."""
    if isinstance(value, dict):
        return Given(value, path)
    raise mistyped(path, "an object", value)


def text_at(path: str, value: object) -> str:
    """The string at a path of the request, of whole characters: JSON can write halves of them."""
    if not isinstance(value, str):
        raise mistyped(path, "text", value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Refused(f"{path} has half of a character at position {error.start}", param=path) from error
    return value


def mistyped(path: str, kind: str, value: object) -> Refused:
    """A value that is of another kind than it must be."""
    return Refused(f"{path} must be {kind}, got {shown(value)}", param=path, code="invalid_type")


def shown(value: object) -> str:
    """A value as whoever sent it wrote it, if it is short."""
    if isinstance(value, str) and len(value) > LONGEST_SHOWN:
        return f"{len(value)} characters"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    written = json.dumps(value)
    return written if len(written) <= LONGEST_SHOWN else f"{written[:LONGEST_SHOWN]}..."
