"""Numerical integration of x' = f(t, x) in plain Python floats.

Explicit Runge-Kutta methods of order 2, 4 and 8: the first two for spans short against every rate, the Dormand-Prince
8(5,3) pair with step control for longer ones. Coefficients and error norm of the pair: Hairer, Norsett, Wanner, Solving
Ordinary Differential Equations I, 2nd ed., section II.10.
"""

import math
from collections.abc import Callable
from typing import Final

State = tuple[float, ...]
Field = Callable[[float, State], State]

TOLERANCE: Final = 1e-12
"""Absolute and relative error the step control allows per step."""

NODES: Final = (
    0.05260015195876773,
    0.0789002279381516,
    0.1183503419072274,
    0.2816496580927726,
    1 / 3,
    0.25,
    0.3076923076923077,
    0.6512820512820513,
    0.6,
    0.8571428571428571,
    1.0,
)
ROWS: Final = (
    (0.05260015195876773,),
    (0.0197250569845379, 0.0591751709536137),
    (0.02958758547680685, 0.0, 0.08876275643042054),
    (0.2413651341592667, 0.0, -0.8845494793282861, 0.924834003261792),
    (0.037037037037037035, 0.0, 0.0, 0.17082860872947386, 0.12546768756682242),
    (0.037109375, 0.0, 0.0, 0.17025221101954405, 0.06021653898045596, -0.017578125),
    (
        0.03709200011850479,
        0.0,
        0.0,
        0.17038392571223998,
        0.10726203044637328,
        -0.015319437748624402,
        0.008273789163814023,
    ),
    (
        0.6241109587160757,
        0.0,
        0.0,
        -3.3608926294469414,
        -0.868219346841726,
        27.59209969944671,
        20.154067550477894,
        -43.48988418106996,
    ),
    (
        0.47766253643826434,
        0.0,
        0.0,
        -2.4881146199716677,
        -0.590290826836843,
        21.230051448181193,
        15.279233632882423,
        -33.28821096898486,
        -0.020331201708508627,
    ),
    (
        -0.9371424300859873,
        0.0,
        0.0,
        5.186372428844064,
        1.0914373489967295,
        -8.149787010746927,
        -18.52006565999696,
        22.739487099350505,
        2.4936055526796523,
        -3.0467644718982196,
    ),
    (
        2.273310147516538,
        0.0,
        0.0,
        -10.53449546673725,
        -2.0008720582248625,
        -17.9589318631188,
        27.94888452941996,
        -2.8589982771350235,
        -8.87285693353063,
        12.360567175794303,
        0.6433927460157636,
    ),
)
WEIGHTS: Final = (
    0.054293734116568765,
    0.0,
    0.0,
    0.0,
    0.0,
    4.450312892752409,
    1.8915178993145003,
    -5.801203960010585,
    0.3111643669578199,
    -0.1521609496625161,
    0.20136540080403034,
    0.04471061572777259,
)
"""The pair's tableau: times of the stages after the first, what each takes of the slopes before it, and the step's end."""
_ERROR5: Final = (
    0.01312004499419488,
    0.0,
    0.0,
    0.0,
    0.0,
    -1.2251564463762044,
    -0.4957589496572502,
    1.6643771824549864,
    -0.35032884874997366,
    0.3341791187130175,
    0.08192320648511571,
    -0.022355307863886294,
)
_ERROR3: Final = (
    -0.18980075407240762,
    0.0,
    0.0,
    0.0,
    0.0,
    4.450312892752409,
    1.8915178993145003,
    -5.801203960010585,
    -0.4226823213237919,
    -0.1521609496625161,
    0.20136540080403034,
    0.02265179219836082,
)


_SPARSE: Final = tuple(tuple((j, a) for j, a in enumerate(row) if a) for row in (*ROWS, WEIGHTS, _ERROR5, _ERROR3))
*_STAGES, _END, _FIFTH, _THIRD = _SPARSE


def _combine(row: tuple[tuple[int, float], ...], slopes: list[State]) -> list[float]:
    """Sum of the weighted slopes, component by component; written out for four components, the common case."""
    if len(slopes[0]) == 4:
        s0 = s1 = s2 = s3 = 0.0
        for j, a in row:
            k0, k1, k2, k3 = slopes[j]
            s0 += a * k0
            s1 += a * k1
            s2 += a * k2
            s3 += a * k3
        return [s0, s1, s2, s3]
    total = [0.0] * len(slopes[0])
    for j, a in row:
        total = [s + a * k for s, k in zip(total, slopes[j], strict=True)]
    return total


def dormand_prince_step(field: Field, t: float, x: State, h: float) -> tuple[State, float]:
    """One 8(5,3) step from (t, x) over h.

    Returns the state at t + h and the error estimate relative to TOLERANCE: <= 1 where the step is accurate enough.
    """
    slopes = [field(t, x)]
    for node, row in zip(NODES, _STAGES, strict=True):
        y = tuple([a + h * s for a, s in zip(x, _combine(row, slopes), strict=True)])
        slopes.append(field(t + node * h, y))
    end = tuple([a + h * s for a, s in zip(x, _combine(_END, slopes), strict=True)])
    scales = [TOLERANCE * (1 + max(abs(a), abs(b))) for a, b in zip(x, end, strict=True)]
    fifth = sum([(e / scale) ** 2 for e, scale in zip(_combine(_FIFTH, slopes), scales, strict=True)])
    third = sum([(e / scale) ** 2 for e, scale in zip(_combine(_THIRD, slopes), scales, strict=True)])
    if fifth == 0:
        return end, 0.0
    return end, h * fifth / math.sqrt(len(x) * (fifth + 0.01 * third))


def runge_kutta_step(field: Field, t: float, x: State, h: float) -> State:
    """One classical fourth-order step from (t, x) over h; local error O(h^5)."""
    half, sixth = 0.5 * h, h / 6
    k1 = field(t, x)
    k2 = field(t + half, tuple([a + half * b for a, b in zip(x, k1, strict=True)]))
    k3 = field(t + half, tuple([a + half * b for a, b in zip(x, k2, strict=True)]))
    k4 = field(t + h, tuple([a + h * b for a, b in zip(x, k3, strict=True)]))
    return tuple([a + sixth * (p + 2 * (q + r) + s) for a, p, q, r, s in zip(x, k1, k2, k3, k4, strict=True)])


def midpoint_step(field: Field, t: float, x: State, h: float) -> State:
    """One explicit midpoint step from (t, x) over h; local error O(h^3)."""
    half = 0.5 * h
    if len(x) == 4:
        x0, x1, x2, x3 = x
        k0, k1, k2, k3 = field(t, x)
        k0, k1, k2, k3 = field(t + half, (x0 + half * k0, x1 + half * k1, x2 + half * k2, x3 + half * k3))
        return x0 + h * k0, x1 + h * k1, x2 + h * k2, x3 + h * k3
    y = tuple([a + half * k for a, k in zip(x, field(t, x), strict=True)])
    return tuple([a + h * k for a, k in zip(x, field(t + half, y), strict=True)])
