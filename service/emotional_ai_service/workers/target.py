"""What runs in a worker: requests come in under tickets, and work advances in small steps.

A step is the grain of everything: between two steps new requests are read and cancellations take effect.
"""

import logging
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from emotional_ai_service.errors import ServiceError
from emotional_ai_service.workers.errors import WorkerFault
from emotional_ai_service.workers.load import Load
from emotional_ai_service.workers.messages import Ended, Event, Outcome, Raised

RequestT = TypeVar("RequestT")
RequestT_contra = TypeVar("RequestT_contra", contravariant=True)
log = logging.getLogger(__name__)


class Target(Protocol[RequestT_contra]):
    """The work of one process. All methods are called from one thread."""

    def describe(self) -> object:
        """What the parent is told once the target stands; must pickle."""
        ...

    def begin(self, ticket: int, request: RequestT_contra) -> None:
        """Takes on a request; must not do its work."""
        ...

    def update(self, ticket: int, value: object) -> None:
        """Takes up something new about a request; must not do its work. Unknown tickets are ignored, since it may cross
        the end. What it raises ends that request alone.
        """
        ...

    def cancel(self, ticket: int) -> None:
        """Forgets a request; unknown tickets are ignored, since a cancellation may cross the end."""
        ...

    def busy(self) -> bool:
        """Whether a step would do anything."""
        ...

    def load(self) -> Load:
        """How much is under way; asked after every step, so it must cost next to nothing."""
        ...

    def step(self) -> list[Outcome]:
        """Advances by one step, tens of milliseconds at most, and says what came of it."""
        ...


class RoundRobin(Generic[RequestT]):
    """A target made of one generator per request; a step advances each of the active ones once.

    The generator yields events, or None to give way without one; a ServiceError it raises reaches the caller as it is.
    At most `active` requests advance together, the others wait in order of arrival. A generator hears of nothing once it
    has begun, so updates are refused.
    """

    def __init__(
        self, handle: Callable[[RequestT], Iterator[object]], *, active: int = 8, description: object = None
    ) -> None:
        self._handle = handle
        self._most = active
        self._description = description
        self._waiting: deque[tuple[int, RequestT]] = deque()
        self._active: dict[int, Iterator[object]] = {}

    def describe(self) -> object:
        return self._description

    def begin(self, ticket: int, request: RequestT) -> None:
        self._waiting.append((ticket, request))

    def update(self, ticket: int, value: object) -> None:
        raise TypeError(f"requests here take no updates, got {value!r} for request {ticket}")

    def cancel(self, ticket: int) -> None:
        self._active.pop(ticket, None)
        self._waiting = deque(entry for entry in self._waiting if entry[0] != ticket)

    def busy(self) -> bool:
        return bool(self._active or self._waiting)

    def load(self) -> Load:
        return Load(len(self._active), len(self._waiting), self._most)

    def step(self) -> list[Outcome]:
        while self._waiting and len(self._active) < self._most:
            ticket, request = self._waiting.popleft()
            self._active[ticket] = self._handle(request)
        outcomes = [outcome for ticket in list(self._active) if (outcome := self._advance(ticket)) is not None]
        for outcome in outcomes:
            if not isinstance(outcome, Event):
                del self._active[outcome.ticket]
        return outcomes

    def _advance(self, ticket: int) -> Outcome | None:
        try:
            value = next(self._active[ticket])
        except StopIteration:
            return Ended(ticket)
        except ServiceError as error:
            return Raised(ticket, error)
        except Exception:
            return failed(ticket)
        return None if value is None else Event(ticket, value)


def failed(ticket: int) -> Raised:
    """The end of a request that met an unexpected exception, for use where it is caught; logs it with its traceback."""
    log.exception("a request failed")
    return Raised(ticket, WorkerFault(f"the worker failed at this request:\n{traceback.format_exc()}"))
