"""A session's life as a fold over its log: state(t) is a function of (log, t) and of nothing else.

    moment   = begin(agent, time, levels)            the first entry
    reading  = Continuation(moment).at(time)         what the state is later, if nothing more happens
    moment   = Continuation(moment).apply(entry, time)   what the state is once an entry has happened

Times are wall microseconds since the epoch, as integers; simulated minutes follow from them by the agent's time scale.
"""

import math
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from emotional_ai_service.core.configuration import Dynamics
from emotional_ai_service.core.dynamics import NO_INPUTS, Inputs, Model
from emotional_ai_service.core.errors import InvalidInput, TimeReversed
from emotional_ai_service.core.expression import ExpressionRule
from emotional_ai_service.core.flow import Trajectory
from emotional_ai_service.core.integration import State
from emotional_ai_service.core.labels import hold_with_slack
from emotional_ai_service.core.names import CHEMICALS, NO_SIGNALS, SIGNALS, SignalVector, Vector4

MICROSECONDS_PER_MINUTE: Final = 60_000_000
MICROSECONDS_PER_HOUR: Final = 3_600_000_000


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Agent:
    """What makes an agent itself: its chemistry and its way of speaking.

    Raises InvalidConfiguration for a cap of expression below the baseline.
    """

    dynamics: Dynamics = field(default_factory=Dynamics)
    expression: ExpressionRule = field(default_factory=ExpressionRule)
    model: Model = field(init=False, repr=False, compare=False)
    """The equations, compiled."""

    def __post_init__(self) -> None:
        self.expression.check_caps(self.dynamics.baseline)
        object.__setattr__(self, "model", Model(self.dynamics))


@dataclass(frozen=True, slots=True)
class Happened:
    """An event: twelve intensities in [0, 1] that act at once."""

    signals: SignalVector

    def __post_init__(self) -> None:
        check_signals(self.signals, "event")


@dataclass(frozen=True, slots=True)
class Sustained:
    """A condition: twelve intensities in [0, 1] that hold for `minutes` simulated minutes, without end if infinite."""

    signals: SignalVector
    minutes: float = math.inf

    def __post_init__(self) -> None:
        check_signals(self.signals, "sustained.signals")
        if not self.minutes > 0:
            raise InvalidInput("sustained.duration_minutes", f"must be above 0, got {self.minutes:g}")


@dataclass(frozen=True, slots=True)
class Skipped:
    """Simulated minutes that pass at once, in (0, 1e7]; the clock on the wall stands meanwhile."""

    minutes: float

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= 1e7:
            raise InvalidInput("skip_minutes", f"must be in (0, 1e7], got {self.minutes:g}")


@dataclass(frozen=True, slots=True)
class Configured:
    """The agent is another from now on."""

    agent: Agent


@dataclass(frozen=True, slots=True)
class Restored:
    """The levels are put to `levels`, the baseline if None; mood, habituation and sustained signals end."""

    levels: Vector4 | None = None

    def __post_init__(self) -> None:
        if self.levels is not None:
            check_levels(self.levels, "levels")


Entry = Happened | Sustained | Skipped | Configured | Restored


class Moment(NamedTuple):
    """A session at one point of its life, just after everything that happened up to then."""

    agent: Agent
    time_us: int
    minutes: float
    """Simulated minutes lived."""
    version: int
    """Log entries lived through, the creation included."""
    flow: State
    """Levels, followed by mood in log-odds where mood is on."""
    habituation: SignalVector
    sustained: SignalVector
    sustained_minutes: float
    """Simulated minutes the sustained signals still hold."""
    label: int
    """Index into LABELS of the label held."""
    label_slack: float = 0.0
    """How far the levels may move before another label could take its place; 0 where that is not known."""

    @property
    def levels(self) -> Vector4:
        """The four levels, each in [0, 1]."""
        x0, x1, x2, x3 = self.flow[:4]
        return x0, x1, x2, x3


def in_range(signals: SignalVector) -> bool:
    """Whether each of the twelve intensities is in [0, 1]."""
    total = sum(signals)  # A NaN hides in min and max where it is not first, but not in the sum.
    return min(signals) >= 0 and (total <= 1 or (max(signals) <= 1 and total >= 0))


def check_signals(signals: SignalVector, path: str) -> None:
    """Raises InvalidInput, naming the signal below `path`, unless each of the twelve intensities is in [0, 1]."""
    if in_range(signals):
        return
    for name, value in zip(SIGNALS, signals, strict=True):
        if not 0 <= value <= 1:
            raise InvalidInput(f"{path}.{name}", f"must be in [0, 1], got {value:g}")


def check_levels(levels: Vector4, path: str) -> None:
    """Raises InvalidInput, naming the chemical below `path`, unless each level is in [0, 1]."""
    for name, value in zip(CHEMICALS, levels, strict=True):
        if not 0 <= value <= 1:
            raise InvalidInput(f"{path}.{name}", f"must be in [0, 1], got {value:g}")


def begin(agent: Agent, time_us: int, levels: Vector4 | None = None) -> Moment:
    """A new life at `levels`, the baseline if None; version 1, since the creation is the first entry of the log."""
    if levels is not None:
        check_levels(levels, "initial")
    start = levels or agent.dynamics.baseline
    flow = _flow(agent, start)
    return _relabelled(Moment(agent, time_us, 0.0, 1, flow, NO_SIGNALS, NO_SIGNALS, math.inf, label=0))


def _flow(agent: Agent, levels: Vector4, mood: State = ()) -> State:
    if agent.dynamics.mood is None:
        return levels
    return levels + (mood or (0.0, 0.0, 0.0, 0.0))


def _label(moment: Moment, x: State) -> tuple[int, float]:
    """The label held once the levels have moved from the moment's to `x`, and the slack left."""
    y = moment.flow
    moved = abs(x[0] - y[0]) + abs(x[1] - y[1]) + abs(x[2] - y[2]) + abs(x[3] - y[3])
    if moved < moment.label_slack:
        return moment.label, moment.label_slack - moved
    agent = moment.agent
    levels = x[0], x[1], x[2], x[3]
    return hold_with_slack(moment.label, levels, agent.dynamics.baseline, agent.expression.label_hysteresis)


class Continuation:
    """How a moment goes on until the next entry; it remembers the steps of integration it took, and is the same without."""

    __slots__ = ("_first", "_second", "moment")

    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self._first: Trajectory | None = None
        self._second: Trajectory | None = None

    def at(self, time_us: int) -> Moment:
        """The session at `time_us` if nothing more happens. Raises TimeReversed before the moment."""
        if time_us == self.moment.time_us:
            return self.moment
        minutes = self._minutes(time_us)
        return self._reached(time_us, minutes, self._flow(minutes))

    def steps_to(self, time_us: int) -> float:
        """About how many steps of integration a reading at `time_us`, not before the moment, would take now."""
        return self.steps_over(self._minutes(time_us))

    def steps_over(self, minutes: float) -> float:
        """The same for the state so many simulated minutes on."""
        held = self.moment.sustained_minutes
        first = self._until_held()
        if minutes <= held:
            return first.steps_to(minutes)
        # How far there is to go does not depend on where the second trajectory starts, which is not known yet.
        second = self._second or self._after_held(self.moment.flow)
        return first.steps_to(held) + second.steps_to(minutes - held)

    def apply(self, entry: Entry, time_us: int) -> Moment:
        """The session just after `entry` happened at `time_us`. Raises TimeReversed before the moment."""
        minutes = self._minutes(time_us)
        flow = self._flow(minutes)
        if isinstance(entry, Happened):
            return self._happened(entry.signals, time_us, minutes, flow)
        # The label an entry meets is the one held since the last entry, not the one read in between.
        now = self._reached(time_us, minutes, flow)._replace(
            version=self.moment.version + 1, label=self.moment.label, label_slack=0.0
        )
        match entry:
            case Sustained(signals, duration):
                if not any(signals):
                    return _relabelled(now._replace(sustained=NO_SIGNALS, sustained_minutes=math.inf))
                return _relabelled(now._replace(sustained=signals, sustained_minutes=duration))
            case Skipped(skipped):
                return _relabelled(_skip(now, skipped))
            case Configured(agent):
                return _relabelled(_configure(now, agent))
            case Restored(levels):
                start = levels or now.agent.dynamics.baseline
                return begin(now.agent, time_us, start)._replace(minutes=now.minutes, version=now.version)

    def _reached(self, time_us: int, minutes: float, flow: State) -> Moment:
        moment = self.moment
        sustained, left = _remaining(moment, minutes)
        label, slack = _label(moment, flow)
        return Moment(
            moment.agent,
            time_us,
            moment.minutes + minutes,
            moment.version,
            flow,
            moment.agent.model.recover(moment.habituation, minutes),
            sustained,
            left,
            label,
            slack,
        )

    def _happened(self, signals: SignalVector, time_us: int, minutes: float, flow: State) -> Moment:
        """An event, without the detour over a moment before it: this is what a busy session does all day."""
        moment = self.moment
        model = moment.agent.model
        effective, habituation = model.habituate(model.recover(moment.habituation, minutes), signals)
        after: State = model.jump((flow[0], flow[1], flow[2], flow[3]), effective)
        if len(flow) > 4:
            after += flow[4:]
        sustained, left = _remaining(moment, minutes)
        label, slack = _label(moment, after)
        return Moment(
            moment.agent,
            time_us,
            moment.minutes + minutes,
            moment.version + 1,
            after,
            habituation,
            sustained,
            left,
            label,
            slack,
        )

    def _minutes(self, time_us: int) -> float:
        elapsed = time_us - self.moment.time_us
        if elapsed < 0:
            raise TimeReversed("time", f"is {-elapsed / 1e6:.6f} s before the last log entry; time cannot go backwards")
        return elapsed / MICROSECONDS_PER_MINUTE * self.moment.agent.dynamics.time_scale

    def _flow(self, minutes: float) -> State:
        """Flow state after `minutes`, in one trajectory, or in two where the sustained signals end before."""
        moment = self.moment
        if minutes == 0:
            return moment.flow
        held = moment.sustained_minutes
        if minutes <= held:
            return self._until_held().at(minutes)
        if self._second is None:
            self._second = self._after_held(self._until_held().at(held))
        return self._second.at(minutes - held)

    def _until_held(self) -> Trajectory:
        """The flow while the sustained signals hold."""
        moment = self.moment
        if self._first is None:
            self._first = Trajectory(moment.agent.model, moment.flow, span_inputs(moment, moment.sustained, 0.0))
        return self._first

    def _after_held(self, start: State) -> Trajectory:
        """The flow from `start` on, once they have ended."""
        moment = self.moment
        return Trajectory(moment.agent.model, start, span_inputs(moment, NO_SIGNALS, moment.sustained_minutes))


def span_inputs(moment: Moment, sustained: SignalVector, since: float, *, standing: bool = False) -> Inputs:
    """What acts from `since` simulated minutes after the moment on; `standing` while the clock on the wall stands."""
    dynamics = moment.agent.dynamics
    if dynamics.circadian is None:
        return NO_INPUTS if sustained is NO_SIGNALS else Inputs(sustained)
    speed = 0.0 if standing or not dynamics.time_scale else 1 / (60 * dynamics.time_scale)
    return Inputs(sustained, local_hour(moment) + since * speed, speed)


def local_hour(moment: Moment) -> float:
    """Hour of the agent's local day, in [0, 24); 0 for an agent without a daily rhythm."""
    circadian = moment.agent.dynamics.circadian
    if circadian is None:
        return 0.0
    return (moment.time_us / MICROSECONDS_PER_HOUR + circadian.utc_offset_hours) % 24


def _remaining(moment: Moment, minutes: float) -> tuple[SignalVector, float]:
    """Sustained signals after `minutes`, and how long they still hold."""
    if moment.sustained is NO_SIGNALS or minutes >= moment.sustained_minutes:
        return NO_SIGNALS, math.inf
    return moment.sustained, moment.sustained_minutes - minutes


def _relabelled(moment: Moment) -> Moment:
    label, slack = _label(moment._replace(label_slack=0.0), moment.flow)
    return moment._replace(label=label, label_slack=slack)


def _skip(now: Moment, minutes: float) -> Moment:
    """Lets simulated minutes pass while the clock on the wall, and with it the daily rhythm, stands."""
    model, held = now.agent.model, now.sustained_minutes
    flow = Trajectory(model, now.flow, span_inputs(now, now.sustained, 0.0, standing=True)).at(min(minutes, held))
    if minutes > held:
        flow = Trajectory(model, flow, span_inputs(now, NO_SIGNALS, 0.0, standing=True)).at(minutes - held)
    sustained, left = _remaining(now, minutes)
    return now._replace(
        minutes=now.minutes + minutes,
        flow=flow,
        habituation=model.recover(now.habituation, minutes),
        sustained=sustained,
        sustained_minutes=left,
    )


def _configure(now: Moment, agent: Agent) -> Moment:
    habituation = now.habituation if agent.dynamics.habituation else NO_SIGNALS
    return now._replace(agent=agent, flow=_flow(agent, now.levels, now.flow[4:]), habituation=habituation)
