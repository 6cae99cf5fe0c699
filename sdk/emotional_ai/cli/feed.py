"""The state of a session as it moves, kept up to date by a thread of its own."""

import threading
from dataclasses import dataclass
from typing import Final, Self

from emotional_ai.client import Client
from emotional_ai.errors import EmotionalAIError
from emotional_ai.v1.engine_pb2 import EmotionalState
from emotional_ai.v1.inference_pb2 import Expression

INTERVAL_MS: Final = 250


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A state and how it speaks; or why there is none."""

    state: EmotionalState
    expression: Expression
    failure: str = ""


class Feed:
    """Follows a session while its context lasts; `latest` is what was seen last."""

    def __init__(self, client: Client, session_id: str, first: Glimpse) -> None:
        self.latest = first
        self._client = client
        self._session_id = session_id
        self._watch = client.watch(session_id, interval_ms=INTERVAL_MS)
        self._thread = threading.Thread(target=self._follow, name="emotional-ai panel", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()
        self._thread.join()

    def _follow(self) -> None:
        try:
            for state in self._watch:
                self.latest = Glimpse(state, self._client.preview_expression(self._session_id))
        except EmotionalAIError as error:
            self.latest = Glimpse(self.latest.state, self.latest.expression, error.message)


def glimpse(client: Client, session_id: str) -> Glimpse:
    """The state now."""
    return Glimpse(client.state(session_id), client.preview_expression(session_id))
