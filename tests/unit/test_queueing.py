"""The simulation behind specs/capacity, held to what is known exactly."""

import random
from statistics import fmean

import pytest
from benchmark_modules import queueing

MANY = 60_000


@pytest.mark.parametrize(
    ("servers", "busy", "exact"), [(1, 0.5, 0.5), (1, 0.8, 0.8), (2, 0.5, 1 / 3), (3, 2 / 3, 4 / 9), (8, 0.0, 0.0)]
)
def test_erlang_c_is_what_tables_of_it_say(servers: int, busy: float, exact: float) -> None:
    assert queueing.erlang_c(servers, servers * busy) == pytest.approx(exact)


def test_closed_forms_agree_where_they_meet() -> None:
    for busy in (0.1, 0.5, 0.9):
        assert queueing.mean_wait_mmc(1, busy) == pytest.approx(busy / (1 - busy))
        assert queueing.mean_wait_mg1(busy, 1.0, 1.0) == pytest.approx(busy / (1 - busy))
        assert queueing.mean_wait_mg1(busy, 2.0, 0.0) == pytest.approx(
            busy / (1 - busy)
        )  # M/D/1: half of that, times 2


@pytest.mark.parametrize(("servers", "busy"), [(1, 0.5), (4, 0.6)])
def test_the_simulation_agrees_with_erlang_c(servers: int, busy: float) -> None:
    seen = [
        queueing.simulate(busy * servers, queueing.exponential(1.0), count=MANY // 2, servers=servers, seed=seed)
        for seed in range(6)
    ]
    assert fmean(one.mean for one in seen) == pytest.approx(queueing.mean_wait_mmc(servers, busy), rel=0.05)
    assert fmean(one.p99 for one in seen) == pytest.approx(queueing.p99_wait_mmc(servers, busy), rel=0.08)


@pytest.mark.parametrize("cv2", [0.25, 1.0])
def test_the_simulation_agrees_with_pollaczek_and_khinchine(cv2: float) -> None:
    seen = queueing.simulate(0.5, queueing.lognormal(1.0, cv2), count=MANY)
    assert seen.mean == pytest.approx(queueing.mean_wait_mg1(0.5, 1.0, cv2), rel=0.06)


@pytest.mark.parametrize("cv2", [0.25, 2.0])
def test_the_simulation_agrees_with_even_sharing(cv2: float) -> None:
    seen = queueing.simulate(0.5, queueing.lognormal(1.0, cv2), count=MANY, slots=MANY)
    assert seen.mean == 0.0
    assert seen.mean_stay == pytest.approx(2.0, rel=0.05)


def test_a_decoder_speaks_as_many_as_it_has_slots_for_at_the_pace_of_so_many() -> None:
    # Hardly anybody comes: each reply has a decoder to itself, and waits for nobody.
    alone = queueing.simulate(1e-4, lambda _: 42.0, count=200, slots=16, pace=queueing.spoken)
    assert alone.p99 == 0.0
    assert alone.mean_stay == pytest.approx(42.0 / 21.0)
    # Everybody comes at once: sixteen begin, and each of them gets a sixteenth of 116 tokens a second.
    crowd = queueing.simulate(1e9, lambda _: 116.0, count=32, slots=16, pace=queueing.spoken)
    assert crowd.p99 == pytest.approx(16.0)
    assert queueing.spoken(16) == queueing.spoken(40) == 116.0
    assert queueing.spoken(1) == 21.0
    assert queueing.spoken(10) == pytest.approx(88.0)


def test_lengths_have_the_mean_they_are_said_to() -> None:
    chance = random.Random(1)
    drawn = [queueing.lognormal(80.0, 1.0)(chance) for _ in range(MANY)]
    assert sum(drawn) / MANY == pytest.approx(80.0, rel=0.02)
