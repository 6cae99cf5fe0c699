"""A session followed beside what a command does meanwhile."""

import threading
from collections.abc import Callable
from itertools import islice
from typing import Self

from emotional_ai.client import Client
from emotional_ai.errors import EmotionalAIError
from emotional_ai.v1.engine_pb2 import EmotionalState


class Following:
    """Hands the states of a session to `seen`, `most` of them at most, from a thread of its own while its context lasts.

    If `seen` is slower than the states come, it gets the newest. An error of its own ends the following as one of the watch.
    """

    def __init__(
        self,
        client: Client,
        session_id: str,
        interval_ms: int,
        seen: Callable[[EmotionalState], None],
        most: int | None = None,
    ) -> None:
        self.over = False
        """True once no more will come."""
        self.failure: EmotionalAIError | None = None
        """Why, if that was not asked for."""
        self._seen = seen
        self._most = most
        self._watch = client.watch(session_id, interval_ms=interval_ms)
        self._thread = threading.Thread(target=self._follow, name="emotional-ai following", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()
        self._thread.join()

    def _follow(self) -> None:
        try:
            for state in islice(self._watch, self._most):
                self._seen(state)
        except EmotionalAIError as error:
            self.failure = error
        finally:
            self.over = True
