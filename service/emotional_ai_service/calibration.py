"""Fitting an agent's chemistry to an observed trajectory, and how sure the fit is.

    observed -> residuals of core.simulation against it -> least squares -> parameters with 95 % intervals

Baselines are fitted in log-odds, half-lives in logarithms, gains as they are. Standard errors come from the curvature of the
sum of squares, sigma^2 (J'J)^-1, carried to the parameters' own units by the delta method. Directions that the data leave
open are found by the singular values of J; a parameter with a share in one is reported as not identified.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scipy.stats import t as student

from emotional_ai_service.core.configuration import Dynamics
from emotional_ai_service.core.errors import CoreError, InvalidInput
from emotional_ai_service.core.names import CHEMICALS, SIGNALS, Vector4
from emotional_ai_service.core.simulation import Event, Span, simulate

Array = npt.NDArray[np.float64]
Progress = Callable[[int, float], None]
"""Called after each evaluation of the fit with their number and the root mean square of the residuals, in levels."""

CONFIDENCE: Final = 0.95
_STEP: Final = 1e-5
"""Half-width of the central differences, in fitted coordinates: far above the error of the simulation, 1e-12."""
_OPEN: Final = 1e-6
"""Singular value, relative to the largest, below which the data say nothing about a direction."""
_FAR: Final = 1e3
"""Residual, in levels, of dynamics that cannot be simulated: further off than any that can."""
_SHARE: Final = 0.01
"""Share of a parameter in the open directions from which it is not identified."""
_VAGUE: Final = 1.0
"""Standard error in fitted coordinates from which a parameter is not identified: half-lives within a factor of 7."""


class Coordinate(Enum):
    """How a kind of parameter is fitted."""

    LOG_ODDS = "log_odds"
    LOGARITHM = "logarithm"
    IDENTITY = "identity"

    def forward(self, value: float) -> float:
        """Fitted coordinate of a parameter."""
        match self:
            case Coordinate.LOG_ODDS:
                return math.log(value / (1 - value))
            case Coordinate.LOGARITHM:
                return math.log(value)
            case Coordinate.IDENTITY:
                return value

    def inverse(self, coordinate: float) -> float:
        """Parameter at a fitted coordinate."""
        match self:
            case Coordinate.LOG_ODDS:
                return 1 / (1 + math.exp(-coordinate))
            case Coordinate.LOGARITHM:
                return math.exp(coordinate)
            case Coordinate.IDENTITY:
                return coordinate

    def slope(self, value: float) -> float:
        """Change of the parameter per unit of its coordinate."""
        match self:
            case Coordinate.LOG_ODDS:
                return value * (1 - value)
            case Coordinate.LOGARITHM:
                return value
            case Coordinate.IDENTITY:
                return 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """A trajectory as it was seen."""

    times: Sequence[float]
    """Simulated minutes, >= 0, not descending; n of them."""
    levels: npt.ArrayLike
    """Shape (n, 4), with their noise each in [-1, 2]; NaN where a level was not seen."""
    initial: Vector4 | None = None
    """Levels at time 0, each in [0, 1]; the fitted baseline if None."""
    start_hour: float = 12.0
    """Local hour at time 0, for agents with a daily rhythm."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One fitted number."""

    name: str
    """Path in the configuration, such as `half_life_minutes.cortisol` or `gains.reward.dopamine`."""
    value: float
    standard_error: float
    """In the parameter's own unit; infinite where the data leave it open."""
    low: float
    high: float
    """Interval of 95 % confidence; the whole permitted range where the data leave it open."""
    identified: bool
    """False where the data do not determine it: its value is then no more than where the fit began or stopped."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a fit found."""

    dynamics: Dynamics
    parameters: tuple[Parameter, ...]
    sigma: float
    """Standard deviation of the residuals, in levels."""
    observations: int
    """Levels that were seen."""
    condition: float
    """Ratio of the largest to the smallest singular value of the Jacobian; infinite where a direction is open."""
    converged: bool
    """False where the evaluations ran out, or the fit ended beside dynamics that cannot be simulated in bounded time."""


@dataclass(frozen=True, slots=True)
class _Free:
    """A parameter that is fitted: where it is, and what it may be."""

    name: str
    group: str
    row: int
    chemical: int
    coordinate: Coordinate
    low: float
    high: float

    def of(self, dynamics: Dynamics) -> float:
        match self.group:
            case "baseline":
                return dynamics.baseline[self.chemical]
            case "half_life":
                return dynamics.half_life_minutes[self.chemical]
            case _:
                return dynamics.gains[self.row][self.chemical]


def calibrate(
    observed: Observed,
    start: Dynamics,
    *,
    events: Iterable[Event] = (),
    sustained: Sequence[Span] = (),
    fit: Sequence[str] = ("baseline", "half_life"),
    progress: Progress | None = None,
    most_evaluations: int = 200,
) -> Calibration:
    """Dynamics nearest to what was observed under these inputs, everything else as in `start`.

    `fit` names what is free: `baseline`, `half_life`, and signals whose four gains are. Raises InvalidInput for names that are
    neither, for wrong shapes or values, and for fewer than one observed level more than there are free parameters; and
    InvalidConfiguration for a start that cannot be simulated in bounded time. Where such dynamics are on the way of the fit, it
    turns back before them.
    """
    free = _free(fit)
    if most_evaluations < 1:
        raise InvalidInput("most_evaluations", f"must be at least 1, got {most_evaluations}")
    times, levels = _checked(observed, len(free))
    seen, happening, acting = ~np.isnan(levels), list(events), list(sustained)
    bounds = _bounds(free)
    evaluations = 0

    def residuals(coordinates: Array) -> Array:
        samples = simulate(
            _with(start, free, coordinates),
            times,
            initial=observed.initial,
            events=happening,
            sustained=acting,
            start_hour=observed.start_hour,
        )
        return (np.array([sample.levels for sample in samples]) - levels)[seen]

    def tried(coordinates: Array) -> Array | None:
        try:
            return residuals(coordinates)
        except CoreError:
            return None

    def reported(coordinates: Array) -> Array:
        nonlocal evaluations
        missed = tried(coordinates)
        if missed is None:
            return np.full(int(seen.sum()), _FAR)
        evaluations += 1
        if progress:
            progress(evaluations, float(np.sqrt(np.mean(missed**2))))
        return missed

    def slopes(coordinates: Array) -> Array:
        return _jacobian(tried, coordinates)[0]

    begin = _beginning(start, free, bounds)
    # What is wrong with the start, or with what acted, is said here: from now on it would count as far off.
    residuals(begin)
    found = least_squares(reported, begin, jac=slopes, bounds=bounds, max_nfev=most_evaluations)
    jacobian, inside = _jacobian(tried, found.x)
    return _judged(start, free, found.x, residuals(found.x), jacobian, converged=found.status > 0 and inside)


def _free(fit: Sequence[str]) -> list[_Free]:
    if not fit or len(set(fit)) != len(fit):
        raise InvalidInput("fit", "must name something, each once")
    free = []
    for group in fit:
        for chemical, name in enumerate(CHEMICALS):
            if group == "baseline":
                free.append(_Free(f"baseline.{name}", group, 0, chemical, Coordinate.LOG_ODDS, 1e-6, 1 - 1e-6))
            elif group == "half_life":
                free.append(_Free(f"half_life_minutes.{name}", group, 0, chemical, Coordinate.LOGARITHM, 0.1, 1e5))
            elif group in SIGNALS:
                row = SIGNALS.index(group)
                free.append(_Free(f"gains.{group}.{name}", group, row, chemical, Coordinate.IDENTITY, -10.0, 10.0))
            else:
                raise InvalidInput("fit", f"must name baseline, half_life or signals, got {group!r}")
    return free


def _checked(observed: Observed, free: int) -> tuple[list[float], Array]:
    times, levels = list(observed.times), np.array(observed.levels, dtype=np.float64)
    if levels.shape != (len(times), len(CHEMICALS)):
        raise InvalidInput("levels", f"must have shape ({len(times)}, 4), one row a time, got {levels.shape}")
    if not all(math.isfinite(time) and time >= 0 for time in times):
        raise InvalidInput("times", "must be finite and >= 0")
    outside = np.argwhere((levels < -1) | (levels > 2))
    if len(outside):
        row, chemical = outside[0]
        raise InvalidInput(
            f"levels[{row}].{CHEMICALS[chemical]}",
            "must be in [-1, 2], where levels lie with their noise, or NaN where a level was not seen; got "
            f"{levels[row, chemical]:g}",
        )
    count = int((~np.isnan(levels)).sum())
    if count <= free:
        raise InvalidInput(
            "levels", f"{count} observed levels cannot determine {free} parameters; at least {free + 1} needed"
        )
    return times, levels


def _bounds(free: Sequence[_Free]) -> tuple[list[float], list[float]]:
    return [p.coordinate.forward(p.low) for p in free], [p.coordinate.forward(p.high) for p in free]


def _beginning(start: Dynamics, free: Sequence[_Free], bounds: tuple[list[float], list[float]]) -> Array:
    """Coordinates of the start; a value at the edge of its range begins just inside."""
    inside = [(low + 1e-9, high - 1e-9) for low, high in zip(*bounds, strict=True)]
    begin = (p.coordinate.forward(p.of(start)) for p in free)
    return np.array([min(max(at, low), high) for at, (low, high) in zip(begin, inside, strict=True)])


def _with(start: Dynamics, free: Sequence[_Free], coordinates: Array) -> Dynamics:
    """The start with its free parameters at these coordinates."""
    baseline, half_life = list(start.baseline), list(start.half_life_minutes)
    gains = [list(row) for row in start.gains]
    for p, coordinate in zip(free, coordinates.tolist(), strict=True):
        value = min(max(p.coordinate.inverse(coordinate), p.low), p.high)
        match p.group:
            case "baseline":
                baseline[p.chemical] = value
            case "half_life":
                half_life[p.chemical] = value
            case _:
                gains[p.row][p.chemical] = value
    return replace(
        start,
        baseline=_vector(baseline),
        half_life_minutes=_vector(half_life),
        gains=tuple(_vector(row) for row in gains),
    )


def _vector(values: Sequence[float]) -> Vector4:
    a, b, c, d = values
    return a, b, c, d


def _jacobian(residuals: Callable[[Array], Array | None], at: Array) -> tuple[Array, bool]:
    """Central differences, shape (observations, parameters), and whether there are residuals on all sides of `at`.

    Where there are none on one side the difference is to the other.
    """
    here, columns, inside = residuals(at), [], True
    assert here is not None
    for step in _STEP * np.eye(len(at)):
        ahead, behind = residuals(at + step), residuals(at - step)
        sides = (ahead is not None) + (behind is not None)
        change = (here if ahead is None else ahead) - (here if behind is None else behind)
        columns.append(change / (_STEP * max(sides, 1)))
        inside = inside and sides == 2
    return np.stack(columns, axis=1), inside


def _judged(
    start: Dynamics, free: Sequence[_Free], at: Array, missed: Array, jacobian: Array, *, converged: bool
) -> Calibration:
    """The fit with its uncertainty: singular values tell which directions the data determine, and how well."""
    _, singular, directions = np.linalg.svd(jacobian, full_matrices=False)
    known = singular > _OPEN * max(float(singular.max()), 1e-300)
    freedom = len(missed) - int(known.sum())
    sigma = float(np.sqrt(missed @ missed / freedom))
    errors = sigma * np.sqrt(np.sum((directions[known] / singular[known, np.newaxis]) ** 2, axis=0))
    shares = np.sum(directions[~known] ** 2, axis=0)
    wide = float(student.ppf((1 + CONFIDENCE) / 2, freedom))
    fitted = _with(start, free, at)
    parameters = tuple(
        _parameter(p, p.of(fitted), float(error), wide, open_=share > _SHARE)
        for p, error, share in zip(free, errors, shares, strict=True)
    )
    condition = float(singular[0] / singular[-1]) if known.all() else math.inf
    return Calibration(fitted, parameters, sigma, len(missed), condition, converged)


def _parameter(free: _Free, value: float, error: float, wide: float, *, open_: bool) -> Parameter:
    """`error` is in fitted coordinates; the interval is symmetric there, and so stays within the permitted range."""
    if open_:
        return Parameter(free.name, value, math.inf, free.low, free.high, identified=False)
    center, reach = free.coordinate.forward(value), wide * error
    low, high = (
        min(max(free.coordinate.inverse(min(max(edge, -700.0), 700.0)), free.low), free.high)
        for edge in (center - reach, center + reach)
    )
    return Parameter(free.name, value, error * free.coordinate.slope(value), low, high, identified=error < _VAGUE)
