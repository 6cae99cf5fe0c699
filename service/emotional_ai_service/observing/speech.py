"""The language side, observed: a decoder and an appraiser as they are, with what they say counted and timed.

Backends alike: everything here is read off the events of a reply, in the service's own process.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from emotional_ai_service.appraisal import Appraisal, AppraisalJob
from emotional_ai_service.decoding import Decoder, Finished, GenerationEvent, GenerationRequest, ModelDescription, Text
from emotional_ai_service.decoding.messages import Voice, VoiceChange
from emotional_ai_service.observing.histogram import CALLS, COUNTS, Histogram
from emotional_ai_service.workers import Load

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from emotional_ai_service.language import Appraiser
    from emotional_ai_service.observing.tracing import Tracing


@dataclass(slots=True)
class SpeechCounts:
    """What was counted of replies and appraisals."""

    speaking: int = 0
    """Replies that are past their first token."""
    tokens: int = 0
    """Tokens generated."""
    blend_changes: int = 0
    """Times a reply took up another voice while it was spoken."""
    ends: dict[str, int] = field(default_factory=dict)
    """Replies by how they ended: stop, length, left by whoever asked, or the name of an error."""
    batch: Histogram = field(default_factory=lambda: Histogram(COUNTS))
    """Replies being spoken together, at each piece of one."""
    queue: Histogram = field(default_factory=lambda: Histogram(CALLS))
    """Wait for a place among the replies spoken together, in seconds, where the backend tells."""
    first_token: Histogram = field(default_factory=lambda: Histogram(CALLS))
    """From the decoder taking a request on to its first token, in seconds."""
    reply: Histogram = field(default_factory=lambda: Histogram(CALLS))
    """From the decoder taking a request on to the end of the reply, in seconds."""
    appraisal: Histogram = field(default_factory=lambda: Histogram(CALLS))
    """What one request for appraisals took, in seconds."""


@final
class ObservedDecoder:
    """A Decoder over another."""

    def __init__(self, decoder: Decoder, counts: SpeechCounts, tracing: "Tracing | None") -> None:
        self.inner = decoder
        self._counts = counts
        self._tracing = tracing

    @property
    def ready(self) -> bool:
        return self.inner.ready

    async def start(self) -> None:
        await self.inner.start()

    async def close(self) -> None:
        await self.inner.close()

    def describe(self) -> ModelDescription:
        return self.inner.describe()

    def load(self) -> Load:
        return self.inner.load()

    async def generate(
        self, request: GenerationRequest, voices: AsyncIterator[Voice] | None = None
    ) -> AsyncGenerator[GenerationEvent, None]:
        reply = _Reply(self._counts, self._tracing, rehearsal=request.rehearsal)
        try:
            async with aclosing(self.inner.generate(request, voices)) as events:
                async for event in events:
                    reply.heard(event)
                    yield event
        except BaseException as error:
            reply.broken(error)
            raise
        finally:
            reply.over()


class _Reply:
    """One reply, as its events are heard."""

    __slots__ = ("_counts", "_end", "_error", "_rehearsal", "_span", "_tokens", "_tracing")

    def __init__(self, counts: SpeechCounts, tracing: "Tracing | None", *, rehearsal: bool) -> None:
        self._counts, self._tracing, self._rehearsal = counts, tracing, rehearsal
        self._tokens = 0
        self._end = "left"
        self._error: BaseException | None = None
        name = "decoder admission" if rehearsal else "decoder reply"
        self._span: Span | None = tracing.begin(name) if tracing is not None else None

    def heard(self, event: GenerationEvent) -> None:
        """Counts one event."""
        counts = self._counts
        match event:
            case Text():
                if not self._tokens:
                    counts.speaking += 1
                self._tokens += event.token_count
                counts.tokens += event.token_count
                counts.batch.observe(counts.speaking)
            case VoiceChange():
                counts.blend_changes += 1
            case Finished():
                self._finished(event)

    def _finished(self, event: Finished) -> None:
        counts, self._end = self._counts, event.reason.value
        counts.tokens += event.completion_tokens - self._tokens  # the token that ends a turn is no text
        counts.first_token.observe(event.first_token_seconds)
        counts.reply.observe(event.total_seconds)
        queued = event.queue_seconds or 0.0
        if event.queue_seconds is not None:
            counts.queue.observe(queued)
        if self._span is not None and self._tracing is not None:
            self._span.set_attribute("tokens.prompt", event.prompt_tokens)
            self._span.set_attribute("tokens.reused", event.reused_tokens)
            self._span.set_attribute("tokens.completion", event.completion_tokens)
            self._span.set_attribute("blend.changes", max(len(event.changes) - 1, 0))
            first, total = event.first_token_seconds, event.total_seconds
            self._tracing.stages(
                self._span, (("queue", queued), ("prefill", first - queued), ("decode", total - first))
            )

    def broken(self, error: BaseException) -> None:
        """The reply ended before its end."""
        if isinstance(error, Exception):
            self._error, self._end = error, type(error).__name__

    def over(self) -> None:
        """Nothing more comes."""
        if self._tokens:
            self._counts.speaking -= 1
        if not self._rehearsal:
            self._counts.ends[self._end] = self._counts.ends.get(self._end, 0) + 1
        if self._span is not None and self._tracing is not None:
            self._span.set_attribute("end", self._end)
            self._tracing.end(self._span, self._error)


@final
class ObservedAppraiser:
    """An Appraiser over another."""

    def __init__(self, appraiser: "Appraiser", counts: SpeechCounts, tracing: "Tracing | None") -> None:
        self.inner = appraiser
        self._counts = counts
        self._tracing = tracing

    async def request(self, request: AppraisalJob) -> AsyncGenerator[list[Appraisal], None]:
        """As the Protocol."""
        began, tracing = time.monotonic(), self._tracing
        span = tracing.begin("appraisal", {"texts": len(request.texts)}) if tracing is not None else None
        failure: BaseException | None = None
        try:
            async with aclosing(self.inner.request(request)) as parts:
                async for part in parts:
                    yield part
        except BaseException as error:
            failure = None if isinstance(error, GeneratorExit) else error
            raise
        finally:
            self._counts.appraisal.observe(time.monotonic() - began)
            if span is not None and tracing is not None:
                tracing.end(span, failure)
