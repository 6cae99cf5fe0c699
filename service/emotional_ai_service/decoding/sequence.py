"""One reply under way: its tokens, where their keys and values lie, and under which blends they were computed."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.batch import BLOCK
from emotional_ai_service.decoding.blends import Held, ResolvedBlend
from emotional_ai_service.decoding.blocks import BlockPool, Node, Runs
from emotional_ai_service.decoding.messages import (
    Blend,
    BlendMode,
    Finished,
    FinishReason,
    GenerationRequest,
    KvPolicy,
    KvSpan,
    Sampling,
    Voice,
    VoiceChange,
)
from emotional_ai_service.decoding.streaming import TextStream

Resolve = Callable[[Blend, Held], ResolvedBlend]
"""A blend as it is computed, by the adapters held so far, which it adds to."""


class Sequence:
    """A reply from its prompt to its last token. `place` gives it blocks; `advance` and `add` move it on."""

    def __init__(
        self,
        ticket: int,
        request: GenerationRequest,
        prompt: list[int],
        blend: ResolvedBlend,
        stream: TextStream,
        began: float,
        held: Held,
    ) -> None:
        self.ticket = ticket
        self.request = request
        self.prompt_length = len(prompt)
        self.tokens = list(prompt)
        self.computed = 0
        """Tokens whose keys and values are in the cache."""
        self.reused = 0
        self.blocks: list[int] = []
        self.blend = blend
        self.stream = stream
        self.draw = np.random.default_rng(request.seed)
        self.coming: Voice | None = None
        """What to speak with from the next token on."""
        self.sampling: Sampling = request.sampling
        """The rule for the next token."""
        self._speak_with(Voice(blend.weights, request.voice.temperature, request.voice.top_p))
        self._schedule = [change for change in request.schedule if change.token_index > 0]
        self._changes = [VoiceChange(0, self._voice)]
        self._adapters = dict.fromkeys(blend.versions())
        self._runs: list[tuple[int, ResolvedBlend]] = []
        self._nodes: list[Node] = []
        self.held = held
        """Adapters named so far: they stay as they were, whatever becomes of them."""
        self._began = began
        self.placed = began
        """When it got its place among the replies spoken together."""
        self._first_token: float | None = None

    @property
    def generated(self) -> list[int]:
        return self.tokens[self.prompt_length :]

    @property
    def pending(self) -> int:
        """Tokens to compute before the next one can be drawn."""
        return len(self.tokens) - self.computed

    @property
    def blocks_needed(self) -> int:
        """Blocks for the prompt and the longest reply."""
        return -(-(self.prompt_length + self.request.max_tokens) // BLOCK)

    @property
    def private(self) -> bool:
        """Whether its blocks are shared with nobody: a strict cache is written over when the blend moves."""
        return self.request.kv_policy is KvPolicy.STRICT

    # The cache

    def place(self, pool: BlockPool, found: list[Node]) -> None:
        """Takes the kept prefix `found`, held already, and blocks for the rest. Raises OutOfBlocks, having taken nothing."""
        self.blocks = [node.block for node in found] + pool.take(self.blocks_needed - len(found))
        self._nodes = found
        self.computed = self.reused = BLOCK * len(found)
        for index, node in enumerate(found):
            for at, blend in node.runs:
                self._mark(index * BLOCK + at, blend)
                self._adapters.update(dict.fromkeys(blend.versions()))

    def advance(self, count: int, pool: BlockPool, *, keep: bool) -> None:
        """The next `count` tokens are computed; blocks they filled are kept for later replies if `keep`."""
        self._mark(self.computed, self.blend)
        self.computed += count
        while keep and not self.private and (len(self._nodes) + 1) * BLOCK <= self.computed:
            if not self._keep_next(pool):
                return

    def leave(self, pool: BlockPool) -> None:
        """Gives every block back."""
        pool.give_back(self.blocks[len(self._nodes) :])
        pool.release(self._nodes)
        self.blocks, self._nodes = [], []

    def _keep_next(self, pool: BlockPool) -> bool:
        index = len(self._nodes)
        begin = index * BLOCK
        parent = self._nodes[-1] if self._nodes else None
        tokens = tuple(self.tokens[begin : begin + BLOCK])
        asked = self.request
        node = pool.keep(parent, self.blocks[index], tokens, self._runs_of(begin), asked.session, asked.tenant)
        if node is None:
            return False
        self._nodes.append(node)
        return True

    def _mark(self, position: int, blend: ResolvedBlend) -> None:
        if not self._runs or self._runs[-1][1] != blend:
            self._runs.append((position, blend))

    def _runs_of(self, begin: int) -> Runs:
        """The blends of the block that begins at `begin`."""
        inside = [(at - begin, blend) for at, blend in self._runs if at < begin + BLOCK]
        before = [blend for at, blend in inside if at <= 0]
        return ((0, before[-1]), *((at, blend) for at, blend in inside if at > 0))

    # The voice

    def turn(self, resolve: Resolve) -> VoiceChange | None:
        """Takes up what was scheduled or is coming, before the next token is computed; says so if anything changed.

        Nothing changes before the first token is spoken, nor twice at one token: a strict reply that is computing its cache
        anew would never end if each voice that comes meanwhile had it begin again.
        """
        index = len(self.tokens) - self.prompt_length
        if index <= self._changes[-1].token_index:
            return None
        voice, self.coming = self.coming, None
        while self._schedule and self._schedule[0].token_index <= index:
            voice = self._schedule.pop(0).voice
        if voice is None:
            return None
        before, blend = self._voice, resolve(voice.blend, self.held)
        moved = blend != self.blend
        if not moved and (voice.temperature, voice.top_p) == (before.temperature, before.top_p):
            return None
        if moved and self.private:
            self.computed = 0
            self._runs.clear()
        if blend.adapters != self.blend.adapters:
            self._adapters.update(dict.fromkeys(blend.versions()))
        self.blend = blend
        self._speak_with(Voice(blend.weights, voice.temperature, voice.top_p))
        change = VoiceChange(index, self._voice)
        self._changes.append(change)
        return change

    def _speak_with(self, voice: Voice) -> None:
        self._voice = voice
        if (voice.temperature, voice.top_p) != (self.sampling.temperature, self.sampling.top_p):
            self.sampling = replace(self.sampling, temperature=voice.temperature, top_p=voice.top_p)

    def spoken_with(self) -> set[LoadedAdapter]:
        """Every adapter this reply has named, or found in the cache it took over."""
        return {*self.held.values(), *(adapter for _, blend in self._runs for adapter in blend.adapters)}

    # The end

    def add(self, token: int, now: float) -> None:
        """The next token of the reply was drawn."""
        self.tokens.append(token)
        if self._first_token is None:
            self._first_token = now

    def finished(self, reason: FinishReason, now: float) -> Finished:
        """What is said at the end."""
        first = self._began if self._first_token is None else self._first_token
        return Finished(
            reason=reason,
            prompt_tokens=self.prompt_length,
            completion_tokens=len(self.generated),
            first_token_seconds=first - self._began,
            total_seconds=now - self._began,
            mode=BlendMode.EXACT if self._adapters else BlendMode.BASE,
            changes=tuple(self._changes),
            kv=tuple(KvSpan(position, blend.weights) for position, blend in self._runs),
            adapters=tuple(self._adapters),
            reused_tokens=self.reused,
            queue_seconds=self.placed - self._began,
        )
