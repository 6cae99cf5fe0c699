"""The colours of what moves chemicals: told apart by eyes of every kind, and from the colours of the chemicals."""

import math
from itertools import combinations

import pytest

from emotional_ai.web.page import colours

EYES = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "without red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "without green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "without blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}
"""Linear RGB as it is seen; Machado, Oliveira and Fernandes 2009, severity 1."""
LAB = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
WHITE = (0.95047, 1.0, 1.08883)
APART = 20
"""Difference in CIELAB that nobody overlooks; 2 is just noticeable."""


def seen(colour: str, eyes: str) -> tuple[float, float, float]:
    """A colour in CIELAB."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    felt = _times(EYES[eyes], linear)
    x, y, z = (_root(value / white) for value, white in zip(_times(LAB, felt), WHITE, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _times(matrix: tuple[tuple[float, ...], ...], vector: list[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def _root(value: float) -> float:
    return max(value, 0) ** (1 / 3) if value > 0.008856 else 7.787 * max(value, 0) + 16 / 116


@pytest.mark.parametrize("eyes", EYES)
def test_signals_are_told_apart_with_any_eyes(eyes: str) -> None:
    for one, other in combinations(colours.SIGNALS, 2):
        assert math.dist(seen(one, eyes), seen(other, eyes)) > APART, (one, other)


def test_no_signal_looks_like_a_chemical() -> None:
    chemicals = {*colours.CHEMICALS.values(), *colours.ON_DARK.values()}
    for signal in colours.SIGNALS:
        for chemical in chemicals:
            assert math.dist(seen(signal, "usual"), seen(chemical, "usual")) > APART, (signal, chemical)
