"""The language side of a service: the appraiser in a process of its own, and the decoder the settings name."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from emotional_ai_service.appraisal import Appraisal, AppraisalJob
from emotional_ai_service.decoding import Decoder, GenerationEvent, GenerationRequest, LocalDecoder, LocalModel
from emotional_ai_service.decoding.messages import Voice
from emotional_ai_service.observing.observation import Observation
from emotional_ai_service.observing.settings import LogSettings
from emotional_ai_service.settings import LanguageSettings, LocalBackend, TinkerBackend, VllmBackend
from emotional_ai_service.workers import Worker, WorkerSpec
from emotional_ai_training.adapters import Registry


class Appraiser(Protocol):
    """What understands: answers a job with its appraisals, in order, part by part."""

    def request(self, request: AppraisalJob) -> AsyncGenerator[list[Appraisal], None]:
        """The parts; raises InvalidRequest naming a text that cannot be read, or ModelUnavailable with a retry hint."""
        ...


@dataclass(slots=True)
class Understood:
    """Texts that were appraised, counted."""

    appraised: int = 0
    classified: int = 0
    """Those whose signals were clear enough to act on."""


class Language:
    """What understands and what speaks.

    `hosted` names the adapters of a decoder that speaks elsewhere; None where they are those of the registry.
    """

    def __init__(self, appraiser: Appraiser, decoder: Decoder, hosted: frozenset[str] | None = None) -> None:
        self._appraiser = appraiser
        self.decoder = decoder
        self.hosted = hosted
        self.understood = Understood()

    async def appraise(self, texts: Sequence[str], earlier: Sequence[str]) -> list[Appraisal]:
        """Appraises each text by itself, after the person's earlier messages, oldest first.

        Raises InvalidRequest naming a text that cannot be read, or ModelUnavailable with a retry hint.
        """
        found: list[Appraisal] = []
        async with aclosing(self._appraiser.request(AppraisalJob(tuple(texts), tuple(earlier)))) as parts:
            async for part in parts:
                found.extend(part)
        self.understood.appraised += len(found)
        self.understood.classified += sum(one.classified for one in found)
        return found

    def speak(
        self, request: GenerationRequest, voices: AsyncIterator[Voice] | None = None
    ) -> AsyncGenerator[GenerationEvent, None]:
        """A reply, following `voices` where there are any; see `Decoder.generate`."""
        return self.decoder.generate(request, voices)

    async def admit(self, request: GenerationRequest) -> None:
        """Raises what `decoder.generate` would raise for this request before its first token; decodes nothing."""
        async with aclosing(self.decoder.generate(replace(request, rehearsal=True))) as events:
            await anext(events)


@asynccontextmanager
async def speaking(
    settings: LanguageSettings, adapters: Registry, observation: Observation | None = None
) -> AsyncIterator[Language]:
    """Appraiser and decoder, started together and ended together; blends are made of `adapters`.

    `observation` is what observes them, if anything does.

    Raises WorkerStartFailed, or TinkerStartFailed, with what is wrong.
    """
    log = None if observation is None else observation.log
    appraiser: Worker[AppraisalJob, list[Appraisal]] = Worker(
        WorkerSpec(
            name="appraiser",
            target="emotional_ai_service.appraisal.worker:appraiser_target",
            arguments=settings.encoder_dir,
            threads=1,
            log=log,
        )
    )
    decoder, hosted = decoder_of(settings, adapters, log)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(appraiser.close)
        stack.push_async_callback(decoder.close)
        await asyncio.gather(appraiser.start(), decoder.start())
        watched = (appraiser, decoder) if observation is None else observation.speech(appraiser, decoder)
        yield Language(*watched, hosted)


def decoder_of(
    settings: LanguageSettings, adapters: Registry, log: LogSettings | None = None
) -> tuple[Decoder, frozenset[str] | None]:
    """The decoder the settings name, not yet started, and the names of its adapters if they lie elsewhere.

    Raises TinkerStartFailed for a file of adapters that cannot be read, ValueError for a number out of range.
    """
    match settings.backend:
        case LocalBackend():
            return _local(settings, settings.backend, adapters, log), None
        case VllmBackend():
            return _vllm(settings, settings.backend, adapters, log), None
        case TinkerBackend():
            return _tinker(settings, settings.backend)


def _local(settings: LanguageSettings, backend: LocalBackend, adapters: Registry, log: LogSettings | None) -> Decoder:
    model = LocalModel(
        directory=settings.model_dir,
        cache=settings.cache_dir,
        loras_dir=adapters.loras_dir,
        runtime=backend.runtime,
        precision=backend.precision,
        active=backend.replies,
        kv_bytes=backend.kv_megabytes << 20,
    )
    return LocalDecoder(model, threads=settings.threads, log=log)


def _vllm(settings: LanguageSettings, backend: VllmBackend, adapters: Registry, log: LogSettings | None) -> Decoder:
    from emotional_ai_service.decoding.vllm import VllmDecoder, VllmSettings

    return VllmDecoder(
        VllmSettings(
            base_url=backend.url,
            model=backend.model,
            model_dir=settings.model_dir,
            cache_dir=settings.cache_dir,
            registry=adapters,
            blends_dir=backend.blends_dir,
            max_rank=backend.max_rank,
            api_key=backend.api_key,
            log=log,
        )
    )


def _tinker(settings: LanguageSettings, backend: TinkerBackend) -> tuple[Decoder, frozenset[str]]:
    from emotional_ai_service.decoding.tinker import HOSTED, TinkerDecoder, TinkerSettings, read_adapters

    hosted = read_adapters(backend.adapters_file) if backend.adapters_file else ()
    decoder = TinkerDecoder(
        TinkerSettings(
            base_model=backend.base_model,
            model_dir=settings.model_dir,
            api_key=backend.api_key,
            base_url=backend.url or HOSTED,
            adapters=hosted,
            mode=backend.mode,
        )
    )
    return decoder, frozenset(adapter.name for adapter in hosted)
