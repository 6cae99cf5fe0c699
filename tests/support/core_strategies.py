"""Random but valid parameters, states and inputs of the emotional dynamics, for property tests."""

from random import Random

from hypothesis import strategies as st

from emotional_ai_service.core.configuration import GAINS, Circadian, Dynamics, Habituation, Mood
from emotional_ai_service.core.names import CHEMICALS, NO_SIGNALS, SIGNALS, ZERO4, Matrix4, SignalVector, Vector4
from emotional_ai_service.core.personality import BigFive, baseline_of


def number(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False, allow_subnormal=False)


def vector(low: float, high: float) -> st.SearchStrategy[Vector4]:
    each = number(low, high)
    return st.tuples(each, each, each, each)


levels = vector(0.0, 1.0)
"""Levels, the corners of the cube included."""
baselines = vector(0.05, 0.95)
big_fives = st.builds(BigFive, *[number(0.0, 1.0)] * 5)
moods = st.builds(Mood, vector(-1.0, 1.0), number(30.0, 400.0))
circadians = st.builds(Circadian, vector(-2.0, 2.0), number(0.0, 23.9), number(-12.0, 14.0))
habituations = st.builds(Habituation, number(0.0, 1.0), number(0.0, 1.0), number(1.0, 600.0))


def signals(most: float = 1.0) -> st.SearchStrategy[SignalVector]:
    """Twelve intensities up to `most`, few of them above zero."""
    present = st.dictionaries(st.integers(0, len(SIGNALS) - 1), number(0.0, most), min_size=1, max_size=4)
    return present.map(lambda chosen: tuple(chosen.get(index, 0.0) for index in range(len(SIGNALS))))


def maybe_signals(most: float = 1.0) -> st.SearchStrategy[SignalVector]:
    return st.just(NO_SIGNALS) | signals(most)


@st.composite
def dynamics(
    draw: st.DrawFn, *, strength: float = 3.9, mood: bool | None = None, circadian: bool | None = None
) -> Dynamics:
    """Parameters that satisfy the stability condition; each row's |coupling| and |kappa| sum to at most `strength`.

    `mood` and `circadian` are drawn where None. Half-lives lie in [5, 300] simulated minutes. The matrices come from a drawn
    seed, number by number they would make an example slow to draw.
    """
    slow = draw(moods) if _choose(draw, mood) else None
    random = Random(draw(st.integers(0, 2**16)))
    share = draw(number(0.0, 1.0))
    coupling = [_row(random, -1.0, share * (strength - abs(q))) for q in (slow.kappa if slow else ZERO4)]
    buffering = [_row(random, 0.0, share * 0.49) for _ in CHEMICALS]
    return Dynamics(
        baseline=draw(baselines | big_fives.map(baseline_of)),
        half_life_minutes=draw(vector(5.0, 300.0)),
        coupling=_matrix(coupling),
        buffering=_matrix(buffering),
        gains=draw(st.just(GAINS) | st.just(tuple(_row(random, -1.0, 2.0) for _ in SIGNALS))),
        tau_u_minutes=draw(st.sampled_from((0.5, 1.0, 5.0))),
        mood=slow,
        circadian=draw(circadians) if _choose(draw, circadian) else None,
        habituation=draw(st.none() | habituations),
        time_scale=draw(st.sampled_from((1.0, 10.0, 60.0))),
    )


def _choose(draw: st.DrawFn, wanted: bool | None) -> bool:
    return draw(st.booleans()) if wanted is None else wanted


def _row(random: Random, low: float, total: float) -> Vector4:
    """Four numbers of sign as `low` allows, their absolute values summing to `total`."""
    raw = [random.uniform(low, 1.0) for _ in CHEMICALS]
    a, b, c, d = (value * total / sum(map(abs, raw)) for value in raw)
    return a, b, c, d


def _matrix(rows: list[Vector4]) -> Matrix4:
    a, b, c, d = rows
    return a, b, c, d


def distance(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Max-norm distance."""
    return max(abs(x - y) for x, y in zip(a, b, strict=True))
