"""From tokens to text that can be shown: whole characters only, and nothing past a stop string.

A token may end inside a UTF-8 character, and a piece of text may be the beginning of a stop string; both are held back
until it is known.
"""

from collections.abc import Callable, Sequence
from typing import Final

from emotional_ai_service.decoding.messages import Text

_UNFINISHED: Final = "\ufffd"
_LONGEST_CHARACTER: Final = 4
"""Bytes of the longest UTF-8 character, hence the most tokens one can take; bytes held longer are not a character."""


class TextStream:
    """Text of one reply, token by token; `decode` turns token ids into text."""

    def __init__(self, decode: Callable[[Sequence[int]], str], stop: Sequence[str], logprobs: bool) -> None:
        self._decode = decode
        self._stop = tuple(stop)
        self._with_logprobs = logprobs
        self._context: list[int] = []
        self._fresh: list[int] = []
        self._held = ""
        self._index = 0
        self._logprobs: list[float] = []
        self.stopped = False
        """Whether a stop string has appeared."""

    def push(self, token: int, logprob: float) -> Text | None:
        """Takes a token and returns the text it releases, if any. Once `stopped`, nothing more may be pushed."""
        self._fresh.append(token)
        self._logprobs.append(logprob)
        return self._release(self._new_text(final=False), final=False)

    def finish(self) -> Text | None:
        """What is still held back when the reply ends otherwise than by a stop string."""
        return None if self.stopped else self._release(self._new_text(final=True), final=True)

    def _new_text(self, *, final: bool) -> str:
        """Text of the fresh tokens, decoded behind the ones before them, since decoders may join neighbours."""
        if not self._fresh:
            return ""
        before = self._decode(self._context)
        text = self._decode([*self._context, *self._fresh])
        if text.endswith(_UNFINISHED) and len(self._fresh) < _LONGEST_CHARACTER and not final:
            return ""
        self._context, self._fresh = self._fresh, []
        return text[len(before) :]

    def _release(self, text: str, *, final: bool) -> Text | None:
        self._held += text
        end = min((at for stop in self._stop if (at := self._held.find(stop)) >= 0), default=-1)
        if end >= 0:
            self.stopped = True
            shown, self._held = self._held[:end], ""
        else:
            keep = 0 if final else self._length_of_a_beginning()
            shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        if not shown:
            return None
        logprobs = self._logprobs if self._with_logprobs else []
        piece = Text(shown, self._index, len(self._logprobs), tuple(logprobs))
        self._index += len(self._logprobs)
        self._logprobs = []
        return piece

    def _length_of_a_beginning(self) -> int:
        """Length of the longest end of the held text that may be the beginning of a stop string."""
        lengths = (
            length
            for stop in self._stop
            for length in range(min(len(stop) - 1, len(self._held)), 0, -1)
            if self._held.endswith(stop[:length])
        )
        return max(lengths, default=0)
