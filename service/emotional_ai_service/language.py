"""The language side of a service: the appraiser and the decoder, each in a process of its own."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Protocol

from emotional_ai_service.appraisal import Appraisal, AppraisalJob
from emotional_ai_service.decoding import Decoder, GenerationEvent, GenerationRequest, LocalDecoder, LocalModel
from emotional_ai_service.decoding.messages import Voice
from emotional_ai_service.settings import LanguageSettings
from emotional_ai_service.workers import Worker, WorkerSpec


class Appraiser(Protocol):
    """What understands: answers a job with its appraisals, in order, part by part."""

    def request(self, request: AppraisalJob) -> AsyncGenerator[list[Appraisal], None]:
        """The parts; raises InvalidRequest naming a text that cannot be read, or ModelUnavailable with a retry hint."""
        ...


class Language:
    """What understands and what speaks.

    `hosted` names the adapters of a decoder that speaks elsewhere; None where they are those of the registry.
    """

    def __init__(self, appraiser: Appraiser, decoder: Decoder, hosted: frozenset[str] | None = None) -> None:
        self._appraiser = appraiser
        self.decoder = decoder
        self.hosted = hosted

    async def appraise(self, texts: Sequence[str], earlier: Sequence[str]) -> list[Appraisal]:
        """Appraises each text by itself, after the person's earlier messages, oldest first.

        Raises InvalidRequest naming a text that cannot be read, or ModelUnavailable with a retry hint.
        """
        found: list[Appraisal] = []
        async with aclosing(self._appraiser.request(AppraisalJob(tuple(texts), tuple(earlier)))) as parts:
            async for part in parts:
                found.extend(part)
        return found

    def speak(
        self, request: GenerationRequest, voices: AsyncIterator[Voice] | None = None
    ) -> AsyncGenerator[GenerationEvent, None]:
        """A reply, following `voices` where there are any; see `Decoder.generate`."""
        return self.decoder.generate(request) if voices is None else self.decoder.generate(request, voices)

    async def admit(self, request: GenerationRequest) -> None:
        """Raises what `decoder.generate` would raise for this request before its first token; decodes nothing."""
        async with aclosing(self.decoder.generate(request)) as events:
            await anext(events)


@asynccontextmanager
async def speaking(settings: LanguageSettings) -> AsyncIterator[Language]:
    """Both processes, started together and ended together. Raises WorkerStartFailed with what is wrong."""
    appraiser: Worker[AppraisalJob, list[Appraisal]] = Worker(
        WorkerSpec(
            name="appraiser",
            target="emotional_ai_service.appraisal.worker:appraiser_target",
            arguments=settings.encoder_dir,
            threads=1,
        )
    )
    decoder = LocalDecoder(LocalModel(settings.model_dir, settings.cache_dir), threads=settings.threads)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(appraiser.close)
        stack.push_async_callback(decoder.close)
        await asyncio.gather(appraiser.start(), decoder.start())
        yield Language(appraiser, decoder)
