"""The client's side of a StreamState call without any input or output: which message follows which.

    connect --> opening() --> first response: resume token, resend of what is not yet stored --> batches and acks
       ^                                                                                             |
       +------------------ draining, or the connection is lost: disconnected() <---------------------+

Batches are numbered once and for all. Nothing but `open` is sent before the first response, since only its resume token lets
the service recognise a batch that is sent again.
"""

from collections.abc import Sequence
from itertools import count

from emotional_ai.errors import DataLoss, Details
from emotional_ai.v1 import engine_pb2 as pb

WINDOW = 128
"""Batches that may be sent and not yet stored."""


class Flow:
    """One logical state stream over as many connections as it takes. Not safe for threads by itself."""

    def __init__(self, session_id: str, *, credit: int = 0, interval_ms: int = 0, window: int = WINDOW) -> None:
        self._open = pb.StreamOpen(session_id=session_id, credit=credit, interval_ms=interval_ms)
        self._numbers = count(1)
        self._window = window
        self._pending: dict[int, pb.StreamStateRequest] = {}
        self._connected = False
        self._latest: pb.EmotionalState | None = None
        self._folded = 0
        self.sent = 0
        """Number of the last batch given to this stream."""
        self.acknowledged = 0
        """Number of the last batch that is stored; every batch up to it is."""
        self.coalesced = 0
        """Changes folded into the state taken last, beyond the first."""

    @property
    def full(self) -> bool:
        """True while no batch may be added."""
        return len(self._pending) >= self._window

    @property
    def settled(self) -> bool:
        """True when every batch is stored."""
        return self.acknowledged >= self.sent

    @property
    def news(self) -> bool:
        """True if a state has arrived that was not yet taken."""
        return self._latest is not None

    @property
    def resume_token(self) -> str:
        """Token by which the service knows this stream; empty before the first response."""
        return self._open.resume_token

    def opening(self) -> pb.StreamStateRequest:
        """The first message of a connection."""
        return pb.StreamStateRequest(open=self._open)

    def batch(self, stimuli: Sequence[pb.Stimulus]) -> pb.StreamStateRequest | None:
        """Numbers a batch and keeps it until it is stored. Returns the message to send, or None while there is no connection
        to send it on: it then goes out by itself after the next first response."""
        number = self.sent = next(self._numbers)
        message = pb.StreamStateRequest(batch=pb.StimulusBatch(number=number, stimuli=stimuli))
        self._pending[number] = message
        return message if self._connected else None

    def receive(self, response: pb.StreamStateResponse) -> list[pb.StreamStateRequest]:
        """Takes in a response. Returns what to send for it. Raises DataLoss if the service forgot what it had stored."""
        if response.acknowledged_batch < self.acknowledged:
            raise DataLoss(
                f"the service holds this stream's batches up to {response.acknowledged_batch} only, "
                f"though it had acknowledged {self.acknowledged}; read the session's history to see what it kept",
                Details("STREAM_FORGOTTEN"),
            )
        self.acknowledged = response.acknowledged_batch
        while self._pending and (oldest := next(iter(self._pending))) <= self.acknowledged:
            del self._pending[oldest]
        if response.resume_token:
            self._open.resume_token = response.resume_token
        self._folded += response.coalesced + (1 if self._latest else 0)
        self._latest = response.state
        if response.draining:
            self._connected = False
            return []
        resent = [] if self._connected else self._pending.values()
        self._connected = True
        return [pb.StreamStateRequest(ack=pb.StreamAck(sequence=response.sequence)), *resent]

    def disconnected(self) -> None:
        """The connection is gone; batches wait for the next."""
        self._connected = False

    def take(self) -> pb.EmotionalState:
        """The latest state, once; `coalesced` then says how many were folded into it. Only while there is `news`."""
        if self._latest is None:
            raise AssertionError("taken without news")
        state, self._latest = self._latest, None
        self.coalesced, self._folded = self._folded, 0
        return state
