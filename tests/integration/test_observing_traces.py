"""Traces from a client to the decoder's process, at a real collector: one tree, and no word of what was said."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest
from loopback import hosted
from observed_service import speaking_settings
from observing import Collector, collector, logged
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import format_trace_id

from emotional_ai import AsyncClient, Client, NotFound, Sampling
from emotional_ai_service.observing import LogFormat, LogSettings, ObservingSettings

SAID = "My grandmother Wilhelmina died, and I am so sad."
LOG = LogSettings(LogFormat.JSON)
HERE = TracerProvider(shutdown_on_exit=False).get_tracer("test")


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Collector]]:
    """The address of a service, and where its spans go. Spans that are left are sent when it ends."""
    place = tmp_path_factory.mktemp("traced")
    with (
        collector() as collected,
        hosted(speaking_settings(place, ObservingSettings(otlp_url=collected.url, log=LOG))) as served,
    ):
        yield served.address, collected


def test_one_turn_is_one_tree_from_the_client_to_the_decoder(traced: tuple[str, Collector]) -> None:
    address, collected = traced
    with Client(address, tracing=True) as client:
        client.create_session("traced")
        with (
            HERE.start_as_current_span("a turn") as turn,
            client.converse("traced", SAID, sampling=Sampling(max_tokens=5)) as reply,
        ):
            said = "".join(event.text.text for event in reply if event.WhichOneof("event") == "text")
    collected.wait_for("Inference/Converse", "decoder reply", "queue", "prefill", "decode", "appraisal", "store append")
    trace = turn.get_span_context()
    spans = {one.name: one for one in collected.spans if one.trace_id.hex() == format_trace_id(trace.trace_id)}
    root, reply_span = spans["Inference/Converse"], spans["decoder reply"]
    assert root.parent_span_id == trace.span_id.to_bytes(8, "big")
    assert {name for name, one in spans.items() if one.parent_span_id == root.span_id} >= {
        "appraisal",
        "decoder admission",
        "decoder reply",
        "store append",
    }
    below = [spans[name] for name in ("queue", "prefill", "decode") if name in spans]
    assert {one.name for one in below} >= {"prefill", "decode"}
    assert all(one.parent_span_id == reply_span.span_id for one in below)
    assert all(one.end_time_unix_nano == other.start_time_unix_nano for one, other in pairwise(below))
    assert all(root.start_time_unix_nano <= one.start_time_unix_nano for one in below)
    assert all(one.end_time_unix_nano <= root.end_time_unix_nano for one in below)
    assert collected.resources == {"emotional-ai"}
    assert said
    assert "Wilhelmina" not in collected.text()


async def test_a_refused_call_is_an_error_in_the_callers_trace(traced: tuple[str, Collector]) -> None:
    address, collected = traced
    async with AsyncClient(address, tracing=True) as client:
        with HERE.start_as_current_span("asked in vain") as asked, logged(LOG) as log:
            with pytest.raises(NotFound):
                await client.state("nobody")
            line = await asyncio.to_thread(log.wait_for, method="EmotionEngine/GetState", code="NOT_FOUND")
    collected.wait_for("EmotionEngine/GetState")
    (span,) = [one for one in collected.spans if one.name == "EmotionEngine/GetState"]
    assert span.trace_id.hex() == format_trace_id(asked.get_span_context().trace_id)
    assert (span.status.code, span.status.message) == (2, "NOT_FOUND")
    assert line["trace_id"] == span.trace_id.hex()


def test_a_client_that_was_not_asked_to_passes_no_trace_on(traced: tuple[str, Collector]) -> None:
    address, collected = traced
    with Client(address) as client, HERE.start_as_current_span("kept to itself") as own:
        next(client.list_sessions(), None)
    collected.wait_for("EmotionEngine/ListSessions")
    spans = [one for one in collected.spans if one.name == "EmotionEngine/ListSessions"]
    assert spans
    assert all(one.parent_span_id == b"" for one in spans)
    assert all(one.trace_id.hex() != format_trace_id(own.get_span_context().trace_id) for one in spans)
