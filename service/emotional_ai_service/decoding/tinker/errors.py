"""What the Tinker backend fails with.

RuntimeError
+-- TinkerStartFailed      the first session did not come about: a setting to correct
ServiceError
+-- ModelUnavailable
    +-- TinkerUnavailable  the server does not answer, refuses, or is being reached again
        +-- SessionLost    the server restarted, or ended the session
"""

from emotional_ai_service.errors import ModelUnavailable


class TinkerStartFailed(RuntimeError):
    """The first session with the server did not come about; the message names the setting and what to do about it."""


class TinkerUnavailable(ModelUnavailable):
    """The server cannot speak now; try again after `retry_seconds`."""

    def __init__(self, problem: str, retry_seconds: float) -> None:
        super().__init__(f"the Tinker server {problem}; try again in {retry_seconds:.1f} s", retry_seconds)


class SessionLost(TinkerUnavailable):
    """The server restarted or ended the session; it is being opened again."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"lost the session, which is being opened again ({problem})", 1.0)
