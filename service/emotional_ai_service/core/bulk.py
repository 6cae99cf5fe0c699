"""Many agents at once: the same equations over arrays, for simulations and games with thousands of characters.

    population = Population.at_rest(dynamics, 100_000)
    apply(population, agents, signals)       an event for some of them
    advance(population, minutes)             time for all of them

Arrays hold one column per agent. The agents share couplings, gains and rhythm; baselines and half-lives may be their own.
Spans are integrated in equal steps, short ones by the classical Runge-Kutta method and long ones by the method of order
eight, chunk by chunk, so that a chunk's buffers stay in a core's cache; the result agrees with the scalar core to 1e-9. The
matrix products are small: on several cores run several populations, with OPENBLAS_NUM_THREADS=1.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from emotional_ai_service.core.configuration import Dynamics
from emotional_ai_service.core.dynamics import Model
from emotional_ai_service.core.errors import InvalidConfiguration, InvalidInput
from emotional_ai_service.core.flow import FORGOTTEN, FOURTH_ORDER
from emotional_ai_service.core.integration import NODES, ROWS, WEIGHTS
from emotional_ai_service.core.names import NO_SIGNALS, SIGNALS, Vector4

Array = npt.NDArray[np.float64]

CHUNK: Final = 4096
"""Agents integrated together: their eighteen buffers of 4 x 4096 numbers are 2.4 MB, most of them idle at a time."""
EIGHTH_ORDER: Final = 0.5
"""Step x rate up to which one step of order eight is exact to 1e-11."""
_BUFFERS: Final = 13
"""Two slopes of the middle, the state, eight slopes more, a stage, and scratch."""
_STATE: Final = 2
"""Which of the buffers is the state; the first slope follows."""


class _Stage(NamedTuple):
    """A stage of the method of order eight: a sum of neighbouring buffers, the state among them, so that it is one product."""

    node: float
    first: int
    """The first of the buffers summed."""
    row: Array
    """Their weights, shape (1, buffers)."""
    kept: int
    """Which buffer its slope goes to."""


def _stages() -> list[_Stage]:
    """The tableau of the scalar core, laid out so that whatever a stage takes lies side by side.

    Slopes 1 and 2 serve the next stages alone and 3 and 4 all but the last: they share two buffers before the state, and the
    others follow it.
    """
    place = {0: 3, 1: 1, 2: 1, 3: 0, 4: 1} | {slope: slope - 1 for slope in range(5, 12)}
    stages = []
    for order, (node, row) in enumerate(zip((*NODES, 1.0), (*ROWS, WEIGHTS), strict=True), start=1):
        weights = {_STATE: 1.0} | {place[slope]: a for slope, a in enumerate(row) if a}
        first, last = min(weights), max(weights)
        assert len(weights) == last - first + 1
        stages.append(
            _Stage(node, first, np.array([[weights[k] for k in range(first, last + 1)]]), place.get(order, -1))
        )
    return stages


_STAGES: Final = _stages()


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
    reach = float((span - late).max()) * _fastest_rate(population, acting)
    if reach > 0:
        flow = _Flow(population, acting, clock + late * speed, speed)
        for start in range(0, size, CHUNK):
            flow.integrate(slice(start, min(start + CHUNK, size)), span - late, reach)


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
    """The equations of a population under constant input, and the buffers in which they are integrated chunk by chunk.

    A set point is o / (o + e^-(W x + ...)), where o = b / (1 - b) e^-(W b) does not change. Slopes are h x': h goes into the
    constants once.
    """

    def __init__(self, population: Population, acting: Array, clock: Array, speed: float) -> None:
        dynamics, baseline = population.dynamics, population.baseline
        coupling, gains = np.array(dynamics.coupling), np.array(dynamics.gains).T
        u, rate = acting / dynamics.tau_u_minutes, math.log(2) / population.half_life_minutes
        opening = baseline / (1 - baseline) * np.exp(-(coupling @ baseline))
        self._population = population
        self._against = -coupling
        self._shield = -np.array(dynamics.buffering)
        self._fixed = (opening, baseline)
        self._flowing = (rate * opening, rate + np.maximum(-gains, 0) @ u, np.maximum(gains, 0) @ u)
        self._driven = bool(u.any())
        self._kappa = np.array([dynamics.kappa]).T
        self._slowness = 1 / dynamics.mood.tau_minutes if dynamics.mood else 0.0
        circadian = dynamics.circadian
        self._amplitude = np.array([circadian.amplitude]).T if circadian else None
        self._clock = (clock - circadian.peak_hour) * math.tau / 24 if circadian else clock
        self._turn = speed * math.tau / 24
        width = min(CHUNK, population.size)
        self._slots = np.empty((_BUFFERS, population.state.shape[0] * width))
        self._constants = np.empty((len(self._fixed) + len(self._flowing), 4 * width))

    def integrate(self, chunk: slice, span: Array, reach: float) -> None:
        """The chunk's flow over `span` minutes, of shape (1,) or (N,); `reach` is the longest span x the fastest rate."""
        fourth, eighth = math.ceil(reach / FOURTH_ORDER), math.ceil(reach / EIGHTH_ORDER)
        step, steps = (self._step4, fourth) if fourth <= 3 * eighth else (self._step8, eighth)
        h = _part(span, chunk) / steps
        self._turn_to(chunk, h)
        for index in range(steps):
            step(index * h, h)
        state = self._population.state[:, chunk]
        np.clip(self._y[:4], 0, 1, out=state[:4])
        np.copyto(state[4:], self._y[4:])

    def _turn_to(self, chunk: slice, h: Array) -> None:
        """Loads a chunk's state and constants; written out for each agent, constants are faster than broadcast."""
        state = self._population.state[:, chunk]
        self._buffers = self._slots[:, : state.size]
        self._each = self._buffers.reshape(_BUFFERS, *state.shape)
        self._y, self._stage, self._scratch = self._each[_STATE], self._each[-2], self._each[-1]
        np.copyto(self._y, state)
        constants = self._constants[:, : 4 * state.shape[1]].reshape(len(self._constants), 4, -1)
        self._opening, self._baseline, self._gain, self._loss, self._push = constants
        for constant, term in zip(constants, self._fixed, strict=False):
            np.copyto(constant, _part(term, chunk))
        for constant, term in zip(constants[len(self._fixed) :], self._flowing, strict=True):
            np.multiply(_part(term, chunk), h, out=constant)
        self._slowing = self._slowness * h
        self._phase = _part(self._clock, chunk)

    def _step4(self, t: Array, h: Array) -> None:
        """The classical step of order four."""
        y, stage = self._y, self._stage
        total, slope = self._each[:2]
        self._evaluate(y, t, total)
        np.multiply(total, 0.5, out=stage)
        for reach in (0.5, 1.0):
            stage += y
            self._evaluate(stage, t + 0.5 * h, slope)
            np.multiply(slope, reach, out=stage)
            slope *= 2
            total += slope
        stage += y
        self._evaluate(stage, t + h, slope)
        total += slope
        total *= 1 / 6
        y += total

    def _step8(self, t: Array, h: Array) -> None:
        """The step of order eight of the scalar core; its sums of slopes are matrix products."""
        buffers, stage = self._buffers, self._stage
        total = stage.reshape(1, -1)
        self._evaluate(self._y, t, self._each[_STATE + 1])
        for node, first, row, kept in _STAGES[:-1]:
            np.matmul(row, buffers[first : first + row.size], out=total)
            self._evaluate(stage, t + node * h, self._each[kept])
        _, first, row, _ = _STAGES[-1]
        np.matmul(row, buffers[first : first + row.size], out=total)
        np.copyto(self._y, stage)

    def _evaluate(self, y: Array, t: Array, out: Array) -> None:
        """Writes h y' to `out`; the log-odds are gathered with their sign turned."""
        x, slope, scratch = y[:4], out[:4], self._scratch[:4]
        np.matmul(self._against, x, out=slope)
        if self._amplitude is not None:
            slope -= self._amplitude * np.cos(self._phase + self._turn * t)
        if len(y) > 4:
            slope -= y[4:]
            np.subtract(x, self._baseline, out=out[4:])
            out[4:] *= self._kappa
            out[4:] -= y[4:]
            out[4:] *= self._slowing
        np.exp(slope, out=slope)
        slope += self._opening
        np.divide(self._gain, slope, out=slope)
        np.multiply(self._loss, x, out=scratch)
        slope -= scratch
        if self._driven:
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
