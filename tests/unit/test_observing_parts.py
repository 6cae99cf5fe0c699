"""Parts of what is observed by themselves: histograms, flags, an observed store."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from tiny_jobs import made, script

from emotional_ai.v1 import engine_pb2, engine_pb2_grpc
from emotional_ai_service.flags.observing import ObservingFlags, observing_of
from emotional_ai_service.observing import LogFormat, LogLevel, LogSettings, MetricsAddress, ObservingSettings
from emotional_ai_service.observing.calls import Observer
from emotional_ai_service.observing.histogram import BRIEF, CALLS, COUNTS, Histogram
from emotional_ai_service.observing.observation import Observation
from emotional_ai_service.observing.rpcs import Rpcs
from emotional_ai_service.observing.store import ObservedStore, StoreCounts
from emotional_ai_service.observing.training import JobsSeen, Running, jobs_seen
from emotional_ai_service.server import ENGINE
from emotional_ai_service.servicers import EmotionEngineServicer
from emotional_ai_service.stores import MemoryStore, Record, Store, VersionConflict
from emotional_ai_service.streams import Drain
from emotional_ai_service.tenants import Engines
from emotional_ai_training.jobs import JobsDirectory, Standing
from emotional_ai_training.jobs.progress import ProgressLog


def flags(
    *,
    metrics: str | None = None,
    metrics_public: bool = False,
    otlp: str | None = None,
    log: LogFormat | None = None,
    log_level: LogLevel | None = None,
    log_sessions: bool = False,
) -> ObservingFlags:
    return ObservingFlags(
        metrics=metrics,
        metrics_public=metrics_public,
        otlp=otlp,
        log=log,
        log_level=log_level,
        log_sessions=log_sessions,
    )


@given(
    st.lists(st.floats(-10, 100), max_size=50),
    st.lists(st.integers(-20, 80), min_size=1, max_size=6, unique=True).map(sorted),
)
def test_a_histogram_counts_what_is_at_or_below_each_bound(values: list[float], bounds: list[int]) -> None:
    histogram = Histogram([float(bound) for bound in bounds])
    for value in values:
        histogram.observe(value)
    buckets = histogram.buckets()
    assert [count for _, count in buckets[:-1]] == [sum(one <= bound for one in values) for bound in bounds]
    assert buckets[-1] == ("+Inf", len(values))
    assert histogram.count == len(values)
    assert histogram.total == pytest.approx(sum(values))


@pytest.mark.parametrize("bounds", [[], [1.0, 1.0], [2.0, 1.0]])
def test_a_histogram_whose_bounds_do_not_rise_is_refused(bounds: list[float]) -> None:
    with pytest.raises(ValueError, match="must rise"):
        Histogram(bounds)


def test_the_bounds_in_use_rise() -> None:
    assert all(one < other for bounds in (CALLS, BRIEF, COUNTS) for one, other in pairwise(bounds))


def test_nothing_is_observed_unless_it_is_asked_for() -> None:
    store, servicer = MemoryStore(), EmotionEngineServicer(Engines(MemoryStore(), lambda: 0), Drain())
    nothing = Observation(observing_of(flags()), None)
    nothing.around(servicer, ENGINE)
    assert not {one.name for one in ENGINE.methods} & vars(servicer).keys()
    assert nothing.store(store) is store
    assert nothing.lag is None
    only_log = Observation(ObservingSettings(log=LogSettings()), None)
    only_log.around(servicer, ENGINE)
    assert {one.name for one in ENGINE.methods} <= vars(servicer).keys()
    assert only_log.store(store) is store


def test_flags_become_settings() -> None:
    found = observing_of(flags(metrics="[::1]:0", otlp="https://collector:4317", log=LogFormat.JSON))
    assert found.metrics == MetricsAddress("[::1]", 0)
    assert found.otlp_url == "https://collector:4317"
    assert found.log == LogSettings(LogFormat.JSON, LogLevel.INFO)
    assert observing_of(flags(log_level=LogLevel.DEBUG)).log == LogSettings(LogFormat.TEXT, LogLevel.DEBUG)
    assert observing_of(flags(metrics="0.0.0.0:9464", metrics_public=True)).metrics == MetricsAddress("0.0.0.0", 9464)


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"metrics": "9464"}, "must be HOST:PORT"),
        ({"metrics": "127.0.0.1:70000"}, "0..65535"),
        ({"metrics": "::1:9464"}, "must be HOST:PORT"),
        ({"metrics": "0.0.0.0:9464"}, "--metrics-public"),
        ({"metrics_public": True}, "without --metrics"),
        ({"otlp": "collector:4317"}, "http://HOST:PORT"),
        ({"otlp": "http://[::1"}, "http://HOST:PORT"),
        ({"otlp": "http://collector:99999"}, "http://HOST:PORT"),
        ({"otlp": "http://me:secret@collector:4317"}, "OTEL_EXPORTER_OTLP_HEADERS"),
        ({"log_sessions": True}, "without --log"),
    ],
)
def test_flags_that_cannot_be_are_refused_with_what_is_allowed(wrong: dict[str, str], advice: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        observing_of(flags(**wrong))  # type: ignore[arg-type]
    assert advice in refused.value.message
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("wanted", [{"metrics": "127.0.0.1:0"}, {"otlp": "http://127.0.0.1:4317"}])
def test_a_package_that_is_not_there_is_told_with_the_command_that_installs_it(wanted: dict[str, str]) -> None:
    with pytest.raises(typer.BadParameter, match=r"pip install 'emotional-ai\[observability\]'"):
        observing_of(flags(**wanted), lambda _: None)  # type: ignore[arg-type]


async def test_an_observed_store_is_the_store_and_its_refusals_are_counted() -> None:
    counts = StoreCounts()
    store: Store = ObservedStore(MemoryStore(), counts, None)
    assert store.append("a", 0, [Record(1, 10, b"x")]) is None
    with pytest.raises(VersionConflict):
        store.append("a", 7, [Record(8, 11, b"y")])
    assert await store.read("a") == [Record(1, 10, b"x")]
    await store.note("a", {"m": 3})
    assert await store.marks("a") == {"m": 3}
    await store.delete("a")
    assert counts.failures == {("append", "VersionConflict"): 1}
    assert {name: one.count for name, one in counts.seconds.items()} == dict.fromkeys(
        ("append", "read", "note", "marks", "delete"), 1
    )
    assert counts.waiting == 0


async def test_writes_that_are_not_yet_durable_are_counted_until_they_are() -> None:
    slow: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    class Slow(MemoryStore):
        def put_snapshot(self, session_id: str, version: int, payload: bytes) -> asyncio.Future[None] | None:
            return slow

    counts = StoreCounts()
    pending = ObservedStore(Slow(), counts, None).put_snapshot("a", 1, b"")
    assert counts.waiting == 1
    slow.set_result(None)
    await asyncio.wait_for(asyncio.shield(pending), 5) if pending is not None else None
    await asyncio.sleep(0)
    assert counts.waiting == 0
    assert counts.seconds["put_snapshot"].count == 1


def test_training_jobs_are_counted_by_where_they_stand_and_the_running_one_by_how_far_it_is(tmp_path: Path) -> None:
    jobs = JobsDirectory(tmp_path / "jobs")
    assert sum(jobs_seen(jobs).standings.values()) == 0
    waits, runs, broken = (
        made(jobs, script(tmp_path / token), token=token) for token in ("aaaaaa", "bbbbbb", "cccccc")
    )
    (broken.path / "plan.json").write_text("torn")
    lock = runs.begin()
    assert lock is not None
    with lock:
        unreported = jobs_seen(jobs)
        progress = ProgressLog(runs.progress_path)
        progress.append(1, "high_dopamine", 3, 12, {}, 0.0)
        progress.close()
        reported = jobs_seen(jobs)
    assert unreported.running == Running("all", "", 0.0)
    assert reported.running == Running("all", "high_dopamine", 0.25)
    assert {name: number for name, number in reported.standings.items() if number} == {
        "queued": 1,
        "running": 1,
        "damaged": 1,
    }
    assert jobs_seen(jobs).standings["interrupted"] == 1
    assert waits.standing().standing is Standing.QUEUED


def test_a_jobs_directory_that_cannot_be_read_tells_of_no_jobs(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("no directory")
    assert jobs_seen(JobsDirectory(tmp_path / "jobs")) == JobsSeen()


class Unnameable:
    """A call that cannot be told its name, as where its metadata are refused."""

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def set_trailing_metadata(self, _told: object) -> None:
        raise ValueError("metadata was refused")

    async def send_initial_metadata(self, _told: object) -> None:
        raise ValueError("metadata was refused")

    def code(self) -> None:
        return None


async def test_a_call_that_cannot_be_named_is_over_and_counted_as_what_grpc_answers() -> None:
    rpcs = Rpcs()
    servicer = Observer(rpcs, None, names=True).around(engine_pb2_grpc.EmotionEngineServicer(), ENGINE)
    for method in ("GetState", "StreamState"):
        with pytest.raises(ValueError, match="metadata was refused"):
            await getattr(servicer, method)(engine_pb2.GetStateRequest(), Unnameable())
        counts = rpcs.of(f"EmotionEngine/{method}")
        assert (counts.in_flight, list(counts.seconds)) == (0, ["UNKNOWN"])
