"""glibc's allocator, told to keep what a training step frees."""

import ctypes
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
HELD_BYTES: Final = 2**30
LARGEST_HEAP_BLOCK: Final = 32 * 2**20
"""glibc takes no greater threshold."""


def keep_freed_memory() -> None:
    """Has freed blocks wait for the next step instead of going back to the kernel; nothing without glibc.

    Every step asks for the same blocks again, and fresh pages for them cost up to as much as the arithmetic.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_HEAP_BLOCK)
        mallopt(M_TRIM_THRESHOLD, HELD_BYTES)
