"""The log: lines with the time, the level, who says it and the call it is about; never with what people wrote.

    2026-11-29T12:00:00.123456Z ERROR emotional_ai_service.refusal [3f2a... Inference/Converse] incident 1c0ffee2d00d
    {"time": "2026-11-29T12:00:00.123456Z", "level": "ERROR", "logger": "emotional_ai_service.refusal", ...}

A message of an exception may hold anything, so everything that the request under way says in its texts is cut out of a line.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Final, final

from emotional_ai_service.observing.bare import without_message
from emotional_ai_service.observing.call import Call, call
from emotional_ai_service.observing.settings import LogFormat, LogSettings

CUT: Final = "<text>"
"""Stands for what a person wrote."""
CUT_SESSION: Final = "<session>"
SHORTEST_CUT: Final = 4
"""Texts shorter than this are cut out where they stand as words of their own: "a" is in every line."""
OURS: Final = ("emotional_ai", "emotional_ai_service", "emotional_ai_training")
"""Loggers the level is for."""
EXTRA: Final = ("code", "seconds")
"""Facts a line may carry beside its message."""


def log_to_stderr(settings: LogSettings, *, blind: bool = False) -> None:
    """Has whatever is logged in this process written to standard error, for the rest of its life.

    `blind` is for a process that is told texts and does not know the calls they are of: exceptions are written without their
    messages. Libraries are heard from warnings on: their chatter tells nothing of the service, and may tell what people wrote.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(settings, blind=blind))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(settings.level.upper())


@final
class Lines(logging.Formatter):
    """Makes the lines of a log."""

    def __init__(self, settings: LogSettings, *, blind: bool = False) -> None:
        super().__init__()
        self._settings = settings
        self._blind = blind

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line; in text, a traceback follows in lines of its own."""
        about = call()
        facts = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="microseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._clean(record.getMessage(), about),
            **self._about(about),
            **{name: getattr(record, name) for name in EXTRA if hasattr(record, name)},
        }
        if record.exc_info and record.exc_info[0] is not None:  # Some give False for none.
            kind, error, trace = record.exc_info
            told = without_message(kind, trace) if self._blind else "".join(traceback.format_exception(error))
            facts["exception"] = self._clean(told, about)
        return json.dumps(facts, default=str) if self._settings.format is LogFormat.JSON else _as_text(facts)

    def _about(self, about: Call | None) -> dict[str, str]:
        if about is None:
            return {}
        named = {"request_id": about.request_id, "method": about.method}
        if self._settings.sessions and about.session_id:
            named["session"] = about.session_id
        trace = _trace_id()
        return named | ({"trace_id": trace} if trace else {})

    def _clean(self, said: str, about: Call | None) -> str:
        if about is None:
            return said
        for text in about.texts:
            said = _without(said, text, CUT)
        if not self._settings.sessions and about.session_id:
            said = _without(said, about.session_id, CUT_SESSION)
        return said


def _without(said: str, text: str, mark: str) -> str:
    """`said` without a text, however Python may have quoted it, or without its words where it is a short one."""
    if len(text) < SHORTEST_CUT:
        return " ".join(mark if word.strip("'\".,:;()[]") == text else word for word in said.split(" "))
    for form in (text, repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        said = said.replace(form, mark)
    return said


def _as_text(facts: dict[str, str]) -> str:
    about = " ".join(facts[name] for name in ("request_id", "method", "session", "trace_id") if name in facts)
    line = f"{facts['time']} {facts['level']} {facts['logger']} {f'[{about}] ' if about else ''}{facts['message']}"
    # What others wrote into a message, such as the name of a file, does not begin a line of its own.
    line = line.replace("\r", "\\r").replace("\n", "\\n")
    return f"{line}\n{facts['exception'].rstrip()}" if "exception" in facts else line


def _trace_id() -> str:
    """The trace the current call belongs to; empty where none is kept."""
    tracing = sys.modules.get("emotional_ai_service.observing.tracing")
    return tracing.current_trace_id() if tracing is not None else ""
