"""Sessions of clients: what each holds, and when it was last heard of."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from emotional_ai_training.tinker_server.errors import UnknownName


@dataclass(slots=True)
class _Session:
    heard: float
    runs: list[str] = field(default_factory=list)


class Sessions:
    """Open sessions by id; the clock counts seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[str, _Session] = {}

    def create(self) -> str:
        """A new session's id."""
        session_id = uuid.uuid4().hex
        self._open[session_id] = _Session(self._clock())
        return session_id

    def seen(self, session_id: str) -> None:
        """The session's client is there; UnknownName once it has ended."""
        self._of(session_id).heard = self._clock()

    def holds(self, session_id: str, run_id: str) -> None:
        """The session trains a model."""
        self._of(session_id).runs.append(run_id)

    def finish(self, session_id: str) -> list[str]:
        """Ends a session; the models it held. Ending one twice is fine."""
        session = self._open.pop(session_id, None)
        return [] if session is None else session.runs

    def silent(self, seconds: float) -> list[str]:
        """Sessions not heard of for so long."""
        horizon = self._clock() - seconds
        return [session_id for session_id, session in self._open.items() if session.heard < horizon]

    def _of(self, session_id: str) -> _Session:
        try:
            return self._open[session_id]
        except KeyError as error:
            raise UnknownName(
                f"session {session_id[:80]} is not open here: it was finished, or the server was restarted"
            ) from error
