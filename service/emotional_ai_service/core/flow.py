"""Trajectories between log entries: the state after any span, from a start under constant input.

A trajectory remembers the steps it took, so reading it again costs at most one step. What it returns does not depend on
what was read before: the steps follow from the start alone. Where a daily rhythm goes on, every start comes to one and the
same cycle; it is integrated once for all agents of a model.
"""

import math
import threading
from bisect import bisect_right
from typing import Final

from emotional_ai_service.core.abandoning import unless_abandoned
from emotional_ai_service.core.dynamics import NO_INPUTS, Inputs, Model
from emotional_ai_service.core.errors import InvalidConfiguration
from emotional_ai_service.core.integration import (
    Field,
    State,
    dormand_prince_step,
    midpoint_step,
    runge_kutta_step,
)
from emotional_ai_service.core.names import NO_SIGNALS, SIGNALS, SignalVector, Vector4

SECOND_ORDER: Final = 1e-4
"""Span x rate up to which one second-order step is exact to 1e-13."""
FOURTH_ORDER: Final = 0.0234
"""Span x rate up to which one fourth-order step is exact to 1e-10: 0.25 simulated minutes at the default rates."""
ONE_OF_FOURTH_ORDER: Final = 0.1
"""What one step of the fourth order costs, in steps of the eighth."""
STABLE: Final = 5.0
"""Step x rate within the stability interval of the eighth-order method."""
SETTLED: Final = 1e-11
"""Distance to the equilibrium of a constant input below which a trajectory has arrived."""
FORGOTTEN: Final = 30.0
"""Span x contraction rate after which the start matters less than e^-30 = 1e-13."""
GREATEST_SPAN: Final = 200_000
"""Steps of integration that a reading may take while one signal is sustained: 45 us each on an idle core, 0.11 ms with mood.

Where a daily rhythm drives what is quick beside it, accuracy takes up to four for each that is counted: 0.17 ms, with mood
0.5 ms.
"""
PER_ROUND: Final = 40.0
"""Steps that a turn of the daily rhythm takes."""
CYCLES_KEPT: Final = 16
"""Cycles that are remembered, the newest."""
GREATEST_CYCLE: Final = 4_000
"""Steps of a cycle that is remembered: two megabytes of them."""


def check_speeds(model: Model) -> None:
    """Raises InvalidConfiguration where the slowest change is so far from the fastest that a reading could take for ever."""
    dynamics, memory = model.dynamics, FORGOTTEN / model.contraction
    one_sustained = (tuple(float(index == one) for index in range(len(SIGNALS))) for one in range(len(SIGNALS)))
    if memory * max(map(model.fastest_rate, one_sustained)) / STABLE > GREATEST_SPAN:
        wrong = "lie too far apart beside the slowest: bring half lives, gains / tau_u_minutes and mood closer together"
        raise InvalidConfiguration("half_life_minutes", f"the fastest changes {wrong}")
    slowest = memory * PER_ROUND / (24 * 60 * GREATEST_SPAN)
    if dynamics.circadian and 0 < dynamics.time_scale < slowest:
        raise InvalidConfiguration(
            "time_scale", f"must be 0 or at least {slowest:.3g} beside this daily rhythm, got {dynamics.time_scale:g}"
        )


class Trajectory:
    """The flow from `start` under `inputs`; `start` is x, or x and z where mood is on."""

    __slots__ = ("_field", "_h", "_inputs", "_late", "_model", "_rate", "_settled", "_start", "_states", "_times")

    def __init__(self, model: Model, start: State, inputs: Inputs) -> None:
        self._model = model
        self._start = start
        self._inputs = inputs
        self._rate = model.fastest_rate(inputs.sustained) if inputs.sustained is not NO_SIGNALS else model.rate
        self._field: Field | None = None
        self._settled: float | None = None
        """Minutes after which nothing moves any more."""
        self._late: tuple[float, Trajectory] | None = None
        """Where the trajectory begun late starts, and that trajectory; see _forgotten."""

    def at(self, minutes: float) -> State:
        """State after `minutes` >= 0 simulated minutes, within [0, 1] for x; absolute error about 1e-10 at most.

        Costs a bounded number of steps however long the span: the flow contracts, so what came before is forgotten.
        """
        if minutes == 0 or (self._start == self._model.rest and self._rests):
            return self._start
        reach = minutes * self._rate
        if reach <= SECOND_ORDER and self._inputs is NO_INPUTS and self._model.glide is not None:
            return _inside(self._model.glide(self._start, minutes))
        if self._field is None:
            self._field = self._model.field(self._inputs)
        if reach <= SECOND_ORDER:
            return _inside(midpoint_step(self._field, 0.0, self._start, minutes))
        if reach <= FOURTH_ORDER:
            return _inside(runge_kutta_step(self._field, 0.0, self._start, minutes))
        if minutes > self._memory and (self._rests or not self._constant):
            return self._forgotten(minutes)
        return self._march(self._field, minutes)

    @property
    def _memory(self) -> float:
        """Simulated minutes after which the start is forgotten."""
        return FORGOTTEN / self._model.contraction

    @property
    def _rests(self) -> bool:
        """True where nothing acts, so that the baseline is the equilibrium."""
        return self._inputs.sustained is NO_SIGNALS and self._model.dynamics.circadian is None

    def _march(self, field: Field, minutes: float) -> State:
        """Extends the remembered steps up to `minutes` and reads between them."""
        if not hasattr(self, "_times"):
            self._times, self._states, self._h = [0.0], [self._start], 0.1 / self._rate
        while self._times[-1] < minutes and self._settled is None:
            self._advance(field)
        if self._settled is not None and minutes >= self._settled:
            return self._states[-1]
        index = bisect_right(self._times, minutes) - 1
        return _span(field, self._times[index], self._states[index], minutes - self._times[index])

    def _advance(self, field: Field) -> None:
        """Takes the next accepted step and remembers it."""
        h, end, self._h = _accepted(field, self._times[-1], self._states[-1], self._h, STABLE / self._rate)
        self._times.append(self._times[-1] + h)
        self._states.append(end)
        if self._constant and self._arrived(field):
            self._settled = self._times[-1]

    @property
    def _constant(self) -> bool:
        """True where the flow does not depend on time, so that it leads to an equilibrium."""
        return _steady(self._model, self._inputs)

    def _arrived(self, field: Field) -> bool:
        """The flow contracts at rate lambda, so the equilibrium is within |x'| / lambda, and within e^-30 after a memory."""
        if self._times[-1] >= self._memory:
            return True
        speed = max(map(abs, field(self._times[-1], self._states[-1])))
        return speed <= SETTLED * self._model.contraction

    @property
    def _cyclic(self) -> bool:
        """True where to go round the cycle once takes no longer than to begin late, and its steps are few enough to keep."""
        return self._turns(2 * self._memory) >= 1 and self._cost(_turn(self._inputs)) <= GREATEST_CYCLE

    def _late_begin(self, minutes: float) -> float:
        """Where a trajectory that has forgotten its start is begun: one to two memories before the reading.

        It moves on a whole memory at a time, so that one trajectory serves many readings.
        """
        return (minutes // self._memory - 1) * self._memory

    def _forgotten(self, minutes: float) -> State:
        """The state after so long a span that every start leads to it: on the cycle, or begun late, at rest."""
        if self._rests:
            return self._model.rest
        if self._cyclic:
            return CYCLES.of(self._model, self._inputs).at(self._inputs.hour + minutes * self._inputs.hours_per_minute)
        begun = self._late_begin(minutes)
        if self._late is None or self._late[0] != begun:
            inputs = self._inputs
            hour = inputs.hour + begun * inputs.hours_per_minute
            late = Inputs(inputs.sustained, hour, inputs.hours_per_minute)
            self._late = begun, Trajectory(self._model, self._model.rest, late)
        return self._late[1].through(minutes - begun)

    def through(self, minutes: float) -> State:
        """As `at`, by integration alone; for a span of at most two memories."""
        if self._field is None:
            self._field = self._model.field(self._inputs)
        return self._march(self._field, minutes)

    def steps_to(self, minutes: float) -> float:
        """About how many steps of integration a reading at `minutes` would take now; for deciding where to take them."""
        if self._settled is not None or (minutes * self._rate <= FOURTH_ORDER and self._turns(minutes) <= FOURTH_ORDER):
            return 0.0
        if minutes <= self._memory or (self._constant and not self._rests):
            return self._missing(min(minutes, self._memory))
        if self._rests:
            return 0.0
        if self._cyclic:
            known = CYCLES.knows(self._model, self._inputs)
            return 0.0 if known else self._cost(self._memory + _turn(self._inputs))
        begun = self._late_begin(minutes)
        late = self._late[1] if self._late is not None and self._late[0] == begun else None
        return late._missing(minutes - begun) if late else self._cost(minutes - begun)

    def _missing(self, minutes: float) -> float:
        done = self._times[-1] if hasattr(self, "_times") else 0.0
        return self._cost(max(0.0, minutes - done))

    def _cost(self, minutes: float) -> float:
        return minutes * self._rate / STABLE + PER_ROUND * self._turns(minutes)

    def _turns(self, minutes: float) -> float:
        """Turns of the daily rhythm in a span."""
        return 0.0 if self._constant else minutes * self._inputs.hours_per_minute / 24


class Cycle:
    """Where every trajectory of a model ends up under one constant input while a daily rhythm goes on.

    To make one takes the steps of one memory of the flow and of one turn; to read it, one step.
    """

    __slots__ = ("_day", "_speed", "_turn")

    def __init__(self, model: Model, inputs: Inputs) -> None:
        self._speed = inputs.hours_per_minute
        self._turn = _turn(inputs)
        memory = FORGOTTEN / model.contraction
        before = Inputs(inputs.sustained, -memory * self._speed % 24, self._speed)
        midnight = Trajectory(model, model.rest, before).through(memory)
        self._day = Trajectory(model, midnight, Inputs(inputs.sustained, 0.0, self._speed))
        self._day.through(self._turn)

    def at(self, hour: float) -> State:
        """The state at a local hour, of any day."""
        return self._day.through(min(hour % 24 / self._speed, self._turn))


def _turn(inputs: Inputs) -> float:
    """Simulated minutes of a day."""
    return 24 / inputs.hours_per_minute


class _Cycles:
    """The cycles used last, of any thread. Each is integrated before it is kept, so reading one changes nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[Model, SignalVector, float], Cycle] = {}

    def knows(self, model: Model, inputs: Inputs) -> bool:
        """Whether a cycle is there to be read."""
        return (model, inputs.sustained, inputs.hours_per_minute) in self._known

    def of(self, model: Model, inputs: Inputs) -> Cycle:
        """The cycle of a model under an input, whatever hour that begins at."""
        key = model, inputs.sustained, inputs.hours_per_minute
        with self._lock:
            cycle = self._known.pop(key, None)
            if cycle is not None:
                self._known[key] = cycle
                return cycle
        cycle = Cycle(model, inputs)
        with self._lock:
            self._known[key] = cycle
            if len(self._known) > CYCLES_KEPT:
                del self._known[next(iter(self._known))]
        return cycle


CYCLES: Final = _Cycles()


def exposure(model: Model, start: State, inputs: Inputs, minutes: float) -> tuple[Vector4, Vector4]:
    """What a push and a pull of strength one act on during a span: integrals of m_i(x) (1 - x_i) and of x_i over t / tau_u.

    The part of the change that is owed to one sustained signal is its push times the first less its pull times the second.
    They are integrated beside the flow, in the same steps. Once the start is forgotten they grow evenly, or as in the turn of
    the daily rhythm before, so that a span costs one memory of the flow and two turns however long it is.
    """
    rate, field = model.fastest_rate(inputs.sustained), _exposing(model, inputs)
    y, (first, turns) = start + (0.0,) * 8, _begun(model, inputs, minutes)
    if minutes * rate <= SECOND_ORDER:
        y = midpoint_step(field, 0.0, y, minutes)
    elif minutes * rate <= FOURTH_ORDER:
        y = runge_kutta_step(field, 0.0, y, minutes)
    else:
        y = _along(field, 0.0, y, first, rate)
    if turns:
        after = _along(field, first, y, first + _turn(inputs), rate)
        y = tuple([a + turns * (b - a) for a, b in zip(y, after, strict=True)])
    elif first < minutes:
        y = tuple([a + (minutes - first) * slope for a, slope in zip(y, field(first, y), strict=True)])
    p0, p1, p2, p3, n0, n1, n2, n3 = y[len(start) :]
    return (p0, p1, p2, p3), (n0, n1, n2, n3)


def steps_of_exposure(model: Model, inputs: Inputs, minutes: float) -> float:
    """About how many steps of integration `exposure` takes; for deciding whether to ask it."""
    rate = model.fastest_rate(inputs.sustained)
    if minutes * rate <= FOURTH_ORDER:
        return ONE_OF_FOURTH_ORDER
    span, turns = _begun(model, inputs, minutes)
    span += _turn(inputs) if turns else 0.0
    return 1 + span * rate / STABLE + (0.0 if _steady(model, inputs) else PER_ROUND * span / _turn(inputs))


def _begun(model: Model, inputs: Inputs, minutes: float) -> tuple[float, int]:
    """Of a span, what is integrated before the rest repeats, and how many turns of the daily rhythm that rest is."""
    memory = FORGOTTEN / model.contraction
    if _steady(model, inputs):
        return min(minutes, memory), 0
    turns = max(0, math.floor((minutes - memory) / _turn(inputs)))
    return minutes - turns * _turn(inputs), turns


def _along(field: Field, t: float, y: State, end: float, rate: float) -> State:
    """The state at `end`, by integration from (t, y)."""
    h = 1 / rate
    while t < end:
        taken, y, h = _accepted(field, t, y, min(h, end - t), STABLE / rate)
        t = end if taken == end - t else t + taken
    return y


def _exposing(model: Model, inputs: Inputs) -> Field:
    """The flow, followed by the eight slopes of `exposure`."""
    flow, size, often = model.field(inputs), len(model.rest), 1 / model.dynamics.tau_u_minutes

    def exposing(t: float, y: State) -> State:
        x0, x1, x2, x3 = x = y[:4]
        m0, m1, m2, m3 = model.receptivity(x)
        return (
            *flow(t, y[:size]),
            m0 * (1 - x0) * often,
            m1 * (1 - x1) * often,
            m2 * (1 - x2) * often,
            m3 * (1 - x3) * often,
            x0 * often,
            x1 * often,
            x2 * often,
            x3 * often,
        )

    return exposing


def _steady(model: Model, inputs: Inputs) -> bool:
    """True where the flow does not depend on time, so that it leads to an equilibrium."""
    return model.dynamics.circadian is None or inputs.hours_per_minute == 0


def _accepted(field: Field, t: float, y: State, h: float, longest: float) -> tuple[float, State, float]:
    """One accurate step from (t, y): its length, `h` at most; where it ends; and the length to try next, at most `longest`.

    Raises ArithmeticError where there is none, as from a state that is not finite or not in the cube, and Abandoned.
    """
    while True:
        unless_abandoned()
        end, error = dormand_prince_step(field, t, y, h)
        after = min(h * min(5.0, max(0.2, 0.9 * (error + 1e-16) ** -0.125)), longest)
        inside = min(end[:4]) >= -1e-9 and max(end[:4]) <= 1 + 1e-9
        if error <= 1 and inside:
            return h, _inside(end), after
        h = after if inside else min(after, h / 2)
        if not math.isfinite(error) or t + h == t:
            raise ArithmeticError(f"no step from {y} at {t:g} minutes is accurate")


def _span(field: Field, t: float, y: State, h: float) -> State:
    """State h after (t, y), in one step where that is accurate, else in two halves."""
    if h == 0:
        return y
    end, error = dormand_prince_step(field, t, y, h)
    if error <= 1:
        return _inside(end)
    return _span(field, t + h / 2, _span(field, t, y, h / 2), h / 2)


def _inside(y: State) -> State:
    """Removes rounding: a level may leave [0, 1] by an error of the size of the tolerance, never by more."""
    if 0 <= y[0] <= 1 and 0 <= y[1] <= 1 and 0 <= y[2] <= 1 and 0 <= y[3] <= 1:
        return y
    return tuple([min(max(level, 0.0), 1.0) for level in y[:4]]) + y[4:]


def split(y: State) -> tuple[Vector4, Vector4]:
    """Levels and mood of a flow state; mood is zero where it is off."""
    x0, x1, x2, x3 = y[:4]
    z0, z1, z2, z3 = y[4:] or (0.0, 0.0, 0.0, 0.0)
    return (x0, x1, x2, x3), (z0, z1, z2, z3)
