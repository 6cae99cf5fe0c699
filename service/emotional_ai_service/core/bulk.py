"""Many agents at once: the same equations over arrays, for simulations and games with thousands of characters.

    population = Population.at_rest(dynamics, 100_000)
    apply(population, agents, signals)       an event for some of them
    advance(population, minutes)             time for all of them

Arrays hold one column per agent. The agents share couplings, gains and rhythm; baselines and half-lives may be their own.
Spans are integrated by the classical Runge-Kutta method, chunk by chunk, so that a chunk's buffers stay in a core's cache;
the result agrees with the scalar core to 1e-9. The matrix products are 4 by 4: on several cores run several populations,
with OPENBLAS_NUM_THREADS=1.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from emotional_ai_service.core.configuration import Dynamics
from emotional_ai_service.core.dynamics import Model
from emotional_ai_service.core.errors import InvalidConfiguration, InvalidInput
from emotional_ai_service.core.flow import FORGOTTEN, FOURTH_ORDER
from emotional_ai_service.core.names import NO_SIGNALS, SIGNALS, Vector4

Array = npt.NDArray[np.float64]

CHUNK: Final = 2048
"""Agents integrated together: their five buffers of 4 x 2048 numbers are 330 kB."""


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """N agents. The arrays are changed in place by `advance` and `apply`; the fields are not."""

    dynamics: Dynamics
    state: Array
    """Levels in [0, 1], and below them the mood in log-odds where it is on: shape (4, N) or (8, N)."""
    baseline: Array
    """Levels at rest, each in (0, 1): shape (4, N), or (4, 1) where shared."""
    half_life_minutes: Array
    """Simulated minutes: shape (4, N), or (4, 1) where shared."""
    habituation: Array | None
    """In [0, 1]: shape (12, N); None where the dynamics have none."""

    @classmethod
    def at_rest(
        cls,
        dynamics: Dynamics,
        size: int,
        *,
        baseline: npt.ArrayLike | None = None,
        half_life_minutes: npt.ArrayLike | None = None,
    ) -> Self:
        """`size` >= 1 agents at their baselines.

        `baseline` and `half_life_minutes` have shape (4, size), or (4,) to share them; those of the dynamics if None. Raises
        InvalidConfiguration for a value out of range and InvalidInput for a wrong shape.
        """
        if size < 1:
            raise InvalidInput("size", f"must be at least 1, got {size}")
        rest = _columns("baseline", dynamics.baseline if baseline is None else baseline, 4, size)
        halves = _columns(
            "half_life_minutes", dynamics.half_life_minutes if half_life_minutes is None else half_life_minutes, 4, size
        )
        if not ((rest > 0) & (rest < 1)).all():
            raise InvalidConfiguration("baseline", "each level must be strictly between 0 and 1")
        if not ((halves >= 0.1) & (halves <= 1e5)).all():
            raise InvalidConfiguration("half_life_minutes", "each must be in [0.1, 1e5]")
        state = np.zeros((8 if dynamics.mood else 4, size))
        state[:4] = rest
        return cls(dynamics, state, rest, halves, np.zeros((len(SIGNALS), size)) if dynamics.habituation else None)

    @property
    def size(self) -> int:
        """Number of agents."""
        return int(self.state.shape[1])

    @property
    def levels(self) -> Array:
        """The levels, a view of shape (4, N) that may be written to."""
        return self.state[:4]

    @property
    def mood(self) -> Array:
        """The mood, a view of shape (4, N); of shape (0, N) where it is off."""
        return self.state[4:]


def apply(population: Population, agents: npt.ArrayLike, signals: npt.ArrayLike) -> None:
    """An event for some agents.

    `agents` are M different indices; `signals` intensities >= 0 of shape (12,) for all of them, or (12, M). Raises
    InvalidInput otherwise.
    """
    chosen = np.asarray(agents, dtype=np.intp)
    if chosen.ndim != 1 or np.unique(chosen).size != chosen.size:
        raise InvalidInput("agents", "must be one row of different indices")
    if chosen.size and not (chosen.min() >= 0 and chosen.max() < population.size):
        raise InvalidInput("agents", f"must be in [0, {population.size})")
    a = _intensities("signals", signals, chosen.size)
    rule = population.dynamics.habituation
    if rule and population.habituation is not None:
        heard = population.habituation[:, chosen]
        population.habituation[:, chosen] = heard + rule.rho * a * (1 - heard)
        a = a * (1 - rule.eta * heard)
    gains = np.array(population.dynamics.gains).T
    x = population.levels[:, chosen]
    push = (1 - np.array(population.dynamics.buffering) @ x) * (np.maximum(gains, 0) @ a)
    total = push + np.maximum(-gains, 0) @ a
    target = np.divide(push, total, out=x.copy(), where=total > 0)
    population.levels[:, chosen] = x + (target - x) * -np.expm1(-total)


def advance(
    population: Population,
    minutes: npt.ArrayLike,
    *,
    sustained: npt.ArrayLike = NO_SIGNALS,
    hour: npt.ArrayLike = 12.0,
) -> None:
    """Lets `minutes` >= 0 simulated minutes pass: a number, or one for each agent, shape (N,).

    `sustained` intensities >= 0 act throughout: shape (12,) or (12, N). `hour` is the local hour at the start: a number, or
    shape (N,); without a daily rhythm it has no effect. Costs a bounded number of steps however long the span. Raises
    InvalidInput for wrong shapes or values.
    """
    size, dynamics = population.size, population.dynamics
    span, clock = _per_agent("minutes", minutes, size), _per_agent("hour", hour, size)
    if not (span >= 0).all():
        raise InvalidInput("minutes", "must be >= 0")
    acting = _intensities("sustained", sustained, size)
    speed = 1 / (60 * dynamics.time_scale) if dynamics.time_scale else 0.0
    _recover(population, span)
    late = _forget(population, span)
    if not acting.any() and dynamics.circadian is None:
        span = np.where(late > 0, late, span)
    steps = math.ceil(float((span - late).max()) * _fastest_rate(population, acting) / FOURTH_ORDER)
    buffers = np.empty((5, population.state.shape[0], min(CHUNK, size)))
    for start in range(0, size if steps else 0, CHUNK):
        chunk = slice(start, min(start + CHUNK, size))
        flow = _Flow(population, chunk, acting, clock + late * speed, speed, buffers)
        flow.integrate(_part(span - late, chunk) / steps, steps)


def _recover(population: Population, span: Array) -> None:
    """Lets habituation fade."""
    rule, heard = population.dynamics.habituation, population.habituation
    if rule and heard is not None:
        heard *= np.exp(-span / rule.tau_minutes)


def _forget(population: Population, span: Array) -> Array:
    """Puts agents to rest whose start no longer matters at the end of their span; the minutes to leave out, as `span`."""
    slowest = replace(population.dynamics, half_life_minutes=_vector(population.half_life_minutes.max(axis=1)))
    late = np.maximum(span - FORGOTTEN / slowest.contraction_rate(), 0.0)
    agents = np.broadcast_to(late > 0, population.size)
    if agents.any():
        population.levels[:, agents] = np.broadcast_to(population.baseline, population.levels.shape)[:, agents]
        population.mood[:, agents] = 0.0
    return late


def _fastest_rate(population: Population, acting: Array) -> float:
    """Bound on the rates of every agent, per simulated minute."""
    fastest = replace(population.dynamics, half_life_minutes=_vector(population.half_life_minutes.min(axis=1)))
    return Model(fastest).fastest_rate(tuple(acting.max(axis=1).tolist()))


class _Flow:
    """The equations of one chunk of agents under constant input, and the buffers they are integrated in."""

    def __init__(
        self, population: Population, chunk: slice, acting: Array, clock: Array, speed: float, buffers: Array
    ) -> None:
        dynamics = population.dynamics
        self._state = population.state[:, chunk]
        count = self._state.shape[1]
        self._y, self._stage, self._slope, self._total, self._scratch = buffers[:, :, :count]
        baseline, half_life = (_part(of, chunk) for of in (population.baseline, population.half_life_minutes))
        coupling, gains = np.array(dynamics.coupling), np.array(dynamics.gains).T
        u = _part(acting, chunk) / dynamics.tau_u_minutes
        self._against = -coupling
        self._offset = coupling @ baseline - np.log(baseline / (1 - baseline))
        self._rate = math.log(2) / half_life
        self._loss = self._rate + np.maximum(-gains, 0) @ u
        self._push = np.maximum(gains, 0) @ u if u.any() else None
        self._shield = -np.array(dynamics.buffering)
        self._baseline = baseline
        self._kappa = np.array([dynamics.kappa]).T
        self._slowness = 1 / dynamics.mood.tau_minutes if dynamics.mood else 0.0
        circadian = dynamics.circadian
        self._amplitude = np.array([circadian.amplitude]).T if circadian else None
        self._phase = (_part(clock, chunk) - circadian.peak_hour) * math.tau / 24 if circadian else clock
        self._turn = speed * math.tau / 24

    def integrate(self, h: Array, steps: int) -> None:
        """`steps` Runge-Kutta steps of h simulated minutes, of shape (1,) or one for each agent of the chunk."""
        y, stage, slope, total = self._y, self._stage, self._slope, self._total
        half = 0.5 * h
        np.copyto(y, self._state)
        for step in range(steps):
            t = step * h
            self._evaluate(y, t, total)
            np.multiply(total, half, out=stage)
            for reach, weight in ((half, 2.0), (h, 2.0)):
                stage += y
                self._evaluate(stage, t + half, slope)
                np.multiply(slope, reach, out=stage)
                slope *= weight
                total += slope
            stage += y
            self._evaluate(stage, t + h, slope)
            total += slope
            total *= h / 6
            y += total
        np.clip(y[:4], 0, 1, out=y[:4])
        np.copyto(self._state, y)

    def _evaluate(self, y: Array, t: Array, out: Array) -> None:
        """Writes y' to `out`; s(l) = 1 / (1 + e^-l), so the log-odds are gathered with their sign turned."""
        x, slope, scratch = y[:4], out[:4], self._scratch[:4]
        np.matmul(self._against, x, out=slope)
        slope += self._offset
        if self._amplitude is not None:
            slope -= self._amplitude * np.cos(self._phase + self._turn * t)
        if len(y) > 4:
            slope -= y[4:]
            np.subtract(x, self._baseline, out=out[4:])
            out[4:] *= self._kappa
            out[4:] -= y[4:]
            out[4:] *= self._slowness
        np.exp(slope, out=slope)
        slope += 1
        np.divide(self._rate, slope, out=slope)
        np.multiply(self._loss, x, out=scratch)
        slope -= scratch
        if self._push is not None:
            np.matmul(self._shield, x, out=scratch)
            scratch += 1
            scratch *= self._push
            slope += scratch
            scratch *= x
            slope -= scratch


def _part(values: Array, chunk: slice) -> Array:
    """The chunk's columns, or the one column that all share."""
    return values if values.shape[-1] == 1 else values[..., chunk]


def _vector(values: Array) -> Vector4:
    a, b, c, d = values.tolist()
    return a, b, c, d


def _columns(name: str, values: npt.ArrayLike, rows: int, size: int) -> Array:
    """A copy of shape (rows, size), or (rows, 1) where shared."""
    array = np.array(values, dtype=np.float64)
    if array.shape == (rows,):
        return array[:, np.newaxis]
    if array.shape != (rows, size):
        raise InvalidInput(name, f"must have shape ({rows},) or ({rows}, {size}), got {array.shape}")
    return array


def _per_agent(name: str, values: npt.ArrayLike, size: int) -> Array:
    """Finite numbers of shape (size,), or (1,) where shared."""
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if array.shape not in {(1,), (size,)}:
        raise InvalidInput(name, f"must be a number or have shape ({size},), got {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidInput(name, "must be finite")
    return array


def _intensities(name: str, signals: npt.ArrayLike, size: int) -> Array:
    array = _columns(name, signals, len(SIGNALS), size)
    if not (np.isfinite(array) & (array >= 0)).all():
        raise InvalidInput(name, "each intensity must be finite and >= 0")
    return array
