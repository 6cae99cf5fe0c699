"""Flags every script takes, and how a result is shown: a table for people, and one JSON object as the last line."""

import argparse
import json
from collections.abc import Mapping, Sequence

Value = float | int | str | bool
Row = Mapping[str, Value]
Result = Mapping[str, Value | Row | Sequence[Row]]


def flags(documentation: str | None) -> argparse.Namespace:
    """`quick` and `json`, from the command line."""
    parser = argparse.ArgumentParser(description=documentation, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; less exact")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    return parser.parse_args()


def show(result: Result, *, only_json: bool) -> None:
    """Prints a result."""
    if not only_json:
        for name, value in result.items():
            _show(name, value)
    print(json.dumps(result))


def _show(name: str, value: Value | Row | Sequence[Row]) -> None:
    if isinstance(value, Mapping):
        print(f"{name}: " + "  ".join(f"{key} {one}" for key, one in value.items()))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for row in value:
            _show(name, row)
    else:
        print(f"{name}: {value}")
