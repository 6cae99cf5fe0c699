"""Training curves as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from emotional_ai_training.recipes.run_directory import Metrics

COLUMNS: Final = 4
_SHOWN = ("loss", "held_out_loss", "reward", "task", "curiosity", "divergence")
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def draw_curves(runs: Mapping[str, Sequence[Metrics]], file: Path) -> None:
    """Writes a PNG with one panel a run, its metrics over its steps."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    columns = min(len(runs), COLUMNS)
    rows = -(-len(runs) // columns)
    size = (3.2 * columns, 2.6 * rows)
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    panels = list(grid.flat)
    for panel in panels[len(runs) :]:
        panel.set_axis_off()
    for panel, (name, history) in zip(panels, runs.items(), strict=False):
        for metric, colour in zip(_SHOWN, _COLOURS, strict=True):
            points = [(row["step"] + 1, row[metric]) for row in history if metric in row]
            if points:
                panel.plot(
                    *zip(*points, strict=True),
                    color=colour,
                    label=metric,
                    linewidth=1.4,
                    marker="." if len(points) < 20 else "",
                )
        panel.set_title(name, fontsize=10)
        panel.set_xlabel("step", fontsize=8)
        panel.tick_params(labelsize=8)
        panel.legend(fontsize=7, frameon=False)
    panels[0].set_ylabel("nats per token; rewards", fontsize=8)
    figure.savefig(file, dpi=130)
    plt.close(figure)
