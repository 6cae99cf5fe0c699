"""Graphs of fixed sizes, made beside the work for the forms in which it is done most.

They compute what the graph for all sizes computes, sooner, and take memory and seconds to make: none is made for a form before
it was asked for often, and there are never more than so many.
"""

import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

from emotional_ai_service.decoding.batch import Batch
from emotional_ai_service.decoding.openvino_graph import Form
from emotional_ai_service.decoding.openvino_request import Request

log = logging.getLogger(__name__)

SIZES: Final = (1, 4, 8, 16)
"""Replies spoken together that a graph is made for; others are filled up to the next."""
OFTEN: Final = 128
"""Steps in a form from which a graph of its own is worth making: it takes what it saves in about a thousand."""


def form_of(batch: Batch) -> Form | None:
    """The form of a batch that speaks the next token of at most SIZES[-1] replies and does nothing else."""
    count = len(batch.tokens)
    if not len(batch.past) == len(batch.wanted) == count <= SIZES[-1]:
        return None
    return Form(next(size for size in SIZES if size >= count), batch.stack.rows)


class FixedGraphs:
    """At most `most` graphs by their forms, made by `make` in a thread of its own, one at a time."""

    def __init__(self, make: Callable[[Form], Request], most: int) -> None:
        self._make = make
        self.most = most
        self._asked: Counter[Form] = Counter()
        self._ready: OrderedDict[Form, Request] = OrderedDict()
        """The one used last stands last."""
        self._making: tuple[Form, threading.Thread] | None = None
        self._made: Request | None = None
        self._failed: set[Form] = set()
        """Not tried again."""

    def of(self, form: Form) -> Request | None:
        """The graph of a form, if it has one by now."""
        self._take_in()
        if (found := self._ready.get(form)) is not None:
            self._ready.move_to_end(form)
            return found
        self._asked[form] += 1
        if self._making is None and self.most and self._asked[form] >= OFTEN and form not in self._failed:
            thread = threading.Thread(target=self._run, args=(form,), name="graph", daemon=True)
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

    def _run(self, form: Form) -> None:
        try:
            self._made = self._make(form)
        except Exception:
            log.exception("no graph of fixed sizes for %d replies: they go on with the one for all sizes", form.tokens)
        else:
            log.info("a graph of fixed sizes for %d replies is ready", form.tokens)
