"""Graphs of fixed sizes, and in bfloat16 of fixed adapters, made beside the work for the cases in which it is done most.

They compute what the graph for all sizes computes, sooner, and take memory and seconds to make: none is made for a case before
it was asked for often, and there are never more than so many.
"""

import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

from emotional_ai_service.decoding.batch import Batch
from emotional_ai_service.decoding.openvino_graph import Case, Form
from emotional_ai_service.decoding.openvino_request import Request

log = logging.getLogger(__name__)

SIZES: Final = (1, 4, 8, 16)
"""Replies spoken together that a graph is made for; others are filled up to the next."""
OFTEN: Final = 128
"""Steps of a case from which a graph of its own is made."""
WORTH: Final = 1024
"""The same where another has to go for it: making one takes what it saves in about a thousand steps."""
COUNTED: Final = 1024
"""Cases counted at a time: adapters that are replaced again and again make ever new ones."""


def case_of(batch: Batch) -> Case | None:
    """The case of a batch that speaks the next token of at most SIZES[-1] replies and does nothing else."""
    count = len(batch.tokens)
    if not len(batch.past) == len(batch.wanted) == count <= SIZES[-1]:
        return None
    return Case(next(size for size in SIZES if size >= count), batch.stack, deep=batch.weights.ndim == 3)


class FixedGraphs:
    """At most `most` graphs by the forms of cases, made by `make` in a thread of its own, one at a time."""

    def __init__(self, make: Callable[[Case], Request], form_of: Callable[[Case], Form], most: int) -> None:
        self._make = make
        self._form_of = form_of
        self.most = most
        self._asked: Counter[Form] = Counter()
        self._ready: OrderedDict[Form, Request] = OrderedDict()
        """The one used last stands last."""
        self._making: tuple[Form, threading.Thread] | None = None
        self._made: Request | None = None
        self._unwanted = False
        """Whether what is being made was forgotten meanwhile."""
        self._failed: set[Form] = set()
        """Not tried again."""

    def of(self, case: Case) -> Request | None:
        """The graph of a case, if it has one by now."""
        self._take_in()
        form = self._form_of(case)
        if (found := self._ready.get(form)) is not None:
            self._ready.move_to_end(form)
            return found
        if form not in self._asked and len(self._asked) >= COUNTED:
            self._asked.clear()
            self._failed.clear()
        self._asked[form] += 1
        enough = self._asked[form] >= (OFTEN if len(self._ready) < self.most else WORTH)
        if self._making is None and self.most and enough and form not in self._failed:
            thread = threading.Thread(target=self._run, args=(case,), name="graph", daemon=True)
            self._making = form, thread
            thread.start()
        return None

    @property
    def forms(self) -> tuple[Form, ...]:
        """Those that have a graph by now."""
        self._take_in()
        return tuple(self._ready)

    def forget(self, loading: int) -> None:
        """Drops graphs with an adapter in them that no reply will speak with."""
        self._take_in()
        for form in [form for form in self._ready if loading in form.adapters]:
            del self._ready[form]
        self._unwanted |= self._making is not None and loading in self._making[0].adapters

    def settle(self) -> None:
        """Waits until no graph is being made."""
        if self._making is not None:
            self._making[1].join()
            self._take_in()

    def _take_in(self) -> None:
        if self._making is None or self._making[1].is_alive():
            return
        form, _ = self._making
        made, unwanted = self._made, self._unwanted
        self._making, self._made, self._unwanted = None, None, False
        if unwanted:
            return
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
