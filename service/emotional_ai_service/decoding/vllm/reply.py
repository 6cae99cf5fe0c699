"""From the server's tokens to the events of a reply."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tokenizers import Tokenizer

from emotional_ai_service.decoding.messages import (
    BlendMode,
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    KvSpan,
    Voice,
    VoiceChange,
)
from emotional_ai_service.decoding.streaming import TextStream
from emotional_ai_service.decoding.vllm.asking import spoken_temperature
from emotional_ai_service.decoding.vllm.errors import ServerSilent
from emotional_ai_service.decoding.vllm.recipes import Recipe
from emotional_ai_service.decoding.vllm.server import Piece

_REASONS: Final = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}


class Reply:
    """One reply as it comes; `take` its pieces until it has `ended`."""

    def __init__(
        self,
        request: GenerationRequest,
        recipe: Recipe,
        prompt_tokens: int,
        ends: Sequence[int],
        tokenizer: Tokenizer,
        clock: Callable[[], float],
        began: float,
    ) -> None:
        self._request = request
        self._recipe = recipe
        self._prompt_tokens = prompt_tokens
        self._ends = frozenset(ends)
        self._clock = clock
        self._began = began
        self._first_seconds = 0.0
        self._generated = 0
        self._text = TextStream(lambda tokens: str(tokenizer.decode(list(tokens))), request.stop, request.logprobs)
        self.ended = False
        """Whether Finished was returned."""

    def take(self, piece: Piece) -> Iterator[GenerationEvent]:
        """Events of a piece. Raises ServerSilent if the server gave the reply up, or left out logprobs asked for."""
        for position, token in enumerate(piece.tokens):
            self._generated += 1
            if self._generated == 1:
                self._first_seconds = self._clock() - self._began
            if token in self._ends:
                yield from self._finish(FinishReason.STOP)
                return
            text = self._text.push(token, self._logprob(piece, position))
            if text is not None:
                yield text
            if self._text.stopped:
                yield from self._finish(FinishReason.STOP)
                return
        if piece.finish:
            if piece.finish not in _REASONS:
                raise ServerSilent(f"gave the reply up ({piece.finish})")
            yield from self._finish(_REASONS[piece.finish])

    def _logprob(self, piece: Piece, position: int) -> float:
        if not self._request.logprobs:
            return 0.0
        if len(piece.logprobs) != len(piece.tokens):
            raise ServerSilent(f"sent {len(piece.logprobs)} logprobs for {len(piece.tokens)} tokens")
        return piece.logprobs[position]

    def _finish(self, reason: FinishReason) -> Iterator[GenerationEvent]:
        if (rest := self._text.finish()) is not None:
            yield rest
        voice = self._request.voice
        blend = self._recipe.blend
        self.ended = True
        yield Finished(
            reason=reason,
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._generated,
            first_token_seconds=self._first_seconds,
            total_seconds=self._clock() - self._began,
            mode=BlendMode.EXACT if blend else BlendMode.BASE,
            changes=(VoiceChange(0, Voice(blend, spoken_temperature(voice), voice.top_p)),),
            kv=(KvSpan(0, blend),),
            adapters=self._recipe.adapters,
        )
