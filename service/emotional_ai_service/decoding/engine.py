"""The decode loop on torch: prefill in chunks, then one token at a time over a key-value cache.

Each request is a generator that gives way after every chunk and every token, so that requests advance together and a
cancelled one stops within a token. A request is computed by itself: its reply does not depend on its neighbours.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import torch
from torch import Tensor
from transformers import DynamicCache, LlamaForCausalLM, PreTrainedTokenizerBase

from emotional_ai_service.decoding.errors import UnknownAdapter
from emotional_ai_service.decoding.messages import Finished, FinishReason, GenerationEvent, GenerationRequest, Started
from emotional_ai_service.decoding.prompt import prompt_tokens
from emotional_ai_service.decoding.sampling import log_probability, next_token
from emotional_ai_service.decoding.streaming import TextStream

PREFILL_CHUNK: Final = 256
"""Prompt tokens computed before other requests have their turn."""


class TorchEngine:
    """One model, its tokenizer and a clock in seconds; `generate` is called by one thread only."""

    def __init__(self, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, clock: Callable[[], float]) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._clock = clock
        self._ends = end_tokens(model, tokenizer)
        self.context_length = int(model.config.max_position_embeddings)

    def generate(self, request: GenerationRequest) -> Iterator[GenerationEvent | None]:
        """Events of one reply, with None wherever it only gives way.

        Raises PromptTooLong, PromptRefused or UnknownAdapter.
        """
        began = self._clock()
        if request.blend:
            raise UnknownAdapter(request.blend[0].adapter)
        prompt = prompt_tokens(self._tokenizer, request, self.context_length)
        yield Started(len(prompt))
        stream = TextStream(self._decode, request.stop, request.logprobs)
        reason, generated, first_seconds = FinishReason.LENGTH, 0, 0.0
        for token, logprob in self._tokens(prompt, request):
            if token is None:
                yield None
                continue
            generated += 1
            if generated == 1:
                first_seconds = self._clock() - began
            piece = None if token in self._ends else stream.push(token, logprob)
            if piece is not None:
                yield piece
            if token in self._ends or stream.stopped:
                reason = FinishReason.STOP
                break
            if piece is None:
                yield None
        if (rest := stream.finish()) is not None:
            yield rest
        yield Finished(reason, len(prompt), generated, first_seconds, self._clock() - began)

    def _tokens(self, prompt: list[int], request: GenerationRequest) -> Iterator[tuple[int | None, float]]:
        """Tokens with their log-probabilities (0 unless asked for), and None after each chunk of the prompt but the last."""
        cache = DynamicCache(config=self._model.config)
        draw = torch.Generator().manual_seed(request.seed)
        chunks = [prompt[start : start + PREFILL_CHUNK] for start in range(0, len(prompt), PREFILL_CHUNK)]
        for chunk in chunks[:-1]:
            self._logits(chunk, cache)
            yield None, 0.0
        fresh, generated = chunks[-1], list[int]()
        while len(generated) < request.max_tokens:
            logits = self._logits(fresh, cache)
            token = next_token(logits, generated, request.sampling, draw)
            generated.append(token)
            yield token, log_probability(logits, token) if request.logprobs else 0.0
            fresh = [token]

    @torch.inference_mode()
    def _logits(self, tokens: list[int], cache: DynamicCache) -> Tensor:
        """Logits [vocabulary] in fp32 behind the last of `tokens`, which join the cache."""
        output = self._model(torch.tensor([tokens]), past_key_values=cache, use_cache=True, logits_to_keep=1)
        logits: Tensor = output.logits[0, -1].float()
        return logits

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False))


def end_tokens(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens that end a turn, by the model's generation settings, its configuration and its tokenizer."""
    named = (model.generation_config.eos_token_id, model.config.eos_token_id, tokenizer.eos_token_id)
    ends: set[int] = set()
    for value in named:
        if value is not None:
            ends.update([value] if isinstance(value, int) else value)
    return frozenset(ends)
