"""The disk that loses power of `benchmarks/apparatus/frail_disk.py`; the test is skipped where none can be mounted."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from benchmark_modules import frail_disk as apparatus


@contextmanager
def frail_disk(folder: Path) -> Iterator[Any]:
    """A disk of the test's own."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(apparatus.frail_disk(folder))
        except apparatus.Unmountable as error:
            pytest.skip(str(error))
        yield disk
