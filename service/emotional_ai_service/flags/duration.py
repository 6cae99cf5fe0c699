"""Spans of time as people write them: 90d, 12h, 30m."""

import re
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WRITTEN: Final = re.compile(r"([0-9]{1,6})([smhdw])")


def microseconds_of(text: str) -> int:
    """A span in microseconds. Raises ValueError for what is none."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"a span of time is a number and one of s, m, h, d, w, such as 90d or 1h; got {text[:40]!r}")
    return int(found[1]) * _UNITS[found[2]] * 1_000_000
