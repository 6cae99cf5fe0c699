"""What Prometheus is told: read off the parts of a server when it asks, in a millisecond or so.

No number names a session, a person, a job or a tenant, and none grows with them.
"""

import asyncio
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from emotional_ai_service.observing.histogram import BRIEF, Histogram
from emotional_ai_service.observing.rpcs import Rpcs, StreamLag
from emotional_ai_service.observing.speech import SpeechCounts
from emotional_ai_service.observing.store import StoreCounts
from emotional_ai_service.observing.training import JobsSeen

if TYPE_CHECKING:
    from emotional_ai_service.language import Language

PREFIX: Final = "emotional_ai_"
"""How every name begins but those of the process, which are Prometheus's own."""


@dataclass(slots=True)
class Counts:
    """Everything that is counted of one server."""

    rpcs: Rpcs = field(default_factory=Rpcs)
    lag: StreamLag = field(default_factory=StreamLag)
    store: StoreCounts = field(default_factory=StoreCounts)
    speech: SpeechCounts = field(default_factory=SpeechCounts)
    loop: Histogram = field(default_factory=lambda: Histogram(BRIEF))


@dataclass(frozen=True, slots=True)
class Parts:
    """What else is asked when Prometheus asks."""

    sessions: Callable[[], int]
    """Sessions in memory."""
    streams: Callable[[], int]
    """Streams of states that are open."""
    language: "Language | None"
    restarts: Callable[[], dict[str, int]]
    """How often each process of a model was replaced, by its name."""
    decoder_pid: Callable[[], int | None]
    jobs: Callable[[], JobsSeen]
    """Training jobs; reads files."""


@final
class Scrape:
    """The text of one server's numbers."""

    def __init__(self, counts: Counts, parts: Parts) -> None:
        self._counts = counts
        self._parts = parts
        self._build = _build()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        ProcessCollector(f"{PREFIX}decoder", lambda: parts.decoder_pid() or 0, registry=self._registry)

    async def text(self) -> bytes:
        """All numbers in Prometheus's text format; files are read, and the text is made, away from the event loop."""
        ours = list(self._families())
        jobs = self._parts.jobs

        def made() -> bytes:
            return generate_latest(_Collected([*ours, *_jobs(jobs()), *self._registry.collect()]))

        return await asyncio.to_thread(made)

    def _families(self) -> Iterator[Metric]:
        yield self._build
        yield from _rpcs(self._counts.rpcs)
        yield _gauge("sessions_in_memory", "Sessions in memory.", self._parts.sessions())
        yield _gauge("streams_open", "Streams of states that are open.", self._parts.streams())
        yield from _lag(self._counts.lag)
        yield from _store(self._counts.store)
        yield _histogram("event_loop_lag_seconds", "How late the event loop is.", self._counts.loop)
        if self._parts.language is not None:
            yield from _language(self._parts.language)
            yield from _speech(self._counts.speech)
            restarts = CounterMetricFamily(
                f"{PREFIX}restarts", "Times a process of a model was replaced.", labels=["process"]
            )
            for name, number in self._parts.restarts().items():
                restarts.add_metric([name], number)
            yield restarts


@dataclass(frozen=True, slots=True)
class _Collected:
    """What generate_latest takes for a registry."""

    families: list[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


def _build() -> Metric:
    """Reads files: the versions of packages are looked up among what is installed."""
    about = {
        "version": version("emotional-ai"),
        "python": platform.python_version(),
        "grpc": version("grpcio"),
    }
    family = GaugeMetricFamily(f"{PREFIX}build_info", "What runs; always 1.", labels=list(about))
    family.add_metric(list(about.values()), 1)
    return family


def _rpcs(rpcs: Rpcs) -> Iterator[Metric]:
    seconds = HistogramMetricFamily(
        f"{PREFIX}rpc_seconds",
        "Time calls took, by the code they ended with; a stream counts when it ends, with its whole life.",
        labels=["service", "method", "code"],
    )
    in_flight = GaugeMetricFamily(f"{PREFIX}rpcs_in_flight", "Calls under way.", labels=["service", "method"])
    for name, counts in list(rpcs.methods.items()):
        service, _, method = name.partition("/")
        in_flight.add_metric([service, method], counts.in_flight)
        for code, histogram in counts.seconds.items():
            seconds.add_metric([service, method, code], histogram.buckets(), histogram.total)
    yield seconds
    yield in_flight


def _lag(lag: StreamLag) -> Iterator[Metric]:
    yield _histogram("stream_lag_seconds", "Between a change of a state and its sending on a stream.", lag.seconds)
    yield _counter("stream_states_sent", "States sent on streams that told of changes.", lag.sent)
    yield _counter("stream_changes_coalesced", "Changes folded into the state sent for a later one.", lag.coalesced)


def _store(store: StoreCounts) -> Iterator[Metric]:
    seconds = HistogramMetricFamily(
        f"{PREFIX}store_seconds", "Time the store took, by operation.", labels=["operation"]
    )
    for operation, histogram in store.seconds.items():
        seconds.add_metric([operation], histogram.buckets(), histogram.total)
    yield seconds
    failures = CounterMetricFamily(
        f"{PREFIX}store_failures", "Operations the store refused, by error.", labels=["operation", "error"]
    )
    for (operation, error), number in store.failures.items():
        failures.add_metric([operation, error], number)
    yield failures
    yield _gauge("store_writes_waiting", "Writes handed to the store and not yet durable.", store.waiting)


def _language(language: "Language") -> Iterator[Metric]:
    load, understood = language.decoder.load(), language.understood
    yield _gauge("decoder_ready", "1 if a reply would be taken on now.", int(language.decoder.ready))
    yield _gauge("decoder_replies_running", "Replies being decoded.", load.running)
    yield _gauge("decoder_replies_waiting", "Replies waiting for a place among them.", load.waiting)
    yield _gauge("decoder_replies_capacity", "Replies that can be decoded together; 0 if not known.", load.capacity)
    yield _counter("texts_appraised", "Texts appraised.", understood.appraised)
    yield _counter("texts_classified", "Texts whose signals were clear enough to act on.", understood.classified)
    rate = understood.classified / understood.appraised if understood.appraised else 0.0
    yield _gauge("classify_rate", "Share of the texts that were clear enough, since the start.", rate)


def _speech(speech: SpeechCounts) -> Iterator[Metric]:
    yield _counter("decoder_tokens", "Tokens generated.", speech.tokens)
    yield _counter("blend_changes", "Times a reply took up another voice while spoken.", speech.blend_changes)
    replies = CounterMetricFamily(f"{PREFIX}decoder_replies", "Replies by how they ended.", labels=["end"])
    for end, number in speech.ends.items():
        replies.add_metric([end], number)
    yield replies
    yield _histogram("decoder_batch_replies", "Replies spoken together, at each piece of one.", speech.batch)
    yield _histogram("decoder_queue_seconds", "Wait for a place in the decoder.", speech.queue)
    yield _histogram("decoder_first_token_seconds", "From taking a reply on to its first token.", speech.first_token)
    yield _histogram("decoder_reply_seconds", "From taking a reply on to its end.", speech.reply)
    yield _histogram("appraisal_seconds", "Time a request for appraisals took.", speech.appraisal)


def _jobs(seen: JobsSeen) -> Iterator[Metric]:
    jobs = GaugeMetricFamily(f"{PREFIX}jobs", "Training jobs by where they stand.", labels=["standing"])
    for standing, number in seen.standings.items():
        jobs.add_metric([standing], number)
    yield jobs
    progress = GaugeMetricFamily(
        f"{PREFIX}job_progress_ratio", "How far the running job is in its stage, 0..1.", labels=["recipe", "stage"]
    )
    if seen.running is not None:
        progress.add_metric([seen.running.recipe, seen.running.stage], seen.running.ratio)
    yield progress


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, about, value=value)


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, about, value=value)


def _histogram(name: str, about: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(PREFIX + name, about, buckets=histogram.buckets(), sum_value=histogram.total)
