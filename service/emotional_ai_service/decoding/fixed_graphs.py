"""Graphs of fixed sizes and adapters, made beside the work for the cases in which it is done most.

They compute what the graph for all sizes computes, sooner, and take memory and seconds to make: none is made for a case before
it was asked for often, and there are never more than so many.
"""

import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from emotional_ai_service.decoding.batch import Batch
from emotional_ai_service.decoding.openvino_graph import Case
from emotional_ai_service.decoding.openvino_request import Request

log = logging.getLogger(__name__)

SIZES: Final = (1, 4, 8, 16)
"""Replies spoken together that a graph is made for; others are filled up to the next."""
OFTEN: Final = 128
"""Steps of a case from which a graph of its own is worth making: it takes what it saves in about a thousand."""
COUNTED: Final = 1024
"""Cases counted at a time: adapters that are replaced again and again make ever new ones."""


class Form(NamedTuple):
    """What tells cases apart."""

    tokens: int
    loadings: tuple[int, ...]
    """Of the adapters of the stack, in its order."""


def case_of(batch: Batch) -> Case | None:
    """The case of a batch that speaks the next token of at most SIZES[-1] replies and does nothing else."""
    count = len(batch.tokens)
    if not len(batch.past) == len(batch.wanted) == count <= SIZES[-1]:
        return None
    return Case(next(size for size in SIZES if size >= count), batch.stack)


def form_of(case: Case) -> Form:
    """The form of a case."""
    return Form(case.tokens, tuple(adapter.loading for adapter in case.stack.adapters))


class FixedGraphs:
    """At most `most` graphs by their forms, made by `make` in a thread of its own, one at a time."""

    def __init__(self, make: Callable[[Case], Request], most: int) -> None:
        self._make = make
        self.most = most
        self._asked: Counter[Form] = Counter()
        self._ready: OrderedDict[Form, Request] = OrderedDict()
        """The one used last stands last."""
        self._making: tuple[Form, threading.Thread] | None = None
        self._made: Request | None = None
        self._failed: set[Form] = set()
        """Not tried again."""

    def of(self, case: Case) -> Request | None:
        """The graph of a case, if it has one by now."""
        self._take_in()
        form = form_of(case)
        if (found := self._ready.get(form)) is not None:
            self._ready.move_to_end(form)
            return found
        if len(self._asked) >= COUNTED:
            self._asked.clear()
        self._asked[form] += 1
        if self._making is None and self.most and self._asked[form] >= OFTEN and form not in self._failed:
            thread = threading.Thread(target=self._run, args=(case,), name="graph", daemon=True)
            self._making = form, thread
            thread.start()
        return None

    @property
    def forms(self) -> tuple[Form, ...]:
        """Those that have a graph by now."""
        self._take_in()
        return tuple(self._ready)

    def settle(self) -> None:
        """Waits until no graph is being made."""
        if self._making is not None:
            self._making[1].join()
            self._take_in()

    def _take_in(self) -> None:
        if self._making is None or self._making[1].is_alive():
            return
        form, _ = self._making
        made, self._making, self._made = self._made, None, None
        if made is None:
            self._failed.add(form)
            return
        if len(self._ready) == self.most:
            self._asked[self._ready.popitem(last=False)[0]] = 0
        self._ready[form] = made

    def _run(self, case: Case) -> None:
        try:
            self._made = self._make(case)
        except Exception:
            log.exception("no graph of fixed sizes for %d replies: they go on with the one for all sizes", case.tokens)
        else:
            log.info("a graph of fixed sizes for %d replies is ready", case.tokens)
