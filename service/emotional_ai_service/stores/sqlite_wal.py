"""The write-ahead log of a SQLite database, read by its format before SQLite opens it.

    header           how to read the log, its salts, and a sum over all that
    frame frame ...  a page each; the last one of a transaction says how long the database is then

The sum of a frame goes on from that of the frame before it, so one damaged byte breaks every sum from there on. SQLite takes
the log up to there, drops the rest without a word, and deletes it. At the end of a log that is right: there lies what was under
way when the process was killed. In its middle it loses what was acknowledged. Which it is the salts tell, which every frame
repeats: by them the ends of transactions behind the break are found. No damage, behind the last whole transaction, are

- a transaction cut anywhere, and what was rolled back: frames with the salts of the log, none of them an end
- frames of an earlier round, with other salts: a log that is all in the database is written anew from its beginning
- an end with a wrong sum and no end behind it. A frame is written in two parts, its head and its page; a kill between them
  leaves that where pages of an earlier round are written over. Damage to the very last frame cannot be told from it

The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_SUMMED_OF_HEADER: Final = 24
_SUMMED_OF_FRAME: Final = 8
_BYTE_ORDERS: Final = {0x377F0682: "<", 0x377F0683: ">"}
"""Of the words that are summed, by the magic number; everything else is big-endian."""
_VERSION: Final = 3_007_000
_PAGE_SIZES: Final = {1 << power for power in range(9, 17)}
_LOW: Final = 0xFFFF_FFFF

_Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class LogReading:
    """How far a log can be read, and what is behind that."""

    kept_bytes: int
    """Its length up to the end of the last transaction that SQLite takes from it."""
    broken_at: int
    """Byte where the first frame begins that does not continue the log; its end if there is none."""
    dropped: int
    """Transactions whose end is there and that SQLite drops, the one that ends with the broken frame among them."""
    followed: bool
    """An end of a transaction lies behind the broken frame: one process, writing in order, cannot leave that."""


def read_log(path: Path) -> LogReading | None:
    """Reads the log at `path` frame by frame; None if its header is damaged. Raises OSError.

    A log no longer than a header is an empty one, as it is to SQLite. About 16 ms a MiB on an idle core.
    """
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
        if not file.peek(1):
            return LogReading(len(header), len(header), 0, False)
        magic, version, page_bytes, _, *rest = _HEADER.unpack(header)
        salts, sums = (rest[0], rest[1]), (rest[2], rest[3])
        order = _BYTE_ORDERS.get(magic)
        if order is None or version != _VERSION or page_bytes not in _PAGE_SIZES:
            return None
        if _summed(order, header[:_SUMMED_OF_HEADER], (0, 0)) != sums:
            return None
        return _read_frames(_frames(file, page_bytes), _FRAME.size + page_bytes, order, salts, sums)


class _Frame(NamedTuple):
    """A frame that is there in its full length."""

    ends: bool
    salts: _Pair
    sums: _Pair
    summed: bytes


def _frames(file: BinaryIO, page_bytes: int) -> Iterator[_Frame]:
    while len(head := file.read(_FRAME.size)) == _FRAME.size and len(page := file.read(page_bytes)) == page_bytes:
        _, database_pages, salt_1, salt_2, sum_1, sum_2 = _FRAME.unpack(head)
        yield _Frame(database_pages != 0, (salt_1, salt_2), (sum_1, sum_2), head[:_SUMMED_OF_FRAME] + page)


def _read_frames(frames: Iterator[_Frame], frame_bytes: int, order: str, salts: _Pair, sums: _Pair) -> LogReading:
    kept = position = _HEADER.size
    for frame in frames:
        sums = _summed(order, frame.summed, sums)
        if frame.sums != sums or frame.salts != salts:
            # Whose sum is right goes on from the frame before: it is the salts that are damaged.
            dropped = frame.ends and (frame.salts == salts or frame.sums == sums)
            behind = sum(later.ends and later.salts == salts for later in frames)
            return LogReading(kept, position, dropped + behind, behind > 0)
        position += frame_bytes
        if frame.ends:
            kept = position
    return LogReading(kept, position, 0, False)


def _summed(order: str, data: bytes, sums: _Pair) -> _Pair:
    """The running sum carried on over `data`, whose length is a multiple of 8."""
    one, two = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        one = one + first + two & _LOW
        two = two + second + one & _LOW
    return one, two
