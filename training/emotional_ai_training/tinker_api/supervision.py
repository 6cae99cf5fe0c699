"""Attempts from the last saved state, until one ends well or nothing moves any more."""

import time
from collections.abc import Callable
from typing import Final

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from emotional_ai_training.tinker_api.deadlines import T
from emotional_ai_training.tinker_api.errors import explain, mendable

ATTEMPTS_WITHOUT_PROGRESS: Final = 4
FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 20.0


def supervised(
    work: Callable[[], T],
    progress: Callable[[], int],
    report: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Calls `work`, which opens everything it needs anew, as often as errors are mendable and `progress` moves.

    Gives up with the last error after ATTEMPTS_WITHOUT_PROGRESS attempts in a row that saved nothing new; errors that no
    attempt can mend are raised at once. `report` hears of each failed attempt.
    """
    stalled, reached = 0, progress()

    def stop(_: RetryCallState) -> bool:
        nonlocal stalled, reached
        stalled = stalled + 1 if progress() == reached else 1
        reached = progress()
        return stalled >= ATTEMPTS_WITHOUT_PROGRESS

    def tell(state: RetryCallState) -> None:
        assert state.outcome is not None
        error = state.outcome.exception()
        assert error is not None
        report(f"{explain(error)}; going on from the last saved state")

    return Retrying(
        retry=retry_if_exception(mendable),
        stop=stop,
        wait=wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT),
        before_sleep=tell,
        sleep=sleep,
        reraise=True,
    )(work)
