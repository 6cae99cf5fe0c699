"""Sessions that come and go in the decoder leave nothing behind: no block, no reply without an end, no memory."""

from pathlib import Path
from typing import Final

from decoding_life import STEPS, WARM, lived

GROWTH: Final = 4 << 20
"""Bytes of resident memory allowed; a runtime that keeps what it made for every shape takes two hundred times that."""


def test_sessions_that_come_and_go_leave_nothing_behind(tmp_path: Path) -> None:
    left = lived(tmp_path)
    assert left.open == 0
    assert left.whole
    assert min(left.complete, left.cancelled, left.moved) > 20
    assert left.growth < GROWTH, f"{left.growth / 2**20:.1f} MB more after {STEPS} steps than after {WARM}"
