"""Mutations. Everything is drawn from the generator that is given, so that an input can be made again."""

import math
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

NUMBERS: Final = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 5e-324, -5e-324, 1e-300, 1e-9, 1e7, 1e7 + 1, 1e16, 1.7976931348623157e308),
    *(math.inf, -math.inf, math.nan, math.nextafter(1, 2), math.nextafter(0, -1)),
)
WHOLE: Final = (0, 1, 2, 3, 7, 63, 64, 65, 127, 128, 129, 255, 256, 1000, 1001, 4096, 10_000, 10_001, 2**16)
EDGES: Final = (-1, -(2**31), 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, -(2**63), 2**64 - 1)
NAMES: Final = (
    *("", ".", "..", "../x", "../../etc/passwd", "/etc/passwd", "a/../b", "a/b", "a\\b", "..\\..\\x", "C:\\x", "CON"),
    *("nul.txt", "COM1", "a\0b", "\0", "a\nb", "\r\nx: y", "a\u202eb", "\u0430da", "\uff0e\uff0e\uff0f", "e\u0301"),
    *("%2e%2e%2f", "%00", "-x", " ada", "ada ", "ADA", "*", "?", "~", "$(x)", "`x`", "'; --", "{0}", "%s%n", "<b>"),
    *("a" * 128, "a" * 129, "a" * 5000, "\U0001f600" * 128, "\U0001f600" * 129, "file:///x", "tinker://a/weights/b"),
)
HALF: Final = "\ud800"
"""Half of a character: JSON can say it, UTF-8 cannot."""
DEEPEST: Final = 4
MOST_REPEATED: Final = 300


def name(draw: Random) -> str:
    """A name somebody tries."""
    return draw.choice(NAMES) if draw.random() < 0.9 else "".join(chr(draw.randrange(1, 0xD800)) for _ in range(8))


def number(draw: Random) -> float:
    """A number at an edge, or anywhere."""
    if draw.random() < 0.8:
        return draw.choice(NUMBERS)
    bits: float = struct.unpack("<d", draw.randbytes(8))[0]
    return bits


def havoc(draw: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """A few changes of bytes: flipped, cut, repeated, put in, or spliced from another."""
    out = bytearray(data)
    for _ in range(1 << draw.randrange(4)):
        place = draw.randrange(len(out) + 1)
        match draw.randrange(7):
            case 0 if out:
                out[place % len(out)] ^= 1 << draw.randrange(8)
            case 1:
                del out[place : place + draw.randrange(1, 9)]
            case 2:
                out[place:place] = draw.randbytes(draw.randrange(1, 9))
            case 3:
                out[place:place] = out[place : place + 32] * draw.choice((1, 2, 50))
            case 4:
                out[place : place + 1] = draw.choice((b"\xff" * 10, b"\x80" * 9 + b"\x01", b"\x00", b"\x0b", b"\x7f"))
            case 5 if others:
                other = draw.choice(others)
                out[place:] = other[draw.randrange(len(other) + 1) :]
            case _:
                del out[place:]
    return bytes(out[: 1 << 20])


def spoil(draw: Random, message: Message) -> Message:
    """Changes a few fields of a message in place, at any depth, to what the type can hold at its worst."""
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        _spoil_one(draw, _somewhere(draw, message))
    return message


def _somewhere(draw: Random, message: Message) -> Message:
    """The message, or one in it."""
    for _ in range(DEEPEST):
        inner = [part for field, value in message.ListFields() for part in _messages(field, value)]
        if not inner or draw.random() < 0.35:
            break
        message = draw.choice(inner)
    return message


def _messages(field: FieldDescriptor, value: Any) -> list[Message]:
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return []
    return list(value)[:64] if field.is_repeated else [value]


def _spoil_one(draw: Random, message: Message) -> None:
    fields = message.DESCRIPTOR.fields
    if not fields or draw.random() < 0.05:
        message.MergeFromString(_unknown(draw))
        return
    field = draw.choice(fields)
    held: Any = getattr(message, field.name)
    if draw.random() < 0.15:
        message.ClearField(field.name)
    elif field.is_repeated:
        _spoil_many(draw, field, held)
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        held.SetInParent()
        if draw.random() < 0.7:
            _spoil_one(draw, held)
    else:
        setattr(message, field.name, _value(draw, field))


def _spoil_many(draw: Random, field: FieldDescriptor, held: Any) -> None:
    count = draw.choice((1, 1, 2, 8, 128, 129, MOST_REPEATED))
    if held and draw.random() < 0.4:
        one = draw.randrange(len(held))
        if field.type == FieldDescriptor.TYPE_MESSAGE and draw.random() < 0.6:
            held.extend([held[one]] * count)
        else:
            del held[one:]
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        added = held.add()
        _spoil_one(draw, added)
        held.extend([added] * (count - 1))
    else:
        held.extend([_value(draw, field)] * count)


def _value(draw: Random, field: FieldDescriptor) -> Any:
    kinds = FieldDescriptor
    if field.type in (kinds.TYPE_DOUBLE, kinds.TYPE_FLOAT):
        return number(draw)
    if field.type == kinds.TYPE_BOOL:
        return draw.random() < 0.5
    if field.type == kinds.TYPE_STRING:
        return name(draw)
    if field.type == kinds.TYPE_BYTES:
        return draw.randbytes(draw.randrange(40))
    low, high = _range(field)
    return min(max(draw.choice(WHOLE + EDGES), low), high)


def _range(field: FieldDescriptor) -> tuple[int, int]:
    kinds = FieldDescriptor
    if field.type in (kinds.TYPE_UINT32, kinds.TYPE_FIXED32):
        return 0, 2**32 - 1
    if field.type in (kinds.TYPE_UINT64, kinds.TYPE_FIXED64):
        return 0, 2**64 - 1
    if field.type in (kinds.TYPE_INT64, kinds.TYPE_SINT64, kinds.TYPE_SFIXED64):
        return -(2**63), 2**63 - 1
    return -(2**31), 2**31 - 1


def _unknown(draw: Random) -> bytes:
    """A field of a number that no message here has."""
    tag = (draw.choice((99, 15, 2000, 2**29 - 1)) << 3) | 2
    return _varint(tag) + b"\x05hello"


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def spoiled_json(draw: Random, value: Any) -> Any:
    """A JSON value with a few of its parts changed, removed, renamed, repeated or nested."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        value = _altered(draw, value, DEEPEST)
    return value


def _altered(draw: Random, value: Any, depth: int) -> Any:
    if isinstance(value, dict) and value and depth and draw.random() < 0.85:
        changed, key = dict(value), draw.choice(list(value))
        match draw.randrange(8):
            case 0:
                del changed[key]
            case 1:
                changed[name(draw)] = changed.pop(key)
            case 2:
                changed[name(draw)] = changed[key]
            case _:
                changed[key] = _altered(draw, changed[key], depth - 1)
        return changed
    if isinstance(value, list) and value and depth and draw.random() < 0.8:
        place = draw.randrange(len(value))
        if draw.random() < 0.3:
            return [*value[:place], *[value[place]] * draw.choice((0, 2, 129)), *value[place + 1 :]]
        return [*value[:place], _altered(draw, value[place], depth - 1), *value[place + 1 :]]
    return draw.choice(_JSON)(draw)


def _nested(draw: Random) -> Any:
    value: Any = 1
    for _ in range(draw.choice((3, 50, 200))):
        value = [value] if draw.random() < 0.5 else {"a": value}
    return value


_JSON: Final[tuple[Callable[[Random], Any], ...]] = (
    number,
    name,
    lambda draw: draw.choice(WHOLE + EDGES),
    lambda draw: draw.choice((None, True, False, [], {}, "", "x", "1", HALF, "x" * 40_000, 10**400)),
    _nested,
)
