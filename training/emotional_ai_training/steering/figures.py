"""The figures of a report."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from emotional_ai_training.conditioning import ADAPTERS, BASELINE
from emotional_ai_training.dataset.rows import CHEMICALS
from emotional_ai_training.steering.analysis import Findings
from emotional_ai_training.steering.protocol import CONTROLS, Protocol

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS: Final = ("#D55E00", "#009E73", "#0072B2", "#CC79A7", "#555555")
"""Of the chemicals, and of what is balanced; told apart by the colour-blind (Okabe and Ito 2008)."""


def draw(findings: Findings, protocol: Protocol, folder: Path) -> list[Path]:
    """Writes the figures as PNG and returns their paths."""
    import matplotlib as mpl

    mpl.use("agg")
    drawn: dict[str, Callable[[Findings, Protocol], Figure]] = {
        "steering.png": _sweeps,
        "controls.png": _controls,
        "matrices.png": _matrices,
        "dialogues.png": _dialogues,
    }
    from matplotlib import pyplot as plt

    paths = []
    for name, drawing in drawn.items():
        figure = drawing(findings, protocol)
        figure.savefig(folder / name, dpi=120)
        plt.close(figure)
        paths.append(folder / name)
    return paths


def _sweeps(findings: Findings, protocol: Protocol) -> "Figure":
    figure, panels = _panels(len(CHEMICALS), 3.1, 2.9)
    for i, (panel, one) in enumerate(zip(panels, findings.chemicals, strict=True)):
        panel.axvline(BASELINE[i], color="#bbbbbb", linewidth=1, linestyle=":")
        panel.plot(protocol.levels, one.means, marker="o", color=COLOURS[i])
        panel.set_title(f"{one.chemical}: Spearman {one.trend.value:.2f}", fontsize=10)
        panel.set_xlabel("level; dotted: rest", fontsize=8)
        panel.set_ylim(0, 1)
    panels[0].set_ylabel("judged attribute, probability", fontsize=8)
    return figure


def _controls(findings: Findings, _: Protocol) -> "Figure":
    figure, panels = _panels(len(CHEMICALS), 3.1, 2.9)
    for i, (panel, name) in enumerate(zip(panels, CHEMICALS, strict=True)):
        rows = [row for row in findings.controls if row.chemical == name]
        values = [rows[0].effect.value + rows[0].ahead.value, *(row.effect.value for row in rows)]
        low = [0.0, *(row.effect.value - row.effect.low for row in rows)]
        high = [0.0, *(row.effect.high - row.effect.value for row in rows)]
        colours = [COLOURS[i], *("#bbbbbb" for _ in rows)]
        panel.barh(range(len(values)), values, xerr=[low, high], color=colours, ecolor="#555555")
        panel.set_yticks(range(len(values)), ["system", *CONTROLS] if i == 0 else ["" for _ in values], fontsize=8)
        panel.invert_yaxis()
        panel.axvline(0, color="#555555", linewidth=0.8)
        panel.set_title(name, fontsize=10)
        panel.set_xlabel("change of the judged attribute", fontsize=8)
    return figure


def _matrices(findings: Findings, _: Protocol) -> "Figure":
    figure, panels = _panels(2, 4.6, 3.8)
    _matrix(
        panels[0],
        np.array(findings.leakage.effects),
        CHEMICALS,
        CHEMICALS,
        "effect of a chemical on an attribute, in sd",
    )
    _matrix(panels[1], np.array(findings.agreement.confusion), ADAPTERS, ADAPTERS, "state intended and judged, share")
    return figure


def _matrix(panel: "Axes", values: "np.ndarray", rows: tuple[str, ...], columns: tuple[str, ...], title: str) -> None:
    most = float(np.abs(values).max()) or 1.0
    panel.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most)
    for (i, j), value in np.ndenumerate(values):
        panel.text(
            j,
            i,
            f"{value:.2f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if abs(value) > 0.7 * most else "black",
        )
    panel.set_xticks(range(len(columns)), [_short(name) for name in columns], fontsize=8)
    panel.set_yticks(range(len(rows)), [_short(name) for name in rows], fontsize=8)
    panel.set_title(title, fontsize=10)


def _dialogues(findings: Findings, _: Protocol) -> "Figure":
    names = list(dict.fromkeys(turn.dialogue for turn in findings.turns))
    figure, panels = _panels(len(names), 3.1, 2.9)
    for panel, name in zip(panels, names, strict=True):
        turns = [turn for turn in findings.turns if turn.dialogue == name]
        chemical = turns[0].chemical
        i = CHEMICALS.index(chemical)
        panel.plot(np.cumsum([0.0, *(turn.moved for turn in turns)]), color=COLOURS[i], linestyle="--", label=chemical)
        panel.plot(
            np.cumsum([0.0, *(turn.change.value for turn in turns)]), color=COLOURS[i], marker="o", label="judged"
        )
        panel.axhline(0, color="#bbbbbb", linewidth=0.8)
        panel.set_xticks(range(len(turns) + 1), ["rest", *(turn.scene for turn in turns)], fontsize=8)
        panel.set_title(name, fontsize=10)
        panel.legend(fontsize=8, frameon=False)
    panels[0].set_ylabel("change against rest", fontsize=8)
    return figure


def _panels(count: int, width: float, height: float) -> "tuple[Figure, list[Axes]]":
    from matplotlib import pyplot as plt

    figure, grid = plt.subplots(1, count, figsize=(width * count, height), squeeze=False, layout="constrained")
    for panel in grid.flat:
        panel.tick_params(labelsize=8)
    return figure, list(grid.flat)


def _short(name: str) -> str:
    return name.removeprefix("high_")
