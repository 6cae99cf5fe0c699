"""How one server is observed: what is put around its parts, and what is told of them; nothing where nothing was asked for.

async with observed(settings) as observation:
    store = observation.store(store)
    appraiser, decoder = observation.speech(appraiser, decoder)
    servicer = observation.around(servicer, service)
    async with observation.told(...) as url: ...
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sized
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, final

from google.protobuf.descriptor import ServiceDescriptor

from emotional_ai_service.decoding import Decoder, LocalDecoder
from emotional_ai_service.observing.calls import Observer
from emotional_ai_service.observing.endpoint import metrics_endpoint
from emotional_ai_service.observing.loop_lag import loop_lag
from emotional_ai_service.observing.rpcs import Rpcs, StreamLag
from emotional_ai_service.observing.settings import ObservingSettings
from emotional_ai_service.observing.speech import ObservedAppraiser, ObservedDecoder, SpeechCounts
from emotional_ai_service.observing.store import ObservedStore, StoreCounts
from emotional_ai_service.observing.training import jobs_seen
from emotional_ai_service.stores import Store
from emotional_ai_service.workers import Worker
from emotional_ai_training.jobs import JobsDirectory

if TYPE_CHECKING:
    from emotional_ai_service.language import Appraiser, Language
    from emotional_ai_service.observing.tracing import Tracing


Servicer = TypeVar("Servicer")


@dataclass(frozen=True, slots=True)
class Inside:
    """Parts of a server that are asked how they are."""

    room: Sized
    """Its sessions in memory."""
    streams: Sized
    """Its open streams of states."""
    language: "Language | None"
    jobs_dir: Path


@final
class Observation:
    """What observes one server."""

    def __init__(self, settings: ObservingSettings, tracing: "Tracing | None") -> None:
        self._settings = settings
        self._tracing = tracing
        self._rpcs, self._store, self._speech = Rpcs(), StoreCounts(), SpeechCounts()
        self._counts = settings.metrics is not None
        self._restarts: dict[str, Callable[[], int]] = {}
        self._decoder_pid: Callable[[], int | None] = lambda: None
        self.lag = StreamLag() if self._counts else None
        """How far streams lie behind, to be counted by them; None where nobody asks."""
        self.log = settings.log
        """How processes of models are to log."""

    def around(self, servicer: Servicer, service: ServiceDescriptor) -> Servicer:
        """A guarded servicer, observed in place."""
        logs = self._settings.log is not None
        if not (self._watches or logs):
            return servicer
        return Observer(self._rpcs if self._counts else None, self._tracing, names=logs).around(servicer, service)

    def store(self, store: Store) -> Store:
        """The store, observed."""
        return ObservedStore(store, self._store, self._tracing) if self._watches else store

    def speech(self, appraiser: "Appraiser", decoder: Decoder) -> "tuple[Appraiser, Decoder]":
        """The language side, observed."""
        if not self._watches:
            return appraiser, decoder
        if isinstance(appraiser, Worker):
            self._restarts["appraiser"] = lambda: appraiser.restarts
        if isinstance(decoder, LocalDecoder):
            self._restarts["decoder"] = lambda: decoder.restarts
            self._decoder_pid = lambda: decoder.pid
        return (
            ObservedAppraiser(appraiser, self._speech, self._tracing),
            ObservedDecoder(decoder, self._speech, self._tracing),
        )

    @asynccontextmanager
    async def told(self, inside: Inside) -> AsyncIterator[str]:
        """Answers Prometheus as long as the context lasts; gives the URL, empty where nothing is told.

        Raises MetricsUnservable.
        """
        if self._settings.metrics is None or self.lag is None:
            yield ""
            return
        from emotional_ai_service.observing.scrape import Counts, Parts, Scrape

        counts = Counts(self._rpcs, self.lag, self._store, self._speech)
        jobs = JobsDirectory(inside.jobs_dir)
        parts = Parts(
            sessions=lambda: len(inside.room),
            streams=lambda: len(inside.streams),
            language=inside.language,
            restarts=lambda: {name: number() for name, number in self._restarts.items()},
            decoder_pid=self._decoder_pid,
            jobs=lambda: jobs_seen(jobs),
        )
        async with loop_lag(counts.loop), metrics_endpoint(self._settings.metrics, Scrape(counts, parts).text) as url:
            yield url

    @property
    def _watches(self) -> bool:
        return self._counts or self._tracing is not None


@asynccontextmanager
async def observed(settings: ObservingSettings) -> AsyncIterator[Observation]:
    """The observation of one server, which outlives it: spans that are left are sent at the end."""
    if settings.otlp_url is None:
        yield Observation(settings, None)
        return
    from emotional_ai_service.observing.tracing import Tracing

    tracing = Tracing.to(settings.otlp_url, version("emotional-ai"))
    try:
        yield Observation(settings, tracing)
    finally:
        await asyncio.to_thread(tracing.close)
