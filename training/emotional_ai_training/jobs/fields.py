"""What the numbers and texts in a job's files may be, so that whatever is read from them can also be told."""

from typing import Any, Final

from emotional_ai_training.showing import shown

LAST_US: Final = 253_402_300_799_999_999
"""The end of the year 9999, the last moment that can be told, in microseconds since the epoch."""
WIDE: Final = 2**64 - 1
GREATEST: Final = {"created_us": LAST_US, "queued_us": LAST_US, "ended_us": LAST_US, "time_us": LAST_US}
"""The greatest numbers of fields of time."""


def whole(value: Any, name: str, greatest: int = 2**32 - 1) -> int:
    """A whole number in 0..greatest, or up to what a field of time may be. Raises TypeError or ValueError, naming the field."""
    greatest = GREATEST.get(name, greatest)
    if type(value) is not int:
        raise TypeError(f"{name} must be a whole number, is {shown(value)}")
    if not 0 <= value <= greatest:
        raise ValueError(f"{name} must be in 0..{greatest}, is {shown(value)}")
    return value


def number(value: Any, name: str) -> float:
    """A number; one that is not finite stays what it is. Raises TypeError or ValueError, naming the field."""
    if type(value) not in (int, float):
        raise TypeError(f"{name} must be a number, is {shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must be a number a float can hold") from None


def truth(value: Any, name: str) -> bool:
    """True or false. Raises TypeError, naming the field."""
    if type(value) is not bool:
        raise TypeError(f"{name} must be true or false, is {shown(value)}")
    return value


def text(value: Any, name: str) -> str:
    """A text of whole characters. Raises TypeError or ValueError, naming the field."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, is {shown(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} holds half a character") from None
    return value
