"""Continuous batching: every step computes one token of each reply that is speaking, and a piece of the prompts to be read.

Replies join and leave between steps; each has its own blend, and the blend of any of them may move at any token. A prompt is
read in pieces, small while others speak, so that nobody falls silent for it.
"""

import logging
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence as Listed
from dataclasses import dataclass
from typing import Final

import numpy as np
from transformers import PreTrainedTokenizerBase

from emotional_ai_service.decoding.adapters import LoadedAdapter, in_order
from emotional_ai_service.decoding.bank import Bank
from emotional_ai_service.decoding.batch import BLOCK, Batch, Runtime
from emotional_ai_service.decoding.blends import Held, ResolvedBlend, resolve
from emotional_ai_service.decoding.blocks import BlockPool, Node
from emotional_ai_service.decoding.errors import CannotBlend, DecodingError
from emotional_ai_service.decoding.llama import Floats, LlamaShape
from emotional_ai_service.decoding.messages import (
    KV_TOLERANCE,
    Blend,
    FinishReason,
    GenerationRequest,
    KvPolicy,
    ModelDescription,
    Started,
    Voice,
)
from emotional_ai_service.decoding.prompt import prompt_tokens
from emotional_ai_service.decoding.sampling import log_probability, next_token
from emotional_ai_service.decoding.sequence import Sequence
from emotional_ai_service.decoding.stack import Stack, Stacks
from emotional_ai_service.decoding.streaming import TextStream
from emotional_ai_service.errors import ServiceError
from emotional_ai_service.workers import Load
from emotional_ai_service.workers.messages import Ended, Event, Outcome, Raised
from emotional_ai_service.workers.target import failed
from emotional_ai_training.adapters import Registry

log = logging.getLogger(__name__)

PIECE: Final = 64
"""Tokens computed in a step while replies are being spoken and prompts read; twice as many in bfloat16, in the same time."""
LONG_PIECE: Final = 256
"""Prompt tokens read in a step while none is; four times as many in bfloat16, where each gains by many."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """What a scheduler speaks with."""

    description: ModelDescription
    shape: LlamaShape
    runtime: Runtime
    tokenizer: PreTrainedTokenizerBase
    ends: frozenset[int]
    """Tokens that end a turn."""
    registry: Registry
    blocks: int
    """Blocks of the runtime's cache."""
    active: int
    """Replies spoken together; others wait."""
    clock: Callable[[], float]
    """Seconds, rising."""


class Scheduler:
    """The target of the decoder process: replies under tickets, advanced by steps."""

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._shape = speaker.shape
        self._pool = BlockPool(speaker.blocks)
        self._stacks = Stacks(speaker.shape)
        self._bank = Bank(speaker.registry, speaker.shape, speaker.description.digest, self._forget)
        self._asked: deque[tuple[int, GenerationRequest]] = deque()
        self._early: dict[int, Voice] = {}
        """Voices that came before the request they are for was read."""
        self._waiting: deque[Sequence] = deque()
        self._active: dict[int, Sequence] = {}
        self._alone: dict[int, str] = {}
        """The texts of single tokens, behind which others are decoded."""
        self._bank.read_all()

    @property
    def pool(self) -> BlockPool:
        """The blocks, for those who count them."""
        return self._pool

    def describe(self) -> object:
        return self._speaker.description

    def begin(self, ticket: int, request: GenerationRequest) -> None:
        self._asked.append((ticket, request))

    def cancel(self, ticket: int) -> None:
        self._asked = deque(entry for entry in self._asked if entry[0] != ticket)
        self._early.pop(ticket, None)
        self._waiting = deque(sequence for sequence in self._waiting if sequence.ticket != ticket)
        if (sequence := self._active.pop(ticket, None)) is not None:
            sequence.leave(self._pool)
            for adapter in sequence.spoken_with():
                if not self._bank.holds(adapter):
                    self._forget(adapter)

    def update(self, ticket: int, value: object) -> None:
        """Takes a Voice for a reply under way."""
        assert isinstance(value, Voice)
        if (speaking := self._active.get(ticket)) is not None:
            speaking.coming = value
            return
        for sequence in self._waiting:
            if sequence.ticket == ticket:
                sequence.coming = value
        if any(asked == ticket for asked, _ in self._asked):
            self._early[ticket] = value

    def busy(self) -> bool:
        return bool(self._asked or self._waiting or self._active)

    def load(self) -> Load:
        return Load(len(self._active), len(self._asked) + len(self._waiting), self._speaker.active)

    def step(self) -> list[Outcome]:
        outcomes = self._take_in()
        self._admit()
        if not self._active:
            return outcomes
        outcomes += self._turn()
        planned = self._plan()
        if not planned:
            return outcomes
        try:
            logits = self._logits(planned)
        except Exception as error:
            for sequence, _ in planned:
                self.cancel(sequence.ticket)
            return [*outcomes, *(_raised(sequence.ticket, error) for sequence, _ in planned)]
        return outcomes + self._speak(planned, logits)

    # From a request to a reply under way

    def _take_in(self) -> list[Outcome]:
        """Reads what was asked since the last step: each is accepted, or refused with its reason."""
        outcomes: list[Outcome] = []
        if self._asked:
            self._bank.refresh()
        while self._asked:
            ticket, request = self._asked.popleft()
            voice = self._early.pop(ticket, None)
            try:
                sequence = self._accept(ticket, request)
            except Exception as error:
                outcomes.append(_raised(ticket, error))
                continue
            outcomes.append(Event(ticket, Started(sequence.prompt_length)))
            if request.rehearsal:
                outcomes.append(Ended(ticket))
                continue
            sequence.coming = voice
            self._waiting.append(sequence)
        return outcomes

    def _accept(self, ticket: int, request: GenerationRequest) -> Sequence:
        began = self._speaker.clock()
        prompt = prompt_tokens(self._speaker.tokenizer, request, self._speaker.description.context_length)
        held = Held(self._bank.named)
        for change in request.schedule:
            self._resolve(change.voice.blend, held)  # refuses a scheduled adapter before the first token
        stream = TextStream(self._decode, request.stop, request.logprobs)
        return Sequence(ticket, request, prompt, self._resolve(request.voice.blend, held), stream, began, held)

    def _resolve(self, blend: Blend, held: Held) -> ResolvedBlend:
        return resolve(blend, held, self._shape.layers)

    def _admit(self) -> None:
        """Lets those who wait speak, in order of arrival, while there is room for their longest reply."""
        while self._waiting and len(self._active) < self._speaker.active:
            sequence = self._waiting[0]
            found = [] if sequence.private or self._speaker.runtime.repeatable else self._match(sequence)
            if sequence.blocks_needed - len(found) > self._pool.available:
                self._pool.release(found)
                return
            sequence.place(self._pool, found)
            sequence.placed = self._speaker.clock()
            self._active[sequence.ticket] = self._waiting.popleft()

    def _match(self, sequence: Sequence) -> list[Node]:
        """The kept prefix this reply may use under its policy; that of its own session may be of another blend."""
        request, blend = sequence.request, sequence.blend

        def rank(node: Node) -> int:
            if not all(self._bank.holds(adapter) for _, one in node.runs for adapter in one.adapters):
                return 0  # kept since by a reply that still speaks with what was replaced
            if node.runs == ((0, blend),):
                return 2
            own = request.session != "" and node.session == request.session
            if own and request.kv_policy is KvPolicy.KEEP:
                return 1
            near = all(one.within(blend, KV_TOLERANCE) for _, one in node.runs)
            return int(own and request.kv_policy is KvPolicy.REFRESH_AT_TURN and near)

        return self._pool.match(sequence.tokens, rank, request.tenant)

    # One step

    def _turn(self) -> list[Outcome]:
        """Takes up the voices that changed."""
        outcomes: list[Outcome] = []
        for sequence in list(self._active.values()):
            try:
                change = sequence.turn(self._resolve)
            except DecodingError as error:
                # Nobody asked for this voice but the state: the reply goes on in the one it has.
                log.warning("a voice that a reply was to follow cannot be taken up: %s", error)
                continue
            except Exception as error:
                self.cancel(sequence.ticket)
                outcomes.append(_raised(sequence.ticket, error))
                continue
            if change is not None:
                outcomes.append(Event(sequence.ticket, change))
        return outcomes

    def _plan(self) -> list[tuple[Sequence, int]]:
        """How many tokens of which reply to compute: one of each that speaks, then prompts in order of arrival."""
        speaking = [(sequence, 1) for sequence in self._active.values() if sequence.pending == 1]
        reading = [sequence for sequence in self._active.values() if sequence.pending > 1]
        if self._speaker.runtime.repeatable:  # the same pieces whoever else is there, hence the same bits
            return [*speaking, *((sequence, min(sequence.pending, LONG_PIECE)) for sequence in reading)]
        piece, long_piece = pieces_in(self._speaker.runtime.dtype)
        room = max(piece - len(speaking), piece // 2) if speaking else long_piece
        planned = speaking
        for sequence in reading:
            if room > 0:
                planned.append((sequence, min(sequence.pending, room)))
                room -= planned[-1][1]
        return planned

    def _logits(self, planned: Listed[tuple[Sequence, int]]) -> Floats:
        """Logits of those who speak, one row each.

        A repeatable runtime computes each reply apart: beside adapters of others its sums would round otherwise.
        """
        runtime = self._speaker.runtime
        if not runtime.repeatable:
            return runtime.forward(self._batch(planned))
        return np.concatenate([runtime.forward(self._batch([one])) for one in planned])

    def _batch(self, planned: Listed[tuple[Sequence, int]]) -> Batch:
        stacked = self._stacked(union([sequence.blend for sequence, _ in planned]))
        counts = [count for _, count in planned]
        begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        tables = [sequence.blocks[: -(-(sequence.computed + count) // BLOCK)] for sequence, count in planned]
        rows = [index for index, (sequence, count) in enumerate(planned) if sequence.pending == count]
        return Batch(
            tokens=np.concatenate([s.tokens[s.computed : s.computed + count] for s, count in planned]).astype(np.int32),
            past=np.array([sequence.computed for sequence, _ in planned], np.int32),
            begins=begins,
            blocks=np.concatenate(tables).astype(np.int32),
            block_begins=np.concatenate([[0], np.cumsum([len(table) for table in tables])]).astype(np.int32),
            wanted=begins[1:][rows] - 1,
            stack=stacked,
            weights=weights_of([s.blend for s, _ in planned], counts, stacked.adapters),
        )

    def _stacked(self, adapters: tuple[LoadedAdapter, ...]) -> Stack:
        """What to multiply for these adapters; to the reference, what nobody speaks with would make sums round otherwise."""
        if self._speaker.runtime.repeatable:
            return self._stacks.of(adapters)
        return self._stacks.around(adapters, self._bank.at_hand)

    def _speak(self, planned: Listed[tuple[Sequence, int]], logits: Floats) -> list[Outcome]:
        outcomes: list[Outcome] = []
        rows = iter(logits)
        for sequence, count in planned:
            speaks = sequence.pending == count
            sequence.advance(count, self._pool, keep=not self._speaker.runtime.repeatable)
            if speaks:
                outcomes += self._try_to_say(sequence, next(rows))
        return outcomes

    def _try_to_say(self, sequence: Sequence, logits: Floats) -> list[Outcome]:
        try:
            return self._say(sequence, logits)
        except Exception as error:
            self.cancel(sequence.ticket)
            return [_raised(sequence.ticket, error)]

    def _say(self, sequence: Sequence, logits: Floats) -> list[Outcome]:
        """Draws the next token and says what can be said of it. Raises CannotBlend where no token is more likely."""
        if not np.isfinite(logits).all():
            raise CannotBlend("local", "finds no finite probabilities under this blend; ask for weights nearer to 0")
        now = self._speaker.clock()
        token = next_token(logits, sequence.generated, sequence.sampling, sequence.draw)
        sequence.add(token, now)
        logprob = log_probability(logits, token) if sequence.request.logprobs else 0.0
        ended = token in self._speaker.ends
        pieces = [] if ended else [sequence.stream.push(token, logprob)]
        reason = FinishReason.STOP if ended or sequence.stream.stopped else None
        if reason is None and len(sequence.generated) == sequence.request.max_tokens:
            reason = FinishReason.LENGTH
        if reason is None:
            return [Event(sequence.ticket, piece) for piece in pieces if piece is not None]
        pieces.append(sequence.stream.finish())
        end = sequence.finished(reason, now)
        self.cancel(sequence.ticket)
        said = [Event(sequence.ticket, piece) for piece in pieces if piece is not None]
        return [*said, Event(sequence.ticket, end), Ended(sequence.ticket)]

    def _decode(self, tokens: Listed[int]) -> str:
        if len(tokens) != 1:
            return self._decoded(tokens)
        if tokens[0] not in self._alone:
            self._alone[tokens[0]] = self._decoded(tokens)
        return self._alone[tokens[0]]

    def _decoded(self, tokens: Listed[int]) -> str:
        return str(
            self._speaker.tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def _forget(self, adapter: LoadedAdapter) -> None:
        self._stacks.forget(adapter)
        self._speaker.runtime.forget(adapter)
        self._pool.forget(lambda blend: adapter in blend.adapters)


def pieces_in(dtype: str) -> tuple[int, int]:
    """Tokens computed in a step while replies are being spoken and prompts read, and while none is spoken, in a format."""
    return (2 * PIECE, 4 * LONG_PIECE) if dtype == "bfloat16" else (PIECE, LONG_PIECE)


def _raised(ticket: int, error: Exception) -> Raised:
    """How a request ends with an error that is being handled: our own as it is, any other as a fault with its traceback."""
    return Raised(ticket, error) if isinstance(error, ServiceError) else failed(ticket)


def union(blends: Listed[ResolvedBlend]) -> tuple[LoadedAdapter, ...]:
    """Every adapter of the blends once, in the fixed order."""
    alike = {blend.adapters for blend in blends}
    return alike.pop() if len(alike) == 1 else in_order({adapter for adapters in alike for adapter in adapters})


def weights_of(blends: Listed[ResolvedBlend], counts: Listed[int], adapters: tuple[LoadedAdapter, ...]) -> Floats:
    """Weights for the tokens of sequences of these blends and counts: [T, adapters], or [layers, T, adapters].

    The second only where a blend has weights per layer.
    """
    shape: tuple[int, ...] = (len(blends), len(adapters))
    # Looked over once where nobody has weights per layer: a blend that moves at every token pays for each look.
    flat = [one.weight for blend in blends for one in blend.weights_of(adapters) if not one.layers]
    if len(flat) < len(blends) * len(adapters):
        each = [one for blend in blends for one in blend.weights_of(adapters)]
        shape = (max(len(one.layers) for one in each), *shape)
        flat = [one.at(layer) for layer in range(shape[0]) for one in each]
    table = np.fromiter(flat, np.float32, len(flat)).reshape(shape)
    return np.repeat(table, counts, axis=-2) if max(counts) > 1 else table
