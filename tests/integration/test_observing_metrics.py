"""What Prometheus is told, of a whole service with a tiny model: numbers that follow from what was done."""

import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest
from loopback import IN_MEMORY, Hosted, hosted, service_process
from observed_service import ANY_PORT, speaking_settings
from observing import Numbers, numbers_once, read_numbers

from emotional_ai import Client, NotFound, Sampling
from emotional_ai_service.observing import MetricsAddress, ObservingSettings
from emotional_ai_service.observing.endpoint import MetricsUnservable
from emotional_ai_service.server import serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    with hosted(speaking_settings(tmp_path_factory.mktemp("observed"), ANY_PORT)) as running:
        yield running


@pytest.fixture
def client(served: Hosted) -> Iterator[Client]:
    with Client(served.address) as client:
        yield client


def grown(before: Numbers, after: Numbers, name: str, **labels: str) -> float:
    """By how much a number has grown; one that was not there before was 0."""
    key = (name, frozenset(labels.items()))
    return after.samples[key] - before.samples.get(key, 0.0)


def test_calls_are_counted_by_method_and_by_how_they_ended(served: Hosted, client: Client) -> None:
    before = read_numbers(served.metrics)
    client.create_session("counted")
    for _ in range(3):
        client.apply("counted", reward=0.5)
    with pytest.raises(NotFound):
        client.state("nobody-of-that-name")
    applied = {"service": "EmotionEngine", "method": "ApplyStimuli", "code": "OK"}
    missing = {"service": "EmotionEngine", "method": "GetState", "code": "NOT_FOUND"}
    refused = ("emotional_ai_rpc_seconds_count", frozenset(missing.items()))
    after = numbers_once(served.metrics, lambda now: refused in now.samples)  # counted once the caller was told
    assert grown(before, after, "emotional_ai_rpc_seconds_count", **applied) == 3
    assert grown(before, after, "emotional_ai_rpc_seconds_bucket", le="+Inf", **applied) == 3
    assert grown(before, after, "emotional_ai_rpc_seconds_sum", **applied) > 0
    assert grown(before, after, "emotional_ai_rpc_seconds_count", **missing) == 1
    assert after.of("emotional_ai_rpcs_in_flight", service="EmotionEngine", method="ApplyStimuli") == 0
    assert grown(before, after, "emotional_ai_store_seconds_count", operation="append") == 4
    assert after.of("emotional_ai_store_writes_waiting") == 0
    assert grown(before, after, "emotional_ai_sessions_in_memory") == 1


def test_streams_are_counted_while_they_are_open_and_tell_how_far_they_lie_behind(
    served: Hosted, client: Client
) -> None:
    client.create_session("watched")
    before = read_numbers(served.metrics)
    with client.watch("watched") as states:
        seen = iter(states)
        next(seen)
        client.apply("watched", reward=0.5)
        next(seen)
        during = numbers_once(
            served.metrics, lambda now: grown(before, now, "emotional_ai_stream_states_sent_total") == 1
        )
    assert during.of("emotional_ai_streams_open") == before.of("emotional_ai_streams_open") + 1
    assert during.of("emotional_ai_rpcs_in_flight", service="EmotionEngine", method="WatchState") == 1
    assert grown(before, during, "emotional_ai_stream_changes_coalesced_total") == 0
    assert grown(before, during, "emotional_ai_stream_lag_seconds_count") == 1


def test_a_reply_is_counted_token_by_token_and_as_a_whole(served: Hosted, client: Client) -> None:
    client.create_session("spoken-to")
    before = read_numbers(served.metrics)
    with client.converse("spoken-to", "You are wonderful, thank you!", sampling=Sampling(max_tokens=9)) as reply:
        for _ in reply:
            pass
    assert reply.finished is not None
    after = read_numbers(served.metrics)
    assert grown(before, after, "emotional_ai_decoder_tokens_total") == reply.finished.usage.completion_tokens
    end = {1: "stop", 2: "length"}[reply.finished.reason]
    assert grown(before, after, "emotional_ai_decoder_replies_total", end=end) == 1
    assert grown(before, after, "emotional_ai_decoder_first_token_seconds_count") == 1
    assert grown(before, after, "emotional_ai_decoder_queue_seconds_count") == 1
    assert grown(before, after, "emotional_ai_texts_appraised_total") == 1
    assert grown(before, after, "emotional_ai_appraisal_seconds_count") == 1
    assert after.of("emotional_ai_decoder_replies_capacity") == 3
    assert after.of("emotional_ai_decoder_ready") == 1
    assert after.of("emotional_ai_restarts_total", process="decoder") == 0
    assert after.of("emotional_ai_decoder_process_resident_memory_bytes") > 10e6


def test_no_number_names_a_session_or_grows_with_them(served: Hosted, client: Client) -> None:
    client.create_session("first-of-many")
    client.apply("first-of-many", reward=0.5)
    before = set(read_numbers(served.metrics).samples)
    for number in range(20):
        client.create_session(f"one-of-many-{number}")
        client.apply(f"one-of-many-{number}", reward=0.5)
    after = set(read_numbers(served.metrics).samples)
    assert after == before
    assert not [one for one in after if "many" in str(one)]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /metrics HTTP/1.1\r\nx: " + b"y" * 9000 + b"\r\n\r\n", b"431"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"200"),
        (b"\xff\xfe nonsense\r\n\r\n", b"404"),
    ],
)
def test_whatever_else_is_asked_there_is_refused_in_http(served: Hosted, request_: bytes, status: bytes) -> None:
    port = int(served.metrics.rpartition(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request_)
        head = connection.makefile("rb").readline()
    assert head.split()[1] == status


async def test_a_taken_port_is_told_with_the_flag_that_chooses_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = MetricsAddress(port=taken.getsockname()[1])
        with pytest.raises(MetricsUnservable, match="choose another with --metrics"):
            async with serving(replace(IN_MEMORY, observing=ObservingSettings(metrics=where))):
                pass


def test_the_command_says_where_the_metrics_are_and_none_are_there_unasked() -> None:
    with service_process("--engine-only", "--metrics", "127.0.0.1:0") as served:
        assert served.process.stdout is not None
        told = served.process.stdout.readline().split()
        assert told[0] == "metrics"
        assert read_numbers(told[1]).of("emotional_ai_sessions_in_memory") == 0
    with hosted() as unobserved:
        assert unobserved.metrics == ""
