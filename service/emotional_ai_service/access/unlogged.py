"""Keeps what callers send as metadata out of the log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

GRPC: Final = "grpc._cython.cygrpc"
"""gRPC's own logger."""


@contextmanager
def metadata_unlogged() -> Iterator[None]:
    """While it lasts gRPC does not write out the metadata it could not decode: it may be a token, mistyped by one byte.

    Nothing is lost by it, since a call that shows such a token is refused and counted as any other.
    """
    logger = logging.getLogger(GRPC)
    logger.addFilter(_no_metadata)
    try:
        yield
    finally:
        logger.removeFilter(_no_metadata)


def _no_metadata(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Invalid encoding on")
