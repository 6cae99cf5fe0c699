"""Addresses of what can be read."""

import re
from typing import Final
from urllib.parse import quote, unquote

INFO: Final = "emotion://engine/info"
SESSIONS: Final = "emotion://sessions"
SCHEMA: Final = "emotion://schema"
STATE: Final = "emotion://sessions/{session_id}/state"
HISTORY: Final = "emotion://sessions/{session_id}/history"

_OF_SESSION: Final = re.compile(r"emotion://sessions/([^/]+)/(state|history)")


def state_of(session_id: str) -> str:
    """Where a session's state is read."""
    return STATE.replace("{session_id}", quote(session_id, safe=""))


def of_session(uri: str) -> tuple[str, str] | None:
    """The session and what of it ("state", "history") an address names; None if it is no such address."""
    found = _OF_SESSION.fullmatch(uri)
    return (unquote(found[1]), found[2]) if found else None


def watched(uri: str) -> str | None:
    """The session whose state an address names, None if it names none: only states can be subscribed to."""
    named = of_session(uri)
    return named[0] if named and named[1] == "state" else None
