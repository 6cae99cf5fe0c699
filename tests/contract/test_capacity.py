"""The page of what many sessions need says what is computed from what was measured."""

import json
from dataclasses import replace

import pytest
from benchmark_modules import capacity

PAGE = capacity.PAGE.read_text(encoding="utf-8")
EXACT = [name for name in capacity.TABLES if name not in capacity.SIMULATED]
UNIT = {
    "process_bytes": 100e6,
    "session_bytes": 1e4,
    "update_bytes": 100.0,
    "redis_session_bytes": 1000.0,
    "redis_update_bytes": 100.0,
    "update_us": 500.0,
    "update_redis_us": 50.0,
    "update_redis_commands": 10.0,
    "update_redis_bytes": 1000.0,
    "read_us": 200.0,
    "read_redis_us": 10.0,
    "read_redis_commands": 2.0,
    "read_redis_bytes": 200.0,
    "update_wire_bytes": 250.0,
    "read_wire_bytes": 200.0,
    "cold_us": 2200.0,
    "cold_redis_us": 110.0,
}
USE = capacity.Use(
    online=0.1, updates_per_s=0.1, reads_per_s=0.1, turns_per_hour=36, tokens=50, busy_hours=1, kept_days=1
)


def between_marks(name: str) -> str:
    """What stands on the page under a mark."""
    return str(PAGE.partition(f"<!-- computed: {name} -->\n")[2].partition("\n<!-- end -->")[0])


@pytest.mark.parametrize("name", EXACT)
def test_the_page_holds_what_is_computed(name: str) -> None:
    assert between_marks(name) == capacity.TABLES[name](), "python benchmarks/capacity.py --write puts it right"


def test_a_row_of_each_simulated_table_comes_out_as_on_the_page() -> None:
    assert capacity.row_of_waits(0.6) in between_marks("waits").splitlines()
    assert capacity.row_of_replies(0.7) in between_marks("replies").splitlines()


def test_what_was_measured_is_what_the_computation_needs() -> None:
    kept = json.loads((capacity.FOLDER / "unit_costs.json").read_text(encoding="utf-8"))
    assert kept["measured"].keys() == UNIT.keys()
    assert all(value > 0 for value in kept["measured"].values())
    assert kept["of"]["command"] == "python benchmarks/unit_costs.py --write"


def test_needs_follow_from_costs_use_and_limits() -> None:
    # 1,000 in use, all in memory: 100 updates and 100 readings a second, 36 updates kept of a session.
    small = capacity.needs(10_000, UNIT, USE)
    assert (small.in_use, small.updates_per_s, small.reads_per_s, small.missed) == (1000, 100.0, 100.0, 0.0)
    assert (small.replicas, small.replicas_apart) == (2, 2)
    assert small.replica_gb == pytest.approx(2 * (0.1 + 0.01))
    assert small.redis_gb == pytest.approx(10_000 * (1000 + 36 * 100) / 1e9)
    assert small.redis_commands_per_s == 1200.0
    assert small.redis_processors == pytest.approx(100 * 60e-6)
    assert small.network_mbit_per_s == pytest.approx(100 * 450 * 8 / 1e6)
    assert small.redis_mbit_per_s == pytest.approx(100 * 1200 * 8 / 1e6)
    assert (small.replies_per_s, small.tokens_per_s, small.gpus) == (10.0, 500.0, 1)
    # 40,960 in use and 8,192 calls a second: reading would keep one Redis too busy, so there are two, and a fifth of the
    # sessions of each are in the memory of its replicas. Four of five calls cost 2,000 us more.
    large = capacity.needs(409_600, UNIT, USE)
    assert (large.redis_servers, large.missed) == (2, pytest.approx(0.8))
    # 4096 * 500 us + 4096 * 200 us + 0.8 * 8192 * 2000 us are 16 s a second, on processors 60 % busy, in two groups.
    assert large.replicas == 28
    assert large.replicas_apart == 10


def test_what_is_kept_longer_takes_more_servers() -> None:
    short, long = (capacity.needs(10_000_000, UNIT, replace(USE, kept_days=days)) for days in (1, 30))
    assert long.redis_gb > short.redis_gb
    assert long.redis_servers > short.redis_servers
    assert long.missed < short.missed  # Each has fewer sessions.
    assert long.updates_per_s == short.updates_per_s


def test_calls_are_as_uneven_as_what_they_are_made_of() -> None:
    even = capacity.needs(10_000, UNIT, USE)
    mean, cv2 = capacity.call(even, UNIT)
    assert mean == pytest.approx(0.35)  # half 0.5 ms, half 0.2
    assert cv2 == pytest.approx((0.5 * 0.25 + 0.5 * 0.04) / 0.35**2 - 1)
