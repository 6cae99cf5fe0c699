"""How fast many agents advance in bulk, against one scipy solve_ivp per agent.

    python benchmarks/bulk.py [--quick] [--json]

For a span of one wall second (at the default time scale) and of ten simulated minutes: agents per second of core.bulk, and
of solve_ivp (rtol 1e-10, atol 1e-12; the faster of DOP853 and RK45), in rounds that alternate on one thread. Both errors are
measured against solve_ivp at rtol 1e-13. solve_ivp gets a right-hand side written for speed, in plain Python floats, and
without. The last line of the output is one JSON object.
"""

import argparse
import json
import os
import time
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from scipy.integrate import solve_ivp

from emotional_ai_service.core.bulk import Population, advance
from emotional_ai_service.core.configuration import Dynamics
from emotional_ai_service.core.dynamics import NO_INPUTS, Model

Array = npt.NDArray[np.float64]
Slope = Callable[[float, Array], Array | tuple[float, ...]]

SPANS = {"one wall second": 1 / 6, "ten simulated minutes": 10.0}
METHODS = ("DOP853", "RK45")
GOAL = 1000.0


def numpy_slope(dynamics: Dynamics) -> Slope:
    """The free flow from its formula."""
    b, k, w = np.array(dynamics.baseline), np.log(2) / np.array(dynamics.half_life_minutes), np.array(dynamics.coupling)
    logit = np.log(b / (1 - b))
    return lambda _, x: k * (1 / (1 + np.exp(-(logit + w @ (x - b)))) - x)


def scalar_slope(dynamics: Dynamics) -> Slope:
    """The free flow as the scalar core evaluates it: faster than numpy for four numbers."""
    field = Model(dynamics).field(NO_INPUTS)
    return lambda t, x: field(t, tuple(x.tolist()))


def solve(slope: Slope, start: Array, minutes: float, method: str, rtol: float, atol: float) -> Array:
    end: Array = solve_ivp(slope, (0.0, minutes), start, method=method, rtol=rtol, atol=atol, t_eval=(minutes,)).y[
        :, -1
    ]
    return end


def one_by_one(slope: Slope, starts: Array, minutes: float, method: str) -> tuple[float, Array]:
    """Seconds per agent, and the ends."""
    begin = time.perf_counter()
    ends = [solve(slope, start, minutes, method, 1e-10, 1e-12) for start in starts.T]
    return (time.perf_counter() - begin) / starts.shape[1], np.array(ends).T


def in_bulk(population: Population, starts: Array, minutes: float) -> tuple[float, Array]:
    """Seconds per agent, and the ends."""
    population.levels[:] = starts
    begin = time.perf_counter()
    advance(population, minutes)
    return (time.perf_counter() - begin) / population.size, population.levels.copy()


def measure(minutes: float, agents: int, solved: int, rounds: int) -> dict[str, float | str | int]:
    """Medians over interleaved rounds, and the worst error of each side."""
    dynamics = Dynamics()
    population = Population.at_rest(dynamics, agents)
    starts = np.random.default_rng(0).random((4, agents))
    sample = starts[:, :solved]
    slopes = {"numpy": numpy_slope(dynamics), "scalar": scalar_slope(dynamics)}
    rivals = {f"{method}, {kind} field": (slope, method) for method in METHODS for kind, slope in slopes.items()}
    in_bulk(population, starts, minutes)
    bulk_times, bulk_ends = [], starts
    rival_times: dict[str, list[float]] = {name: [] for name in rivals}
    rival_ends: dict[str, Array] = {}
    for _ in range(rounds):
        for name, (slope, method) in rivals.items():
            seconds, bulk_ends = in_bulk(population, starts, minutes)
            bulk_times.append(seconds)
            seconds, rival_ends[name] = one_by_one(slope, sample, minutes, method)
            rival_times[name].append(seconds)
    exact = np.array([solve(slopes["numpy"], start, minutes, "DOP853", 1e-13, 1e-14) for start in sample.T]).T
    fastest = min(rivals, key=lambda name: float(np.median(rival_times[name])))
    bulk_seconds, rival_seconds = float(np.median(bulk_times)), float(np.median(rival_times[fastest]))
    return {
        "simulated_minutes": minutes,
        "agents": agents,
        "bulk_ns_per_agent": bulk_seconds * 1e9,
        "solve_ivp": fastest,
        "solve_ivp_us_per_agent": rival_seconds * 1e6,
        "ratio": rival_seconds / bulk_seconds,
        "bulk_error": float(np.abs(bulk_ends[:, :solved] - exact).max()),
        "solve_ivp_error": float(np.abs(rival_ends[fastest] - exact).max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and solves; the agents stay 100,000")
    parser.add_argument("--json", action="store_true", help="print the JSON object only")
    arguments = parser.parse_args()
    solved, rounds = (20, 3) if arguments.quick else (100, 7)
    results = {name: measure(minutes, 100_000, solved, rounds) for name, minutes in SPANS.items()}
    if not arguments.json:
        for name, result in results.items():
            print(
                f"{name}: {result['bulk_ns_per_agent']:.0f} ns an agent in bulk (error {result['bulk_error']:.1e}), "
                f"{result['solve_ivp_us_per_agent']:.0f} us by solve_ivp {result['solve_ivp']} "
                f"(error {result['solve_ivp_error']:.1e}): {result['ratio']:.0f} x"
            )
    ratios = [float(result["ratio"]) for result in results.values()]
    print(json.dumps({"benchmark": "bulk", "ratio": min(ratios), "goal": GOAL, "spans": results}))


if __name__ == "__main__":
    main()
