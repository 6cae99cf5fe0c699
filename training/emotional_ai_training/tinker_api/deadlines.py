"""A deadline on every future: the SDK retries so patiently that a failure looks like a hang."""

import concurrent.futures
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from emotional_ai_training.tinker_api.errors import DeadlineExceeded, FutureFailed, ServerLost

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

LOOK_EVERY: Final = 1.0
"""Wall seconds between two looks at whether the server still lives."""


class Future(Protocol[T_co]):
    """What the SDK hands out: a result in some time."""

    def result(self, timeout: float | None = None) -> T_co:
        """The result; TimeoutError after `timeout` wall seconds."""
        ...


def within(future: Future[T], seconds: float, what: str, alive: Callable[[], bool] | None = None) -> T:
    """The result of `future`, which `what` names in errors.

    Raises DeadlineExceeded after `seconds` wall seconds, ServerLost as soon as `alive` says so, FutureFailed where the
    SDK gave the future up; errors of the API as they are.
    """
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        wait = max(min(deadline - asked, LOOK_EVERY), 0.0)
        try:
            return future.result(timeout=wait)
        except TimeoutError as error:
            # Sooner than it was given: the work timed out, not the wait for it.
            if time.monotonic() - asked < wait / 2:
                raise FutureFailed(what, f"{error}" or "it timed out by itself") from error
            if alive is not None and not alive():
                raise ServerLost(what) from error
            if time.monotonic() >= deadline:
                raise DeadlineExceeded(what, seconds) from error
        except (ValueError, RuntimeError) as error:
            raise FutureFailed(what, str(error)) from error


def in_background(call: Callable[[], T]) -> Future[T]:
    """The result of a call that blocks as long as it likes, as the SDK's constructors do; its thread dies with the process."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
