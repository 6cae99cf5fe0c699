"""The log where none was asked for: warnings and errors, the message alone, and of exceptions what cannot hold anybody's words.

Imports next to nothing, since processes of models write this too.
"""

import logging
import sys
import traceback
from types import TracebackType
from typing import final


def log_bare() -> None:
    """Has warnings and errors of this process written to standard error, for the rest of its life."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Bare())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


@final
class Bare(logging.Formatter):
    """The message; below it an exception without its own message, which may hold what people wrote."""

    def format(self, record: logging.LogRecord) -> str:
        """One record."""
        said = record.getMessage()
        if record.exc_info is None or record.exc_info[0] is None:
            return said
        kind, _, trace = record.exc_info
        return f"{said}\n{without_message(kind, trace)}\n(its message is told with --log text)"


def without_message(kind: type[BaseException], trace: TracebackType | None) -> str:
    """Where an exception came from, and of which kind it is."""
    return "".join(traceback.format_tb(trace)) + kind.__name__
