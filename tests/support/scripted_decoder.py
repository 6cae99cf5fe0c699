"""An Inference service over real gRPC whose decoder speaks when a test tells it to, and whose appraiser hears by words.

    async with speaking_service(decoder, loras_dir) as served, AsyncClient(served.address) as client: ...

Everything lives on the loop of the test; states, blends and following are real.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from loopback import Clock
from tiny_adapters import DIGEST

from emotional_ai.v1 import engine_pb2_grpc, inference_pb2_grpc
from emotional_ai_service.appraisal import Appraisal, AppraisalJob
from emotional_ai_service.core.names import NO_SIGNALS, SIGNALS
from emotional_ai_service.decoding.errors import AdapterRefused
from emotional_ai_service.decoding.messages import (
    AdapterVersion,
    BlendMode,
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    KvSpan,
    ModelDescription,
    Started,
    Text,
    Voice,
    VoiceChange,
)
from emotional_ai_service.engine import Engine
from emotional_ai_service.following import Pace
from emotional_ai_service.guard import guard
from emotional_ai_service.language import Language
from emotional_ai_service.safeguard import Oversight
from emotional_ai_service.server import ENGINE, INFERENCE, wall_clock
from emotional_ai_service.servicers import EmotionEngineServicer, InferenceServicer
from emotional_ai_service.stores import MemoryStore
from emotional_ai_service.streams import Drain
from emotional_ai_service.tenants import Engines
from emotional_ai_service.validation import check
from emotional_ai_service.workers import Load
from emotional_ai_training.adapters import Registry

FOLLOWS = ModelDescription(
    name="tiny",
    digest=DIGEST,
    context_length=4096,
    backend="scripted",
    dtype="float32",
    modes=(BlendMode.EXACT,),
    follows=True,
    layers=2,
)
"""A decoder that blends exactly and follows."""
HEARD = {"lost": ("loss", 0.9), "kind": ("social_warmth", 0.8)}
"""The signal heard in a text, by a word in it."""


@dataclass
class ScriptedDecoder:
    """Says "t0 ", "t1 ", ..., one token each time it is let; takes voices up at the next token, as the contract says."""

    description: ModelDescription = FOLLOWS
    tokens: int = 3
    refuses: tuple[str, ...] = ()
    """Adapters it cannot apply."""
    says: str = "t{} "
    """What each token says, its number in the place of the braces."""
    asked: list[GenerationRequest] = field(default_factory=list)
    heard: "asyncio.Queue[Voice]" = field(default_factory=asyncio.Queue)
    """Voices that have come while a reply was spoken."""
    speaking: int = 0
    """Replies begun and neither finished nor left."""
    _let: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    @property
    def ready(self) -> bool:
        return True

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def describe(self) -> ModelDescription:
        return self.description

    def load(self) -> Load:
        return Load(running=self.speaking, capacity=16)

    def let(self, tokens: int) -> None:
        """Lets it say so many tokens more."""
        for _ in range(tokens):
            self._let.release()

    def hold(self) -> None:
        """Has it say nothing more until it is let again."""
        self._let = asyncio.Semaphore(0)

    async def generate(
        self, request: GenerationRequest, voices: AsyncIterator[Voice] | None = None
    ) -> AsyncGenerator[GenerationEvent, None]:
        for one in request.blend:
            if one.adapter in self.refuses:
                raise AdapterRefused(one.adapter, "it adapts what this model does not have")
        self.asked.append(request)
        fresh: list[Voice] = []
        listening = asyncio.create_task(self._listen(voices, fresh)) if voices else None
        self.speaking += 1
        try:
            yield Started(7)
            changes = [VoiceChange(0, request.voice)]
            for index in range(self.tokens):
                await self._let.acquire()
                if fresh:
                    changes = [one for one in changes if one.token_index < index]
                    changes.append(VoiceChange(index, fresh[-1]))
                    fresh.clear()
                    yield changes[-1]
                yield Text(self.says.format(index), index, 1)
            yield self._finished(tuple(changes))
        finally:
            self.speaking -= 1
            if listening is not None:
                listening.cancel()
                await asyncio.wait((listening,))

    def _finished(self, changes: tuple[VoiceChange, ...]) -> Finished:
        return Finished(
            FinishReason.LENGTH,
            prompt_tokens=7,
            completion_tokens=self.tokens,
            first_token_seconds=0.0,
            total_seconds=0.0,
            mode=BlendMode.EXACT,
            changes=changes,
            kv=(KvSpan(0, changes[0].voice.blend),),
            adapters=tuple(AdapterVersion(one.adapter, DIGEST) for one in changes[0].voice.blend),
            reused_tokens=2,
        )

    async def _listen(self, voices: AsyncIterator[Voice], fresh: list[Voice]) -> None:
        async for voice in voices:
            fresh.append(voice)
            self.heard.put_nowait(voice)


class WordAppraiser:
    """Hears a signal for each word it knows."""

    async def request(self, job: AppraisalJob) -> AsyncGenerator[list[Appraisal], None]:
        yield [_appraised(text) for text in job.texts]


def _appraised(text: str) -> Appraisal:
    for word, (signal, intensity) in HEARD.items():
        if word in text:
            signals = tuple(intensity if name == signal else 0.0 for name in SIGNALS)
            return Appraisal(signals, True, 0.9, 0.0, ())
    return Appraisal(NO_SIGNALS, False, 0.0, 0.0, ())


@dataclass(frozen=True, slots=True)
class Speaking:
    """A service that speaks by a script."""

    address: str
    engine: Engine

    async def subscribers(self, session_id: str) -> int:
        """How many watch a session."""
        return len((await self.engine.session(session_id)).subscriptions)


@asynccontextmanager
async def speaking_service(
    decoder: ScriptedDecoder,
    loras_dir: Path,
    clock: Clock = wall_clock,
    pace: Pace | None = None,
    hosted: frozenset[str] | None = None,
    oversight: Oversight | None = None,
) -> AsyncIterator[Speaking]:
    """Serves an engine in memory and the decoder beside it; adapters are those in `loras_dir`, or of `hosted` names."""
    store, server = MemoryStore(), grpc.aio.server()
    engines = Engines(store, clock)
    engine_servicer = EmotionEngineServicer(engines, Drain())
    language = Language(WordAppraiser(), decoder, hosted)
    inference = InferenceServicer(engines, language, Registry(loras_dir), oversight or Oversight(clock), pace)
    engine_pb2_grpc.add_EmotionEngineServicer_to_server(guard(engine_servicer, ENGINE, check), server)
    inference_pb2_grpc.add_InferenceServicer_to_server(guard(inference, INFERENCE, check), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield Speaking(f"127.0.0.1:{port}", engines.mine())
    finally:
        await server.stop(0)
        await store.close()
