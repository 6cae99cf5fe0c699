"""What can go wrong between a recipe and a Tinker server.

TinkerFailure
├── KeyRefused            the server does not know the key
├── BaseModelUnavailable  the server does not train the base model asked for
├── CostRefused           a hosted run would cost more than allowed, or its price is unknown
├── DeadlineExceeded      no answer in time                                             mendable
├── FutureFailed          the SDK gave a future up                                      mendable
├── ServerLost            the embedded server ended                                     mendable
└── DownloadFailed        an adapter's file could not be fetched, after several attempts
"""

from collections.abc import Sequence
from typing import Final

import tinker

_MENDABLE_STATUS: Final = frozenset({404, 408, 409, 410, 429})


class TinkerFailure(Exception):
    """Base of the errors of this package."""


class KeyRefused(TinkerFailure):
    """The server does not know the key."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} refused the key: set TINKER_API_KEY to a key it knows (it begins with tml-), "
            "or unset it to train on the embedded server"
        )


class BaseModelUnavailable(TinkerFailure):
    """The server does not train the base model asked for."""

    def __init__(self, wanted: str, live: Sequence[str]) -> None:
        names = ", ".join(sorted(live)) or "none"
        super().__init__(f"this server does not train {wanted or 'a default model'}; set MODEL_NAME to one of: {names}")


class CostRefused(TinkerFailure):
    """A hosted run would cost more than allowed, or its price is unknown."""


class DeadlineExceeded(TinkerFailure):
    """No answer in time."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what}: no answer within {seconds:g} s")


class FutureFailed(TinkerFailure):
    """The SDK gave a future up; the client it belongs to is of no further use."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}")


class ServerLost(TinkerFailure):
    """The embedded server ended while it was needed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}: the embedded server has ended")


class DownloadFailed(TinkerFailure):
    """An adapter's file could not be fetched."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"could not download {name}: {reason}")


def mendable(error: BaseException) -> bool:
    """Whether a new attempt from the last saved state may succeed where this one failed."""
    if isinstance(error, DeadlineExceeded | FutureFailed | ServerLost | tinker.APIConnectionError):
        return True
    if isinstance(error, tinker.RequestFailedError):
        return str(getattr(error.category, "value", error.category)) != "user"
    if isinstance(error, tinker.APIStatusError):
        return error.status_code in _MENDABLE_STATUS or error.status_code >= 500
    return False


def explain(error: BaseException) -> str:
    """One line for the person who ran the command."""
    if isinstance(error, tinker.APIStatusError):
        return f"the Tinker server answered {error.status_code}: {_short(_keyless(error))}"
    if isinstance(error, tinker.RequestFailedError):
        return f"the Tinker server could not do it: {_short(str(error))}"
    return _short(str(error)) or type(error).__name__


def _keyless(error: tinker.APIStatusError) -> str:
    """What the server says, without the key it was asked with: some that stand before a server repeat a request they refuse."""
    key = error.request.headers.get("X-API-Key", "")
    return error.message.replace(key, "<key>") if key else error.message


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 400 else line[:397] + "..."
