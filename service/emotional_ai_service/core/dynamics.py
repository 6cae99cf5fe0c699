"""The differential equations: how four chemicals flow under input, and how an event moves them.

    flow   x_i' = k_i (T_i - x_i) + P_i (1 - x_i) - N_i x_i
           z_i' = (kappa_i (x_i - b_i) - z_i) / tau_mood
           T_i  = s(logit b_i + z_i + sum_j W_ij (x_j - b_j) + A_i cos(2 pi (h - phi) / 24))
           P_i  = m_i(x) sum_s max(G_si, 0) u_s / tau_u          N_i = sum_s max(-G_si, 0) u_s / tau_u
           m_i(x) = 1 - sum_j beta_ij x_j
    event  p_i = m_i(x) sum_s max(G_si, 0) a_s   n_i = sum_s max(-G_si, 0) a_s   q = p + n
           x_i <- x_i e^-q_i + (p_i / q_i)(1 - e^-q_i)           unchanged where q_i = 0

A push acts on the free capacity 1 - x, a pull on x: saturation as at a receptor. Time is in simulated minutes; u and a are
intensities in [0, 1]; h is the local hour. The flow keeps [0, 1]^4 and contracts; the event map never expands a distance.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from emotional_ai_service.core.configuration import Dynamics
from emotional_ai_service.core.integration import Field, State
from emotional_ai_service.core.names import NO_SIGNALS, ZERO4, SignalVector, Vector4

Shift = Sequence[float]
"""Log-odds added to each set point: mood and daily rhythm."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What acts on an agent during a span, constant throughout."""

    sustained: SignalVector = NO_SIGNALS
    """Twelve intensities >= 0, in occurrences per tau_u."""
    hour: float = 0.0
    """Local hour of the day at the start of the span."""
    hours_per_minute: float = 0.0
    """Hours of the day that pass per simulated minute; 0 while the clock stands."""


NO_INPUTS = Inputs()


class Model:
    """One agent's equations, compiled from its parameters once; every method is a pure function."""

    __slots__ = ("_effects", "_free", "_undriven", "contraction", "dynamics", "glide", "rate", "rest")

    def __init__(self, dynamics: Dynamics) -> None:
        self.dynamics = dynamics
        self.rest: State = dynamics.baseline + ((0.0,) * 4 if dynamics.mood else ())
        """Levels, and mood where it is on, without any input."""
        self._effects = tuple(
            (tuple(max(g, 0.0) for g in gains), tuple(max(-g, 0.0) for g in gains)) for gains in dynamics.gains
        )
        self._free = _free(dynamics)
        self._undriven = self._field(NO_INPUTS)
        self.glide = _glide(dynamics) if dynamics.mood is None and dynamics.circadian is None else None
        """The free flow of four levels over a short span, as (x, minutes) -> x; None where more than the levels flows."""
        self.contraction = dynamics.contraction_rate()
        """Rate at which two solutions under one input approach each other, per simulated minute."""
        self.rate = self.fastest_rate(NO_SIGNALS)
        """Bound on the rates of the free flow, per simulated minute."""

    def drive(self, signals: SignalVector) -> tuple[Vector4, Vector4]:
        """Pushes (before buffering) and pulls: sums of max(G, 0) a and of max(-G, 0) a per chemical."""
        p0 = p1 = p2 = p3 = n0 = n1 = n2 = n3 = 0.0
        for index, a in enumerate(signals):
            if a:
                (u0, u1, u2, u3), (d0, d1, d2, d3) = self._effects[index]
                p0 += u0 * a
                p1 += u1 * a
                p2 += u2 * a
                p3 += u3 * a
                n0 += d0 * a
                n1 += d1 * a
                n2 += d2 * a
                n3 += d3 * a
        return (p0, p1, p2, p3), (n0, n1, n2, n3)

    def receptivity(self, x: Sequence[float]) -> list[float]:
        """m_i(x) = 1 - sum_j beta_ij x_j, in [1/2, 1]: how strongly each chemical takes a push."""
        da, se, co, ox = x
        return [1.0 - (a * da + b * se + c * co + d * ox) for a, b, c, d in self.dynamics.buffering]

    def jump(self, x: Vector4, signals: SignalVector) -> Vector4:
        """Levels after an event of these signals; `x` are the levels before it, each in [0, 1]."""
        (p0, p1, p2, p3), (n0, n1, n2, n3) = self.drive(signals)
        (b00, b01, b02, b03), (b10, b11, b12, b13), (b20, b21, b22, b23), (b30, b31, b32, b33) = self.dynamics.buffering
        x0, x1, x2, x3 = x
        return (
            _moved(x0, p0 * (1.0 - (b00 * x0 + b01 * x1 + b02 * x2 + b03 * x3)), n0),
            _moved(x1, p1 * (1.0 - (b10 * x0 + b11 * x1 + b12 * x2 + b13 * x3)), n1),
            _moved(x2, p2 * (1.0 - (b20 * x0 + b21 * x1 + b22 * x2 + b23 * x3)), n2),
            _moved(x3, p3 * (1.0 - (b30 * x0 + b31 * x1 + b32 * x2 + b33 * x3)), n3),
        )

    def jump_contributions(self, x: Vector4, signals: SignalVector) -> dict[int, Vector4]:
        """Change of each chemical by each signal of an event, by index of the signal; the parts add up to jump(x) - x.

        The event map is linear in pushes and pulls once q is fixed: x_i changes by
        (p_i (1 - x_i) - n_i x_i)(1 - e^-q_i) / q_i, and each signal owns its own terms of p_i and n_i.
        """
        m = self.receptivity(x)
        push, pull = self.drive(signals)
        q = [m[i] * push[i] + pull[i] for i in range(4)]
        share = [-math.expm1(-qi) / qi if qi > 0 else 1.0 for qi in q]
        parts: dict[int, Vector4] = {}
        for index, (a, (up, down)) in enumerate(zip(signals, self._effects, strict=True)):
            if a:
                parts[index] = _vector(a * (m[i] * up[i] * (1 - x[i]) - down[i] * x[i]) * share[i] for i in range(4))
        return parts

    def habituate(self, habituation: SignalVector, signals: SignalVector) -> tuple[SignalVector, SignalVector]:
        """Effective signals of an event, and the habituation after it; each vector has 12 numbers in [0, 1]."""
        rule = self.dynamics.habituation
        if rule is None:
            return signals, habituation
        effective = tuple([a * (1 - rule.eta * h) for a, h in zip(signals, habituation, strict=True)])
        # Several events at one moment may add up to more than one full-strength occurrence; they habituate as one.
        after = tuple([h + rule.rho * min(a, 1.0) * (1 - h) for a, h in zip(signals, habituation, strict=True)])
        return effective, after

    def recover(self, habituation: SignalVector, minutes: float) -> SignalVector:
        """Habituation after `minutes` without a signal."""
        rule = self.dynamics.habituation
        if rule is None or habituation is NO_SIGNALS:
            return habituation
        keep = math.exp(-minutes / rule.tau_minutes)
        return tuple([h * keep for h in habituation])

    def fastest_rate(self, sustained: SignalVector) -> float:
        """Bound on the rates of the flow, per simulated minute: the scale that tells a short span from a long one."""
        dynamics = self.dynamics
        push, pull = self.drive(sustained)
        rates = (
            math.log(2) / half_life * (1 + (sum(map(abs, row)) + abs(kappa)) / 4) + (p + n) / dynamics.tau_u_minutes
            for half_life, row, kappa, p, n in zip(
                dynamics.half_life_minutes, dynamics.coupling, dynamics.kappa, push, pull, strict=True
            )
        )
        return max(*rates, 1 / dynamics.mood.tau_minutes if dynamics.mood else 0.0)

    def field(self, inputs: Inputs) -> Field:
        """The flow as f(t, y) under constant input, t in simulated minutes from the start of the span.

        y is x, or x followed by z where mood is on: 4 or 8 numbers.
        """
        return self._undriven if inputs is NO_INPUTS else self._field(inputs)

    def _field(self, inputs: Inputs) -> Field:
        levels = self._driven(inputs.sustained)
        rhythm = _rhythm(self.dynamics, inputs)
        mood, b = self.dynamics.mood, self.dynamics.baseline
        if mood is None:
            if rhythm is None:
                return lambda _, y: levels(ZERO4, y)
            return lambda t, y: levels(rhythm(t), y)
        kappa, slowness = mood.kappa, 1 / mood.tau_minutes

        def with_mood(t: float, y: State) -> State:
            z = y[4:]
            slow = tuple([(q * (xi - bi) - zi) * slowness for q, xi, bi, zi in zip(kappa, y, b, z, strict=False)])
            shift = z if rhythm is None else [zi + ri for zi, ri in zip(z, rhythm(t), strict=True)]
            return levels(shift, y) + slow

        return with_mood

    def _driven(self, sustained: SignalVector) -> Callable[[Shift, State], State]:
        """x' as a function of (shift, x) under sustained signals."""
        free = self._free
        if not any(sustained):
            return free
        unit = self.dynamics.tau_u_minutes
        push, pull = ([value / unit for value in side] for side in self.drive(sustained))

        def driven(shift: Shift, y: State) -> State:
            x, slopes = y[:4], free(shift, y)
            m = self.receptivity(x)
            return _vector(slopes[i] + push[i] * m[i] * (1 - x[i]) - pull[i] * x[i] for i in range(4))

        return driven


def _moved(level: float, push: float, pull: float) -> float:
    """The event map of one chemical: towards p / q by the share 1 - e^-q."""
    q = push + pull
    return level + (push / q - level) * -math.expm1(-q) if q else level


def _vector(values: Iterable[float]) -> Vector4:
    v0, v1, v2, v3 = values
    return v0, v1, v2, v3


def _rhythm(dynamics: Dynamics, inputs: Inputs) -> Callable[[float], Vector4] | None:
    """The daily drive as a function of simulated minutes; None where there is no rhythm."""
    circadian = dynamics.circadian
    if circadian is None:
        return None
    a0, a1, a2, a3 = circadian.amplitude
    start, speed = (inputs.hour - circadian.peak_hour) * math.tau / 24, inputs.hours_per_minute * math.tau / 24

    def drive(t: float) -> Vector4:
        c = math.cos(start + speed * t)
        return a0 * c, a1 * c, a2 * c, a3 * c

    return drive


def _free(dynamics: Dynamics) -> Callable[[Shift, State], State]:
    """x' without sustained signals; written out by hand, since one step evaluates it two to twelve times."""
    exp = math.exp
    b0, b1, b2, b3 = dynamics.baseline
    l0, l1, l2, l3 = (math.log(b / (1 - b)) for b in dynamics.baseline)
    k0, k1, k2, k3 = (math.log(2) / half_life for half_life in dynamics.half_life_minutes)
    (w00, w01, w02, w03), (w10, w11, w12, w13), (w20, w21, w22, w23), (w30, w31, w32, w33) = dynamics.coupling

    def free(shift: Shift, y: State) -> State:
        x0, x1, x2, x3 = y if len(y) == 4 else y[:4]
        d0, d1, d2, d3 = x0 - b0, x1 - b1, x2 - b2, x3 - b3
        z0, z1, z2, z3 = shift
        return (
            k0 * (1 / (1 + exp(-(l0 + z0 + w00 * d0 + w01 * d1 + w02 * d2 + w03 * d3))) - x0),
            k1 * (1 / (1 + exp(-(l1 + z1 + w10 * d0 + w11 * d1 + w12 * d2 + w13 * d3))) - x1),
            k2 * (1 / (1 + exp(-(l2 + z2 + w20 * d0 + w21 * d1 + w22 * d2 + w23 * d3))) - x2),
            k3 * (1 / (1 + exp(-(l3 + z3 + w30 * d0 + w31 * d1 + w32 * d2 + w33 * d3))) - x3),
        )

    return free


def _glide(dynamics: Dynamics) -> Callable[[State, float], State]:
    """x(h) = x + h x' + h^2/2 x'' for the free flow of four levels; local error O(h^3).

    With s_i the set point, x_i' = k_i (s_i - x_i) and x_i'' = k_i (s_i (1 - s_i) (W x')_i - x_i'): one evaluation of the
    exponentials, where a midpoint step takes two. This is what a busy session does all day.
    """
    exp = math.exp
    b0, b1, b2, b3 = dynamics.baseline
    l0, l1, l2, l3 = (math.log(b / (1 - b)) for b in dynamics.baseline)
    k0, k1, k2, k3 = (math.log(2) / half_life for half_life in dynamics.half_life_minutes)
    (w00, w01, w02, w03), (w10, w11, w12, w13), (w20, w21, w22, w23), (w30, w31, w32, w33) = dynamics.coupling

    def glide(x: State, h: float) -> State:
        x0, x1, x2, x3 = x
        d0, d1, d2, d3 = x0 - b0, x1 - b1, x2 - b2, x3 - b3
        s0 = 1 / (1 + exp(-(l0 + w00 * d0 + w01 * d1 + w02 * d2 + w03 * d3)))
        s1 = 1 / (1 + exp(-(l1 + w10 * d0 + w11 * d1 + w12 * d2 + w13 * d3)))
        s2 = 1 / (1 + exp(-(l2 + w20 * d0 + w21 * d1 + w22 * d2 + w23 * d3)))
        s3 = 1 / (1 + exp(-(l3 + w30 * d0 + w31 * d1 + w32 * d2 + w33 * d3)))
        v0, v1, v2, v3 = k0 * (s0 - x0), k1 * (s1 - x1), k2 * (s2 - x2), k3 * (s3 - x3)
        half = 0.5 * h
        return (
            x0 + h * (v0 + half * k0 * (s0 * (1 - s0) * (w00 * v0 + w01 * v1 + w02 * v2 + w03 * v3) - v0)),
            x1 + h * (v1 + half * k1 * (s1 * (1 - s1) * (w10 * v0 + w11 * v1 + w12 * v2 + w13 * v3) - v1)),
            x2 + h * (v2 + half * k2 * (s2 * (1 - s2) * (w20 * v0 + w21 * v1 + w22 * v2 + w23 * v3) - v2)),
            x3 + h * (v3 + half * k3 * (s3 * (1 - s3) * (w30 * v0 + w31 * v1 + w32 * v2 + w33 * v3) - v3)),
        )

    return glide
