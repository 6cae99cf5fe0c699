"""The state of a session as it moves, kept up to date by a thread of its own."""

from dataclasses import dataclass, replace
from typing import Final, Self

from emotional_ai.cli.following import Following
from emotional_ai.client import Client
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
    """Follows a session while its context lasts."""

    def __init__(self, client: Client, session_id: str, first: Glimpse) -> None:
        self._seen = first
        self._client = client
        self._session_id = session_id
        self._following = Following(client, session_id, INTERVAL_MS, self._take)

    @property
    def latest(self) -> Glimpse:
        """What was seen last, and why nothing more will be."""
        failure = self._following.failure
        return self._seen if failure is None else replace(self._seen, failure=failure.message)

    def __enter__(self) -> Self:
        self._following.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._following.__exit__()

    def _take(self, state: EmotionalState) -> None:
        self._seen = Glimpse(state, self._client.preview_expression(self._session_id))


def glimpse(client: Client, session_id: str) -> Glimpse:
    """The state now."""
    return Glimpse(client.state(session_id), client.preview_expression(session_id))
