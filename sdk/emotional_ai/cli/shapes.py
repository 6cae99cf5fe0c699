"""Reading JSON of a known shape: what is not of it is refused with its place."""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass


class Malformed(Exception):
    """A value is not of the shape it must have. `place` is its path, such as `cases[3].x0`."""

    def __init__(self, place: str, what: str) -> None:
        super().__init__(f"{place}: {what}" if place else what)


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and where it stands."""

    path: str
    value: object

    def fields(self) -> Mapping[str, "Node"]:
        """The fields of an object."""
        if not isinstance(self.value, dict):
            raise Malformed(self.path, f"must be an object, got {shown(self.value)}")
        return {name: Node(f"{self.path}.{name}".lstrip("."), value) for name, value in self.value.items()}

    def get(self, name: str) -> "Node | None":
        """A field that may be missing."""
        return self.fields().get(name)

    def __getitem__(self, name: str) -> "Node":
        found = self.get(name)
        if found is None:
            raise Malformed(f"{self.path}.{name}".lstrip("."), "is missing")
        return found

    def items(self) -> Sequence["Node"]:
        """The items of a list."""
        if not isinstance(self.value, list):
            raise Malformed(self.path, f"must be a list, got {shown(self.value)}")
        return [Node(f"{self.path}[{index}]", value) for index, value in enumerate(self.value)]

    def listed(self, name: str) -> Sequence["Node"]:
        """The items of a field that may be missing."""
        found = self.get(name)
        return () if found is None else found.items()

    def number(self) -> float:
        """A finite number."""
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            with suppress(OverflowError):
                number = float(self.value)
                if math.isfinite(number):
                    return number
        raise Malformed(self.path, f"must be a finite number, got {shown(self.value)}")

    def whole(self) -> int:
        """A whole number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise Malformed(self.path, f"must be a whole number, got {shown(self.value)}")
        return self.value

    def numbers(self, count: int | None = None) -> Sequence[float]:
        """A list of finite numbers, `count` of them if given."""
        found = [item.number() for item in self.items()]
        if count is not None and len(found) != count:
            raise Malformed(self.path, f"must be {count} numbers, got {len(found)}")
        return found

    def rows(self, count: int, width: int) -> Sequence[Sequence[float]]:
        """`count` rows of `width` finite numbers."""
        found = self.items()
        if len(found) != count:
            raise Malformed(self.path, f"must be {count} rows, one per time, got {len(found)}")
        return [row.numbers(width) for row in found]

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise Malformed(self.path, f"must be a string, got {shown(self.value)}")
        return self.value


def parsed(text: str) -> Node:
    """JSON of any shape. Raises Malformed for text that is not JSON, for an object that has a field twice, and for numbers and
    nesting beyond what can be read."""
    try:
        return Node("", json.loads(text, parse_int=_whole, object_pairs_hook=_object))
    except json.JSONDecodeError as error:
        raise Malformed("", f"is not JSON: {error}") from error
    except RecursionError as error:
        raise Malformed("", "is nested too deeply") from error


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, value in pairs:
        if name in fields:
            raise Malformed("", f"has the field {shown(name)} twice in one object")
        fields[name] = value
    return fields


def _whole(digits: str) -> int:
    try:
        return int(digits)
    except ValueError as error:
        raise Malformed("", f"holds a whole number of {len(digits)} digits, which is too long") from error


def check_finite(node: Node) -> None:
    """Raises Malformed, naming the place, for a number within `node` that JSON cannot express."""
    if isinstance(node.value, dict):
        for field in node.fields().values():
            check_finite(field)
    elif isinstance(node.value, list):
        for item in node.items():
            check_finite(item)
    elif isinstance(node.value, float) and not math.isfinite(node.value):
        raise Malformed(node.path, f"must be a finite number, got {node.value}")


def shown(value: object) -> str:
    """A value, shortened, for a message."""
    try:
        text = repr(value)
    except ValueError:  # a whole number with more digits than are ever written out
        return "a number too long to show"
    return text if len(text) <= 40 else text[:37] + "..."
