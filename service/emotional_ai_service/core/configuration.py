"""Parameters of the differential equations, checked when they are made.

All magnitudes are design values; their signs follow the literature named in specs/dynamics.md.
"""

import math
from dataclasses import dataclass, field
from typing import Final

from emotional_ai_service.core.errors import InvalidConfiguration, UnstableConfiguration
from emotional_ai_service.core.names import CHEMICALS, SIGNALS, ZERO4, Matrix4, Vector4
from emotional_ai_training.conditioning import BASELINE

LEAST_BASELINE: Final = 1e-6
"""Distance a baseline keeps from 0 and from 1, where its log-odds end."""
HALF_LIFE: Final[Vector4] = (10.0, 120.0, 66.0, 20.0)
COUPLING: Final[Matrix4] = (
    (0.0, -0.4, -0.6, 0.4),
    (-0.3, 0.0, -0.8, 0.3),
    (-0.3, -0.6, 0.0, -1.0),
    (0.2, 0.3, -0.5, 0.0),
)
BUFFERING: Final[Matrix4] = ((0.0, 0.0, 0.3, 0.0), ZERO4, (0.0, 0.0, 0.0, 0.5), ZERO4)
GAINS: Final[tuple[Vector4, ...]] = (
    (0.60, 0.15, -0.10, 0.00),  # reward
    (0.45, 0.00, 0.05, 0.00),  # novelty
    (0.50, 0.30, -0.20, 0.05),  # achievement
    (0.15, 0.20, -0.25, 0.60),  # social_warmth
    (0.30, 0.25, -0.10, 0.25),  # praise
    (-0.05, 0.35, -0.45, 0.10),  # relaxation
    (-0.10, -0.20, 0.70, -0.10),  # threat
    (0.10, -0.15, 0.35, 0.00),  # uncertainty
    (-0.20, -0.30, 0.45, -0.45),  # rejection
    (-0.50, -0.25, 0.30, 0.00),  # loss
    (0.00, -0.30, 0.50, -0.30),  # conflict
    (-0.30, -0.05, 0.05, -0.05),  # boredom
)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidConfiguration(name, f"must be in [{low:g}, {high:g}], got {value:g}")


@dataclass(frozen=True, slots=True)
class Mood:
    """A slow second variable per chemical, in log-odds: z' = (kappa (x - b) - z) / tau."""

    kappa: Vector4 = (1.2, 1.2, 1.2, 1.2)
    """Log-odds per unit of deviation, in [-4, 4]."""
    tau_minutes: float = 360.0
    """Simulated minutes, in [1, 1e6]."""

    def __post_init__(self) -> None:
        for name, value in zip(CHEMICALS, self.kappa, strict=True):
            _within(f"mood.kappa.{name}", value, -4, 4)
        _within("mood.tau_minutes", self.tau_minutes, 1, 1e6)


@dataclass(frozen=True, slots=True)
class Circadian:
    """A daily rhythm of the set point, in log-odds: A cos(2 pi (h - peak) / 24), h in local wall-clock hours."""

    amplitude: Vector4 = (0.0, 0.0, 0.8, 0.0)
    """Log-odds, in [-5, 5]."""
    peak_hour: float = 6.8
    """Hour of the day, in [0, 24). The drive peaks here; cortisol itself follows it by about 1.7 h."""
    utc_offset_hours: float = 0.0
    """Local time minus UTC in hours, in [-12, 14]."""

    def __post_init__(self) -> None:
        for name, value in zip(CHEMICALS, self.amplitude, strict=True):
            _within(f"circadian.amplitude.{name}", value, -5, 5)
        _within("circadian.peak_hour", self.peak_hour, 0, math.nextafter(24, 0))
        _within("circadian.utc_offset_hours", self.utc_offset_hours, -12, 14)


@dataclass(frozen=True, slots=True)
class Habituation:
    """A repeated signal counts less: a_eff = a (1 - eta h), then h <- h + rho a (1 - h); h decays with tau."""

    eta: float = 0.6
    """Largest loss of strength, in [0, 1]."""
    rho: float = 0.35
    """Share of the remaining distance a full-strength occurrence habituates, in [0, 1]."""
    tau_minutes: float = 60.0
    """Recovery time constant in simulated minutes, in [0.1, 1e6]."""

    def __post_init__(self) -> None:
        _within("habituation.eta", self.eta, 0, 1)
        _within("habituation.rho", self.rho, 0, 1)
        _within("habituation.tau_minutes", self.tau_minutes, 0.1, 1e6)


@dataclass(frozen=True, slots=True)
class Dynamics:
    """Parameters of one agent's chemistry. Raises InvalidConfiguration or UnstableConfiguration when made.

    The stability condition max_i (sum_j |W_ij| + |kappa_i|) < 4 and sum_j beta_ij <= 1/2 makes the baseline the only
    equilibrium and the flow a contraction: two engines fed the same log converge.
    """

    baseline: Vector4 = BASELINE
    """Levels at rest, each in [1e-6, 1 - 1e-6]."""
    half_life_minutes: Vector4 = HALF_LIFE
    """Simulated minutes, each in [0.1, 1e5]."""
    coupling: Matrix4 = COUPLING
    """W_ij, log-odds on chemical i per unit of deviation of chemical j."""
    buffering: Matrix4 = BUFFERING
    """beta_ij >= 0: how much a level of chemical j weakens pushes on chemical i."""
    gains: tuple[Vector4, ...] = GAINS
    """G_si, effect of signal s on chemical i per unit intensity, each in [-10, 10]; shape 12 x 4."""
    tau_u_minutes: float = 1.0
    """Time unit of sustained signals in simulated minutes, in [0.01, 1e4]."""
    mood: Mood | None = None
    circadian: Circadian | None = None
    habituation: Habituation | None = None
    time_scale: float = 10.0
    """Simulated minutes per wall minute, in [0, 1e4]."""
    kappa: Vector4 = field(init=False, repr=False, compare=False)
    """Mood coupling, zero without mood."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kappa", self.mood.kappa if self.mood else ZERO4)
        for name, level, half_life in zip(CHEMICALS, self.baseline, self.half_life_minutes, strict=True):
            _within(f"baseline.{name}", level, LEAST_BASELINE, 1 - LEAST_BASELINE)
            _within(f"half_life_minutes.{name}", half_life, 0.1, 1e5)
        for signal, gain in zip(SIGNALS, self.gains, strict=True):
            for name, value in zip(CHEMICALS, gain, strict=True):
                _within(f"gains.{signal}.{name}", value, -10, 10)
        _within("tau_u_minutes", self.tau_u_minutes, 0.01, 1e4)
        _within("time_scale", self.time_scale, 0, 1e4)
        self._check_stability()

    def _check_stability(self) -> None:
        for name, weights, kappa in zip(CHEMICALS, self.coupling, self.kappa, strict=True):
            strength = sum(map(abs, weights)) + abs(kappa)
            if not strength < 4:
                raise UnstableConfiguration(
                    f"coupling.{name}",
                    f"sum of |coupling| plus |mood.kappa| must be below 4 for a single stable baseline, got {strength:g}",
                )
        for name, row in zip(CHEMICALS, self.buffering, strict=True):
            if not (all(beta >= 0 for beta in row) and sum(row) <= 0.5):
                raise UnstableConfiguration(
                    f"buffering.{name}", f"entries must be >= 0 and sum to at most 0.5, got {list(row)}"
                )

    def contraction_rate(self) -> float:
        """Rate lambda per simulated minute at which the difference of two solutions under one input decays.

        Without mood, lambda = min_i k_i (1 - sum_j |W_ij| / 4) in the max norm, since 0 < s' <= 1/4. With mood the norm is
        max(|dx_i|, |dz_i| / c_i) with c_i halfway between |kappa_i| and the 4 - sum_j |W_ij| that the stability condition
        keeps above it.
        """
        decay = [math.log(2) / half_life for half_life in self.half_life_minutes]
        strengths = [sum(map(abs, row)) for row in self.coupling]
        if self.mood is None:
            return min(k * (1 - s / 4) for k, s in zip(decay, strengths, strict=True))
        weights = [(abs(q) + 4 - s) / 2 for s, q in zip(strengths, self.kappa, strict=True)]
        levels = (k * (1 - (s + c) / 4) for k, s, c in zip(decay, strengths, weights, strict=True))
        moods = ((1 - abs(q) / c) / self.mood.tau_minutes for q, c in zip(self.kappa, weights, strict=True))
        return min(*levels, *moods)
