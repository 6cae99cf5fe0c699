"""The result of the blending benchmark as a picture: tokens per second of everyone, by how many speak together."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from apparatus.outcome import Row

GROUPS: Final = (
    (
        "16 sessions, 16 blends",
        (
            ("ours, together", "ours own 16"),
            ("vLLM, one adapter for all", "vllm shared 16"),
            ("openvino-genai, one by one", "genai own 16"),
            ("PEFT set_scale, one by one", "transformers own scales 16"),
            ("PEFT cat, one by one", "transformers own cat 16"),
        ),
    ),
    (
        "16 sessions, one blend for all",
        (
            ("ours", "ours shared 16"),
            ("openvino-genai", "genai shared 16"),
            ("ours, int8, own blends", "ours-int8 own 16"),
            ("openvino-genai, int8", "genai-int8 shared 16"),
            ("openvino-genai, int4", "genai-int4 shared 16"),
        ),
    ),
    (
        "one session",
        (
            ("ours, blended", "ours own 1"),
            ("ours, blended, int8", "ours-int8 own 1"),
            ("openvino-genai, blended", "genai shared 1"),
            ("transformers, base", "transformers base 1"),
            ("openvino-genai, int4, base", "genai-int4 base 1"),
            ("llama.cpp, Q4_1, base", "llama-cpp base 1"),
        ),
    ),
)
"""Titles, and what stands under each: a label and its scene."""
OURS, THEIRS = "#c2410c", "#64748b"


def draw(rows: Sequence[Row], about: str, into: Path) -> None:
    """Bars of the medians with their quartiles, those scenes of GROUPS that were measured."""
    found = {str(row["scene"]): row for row in rows}
    figure, panels = plt.subplots(1, len(GROUPS), figsize=(15, 3.6), layout="constrained")
    for axes, (title, bars) in zip(panels, GROUPS, strict=True):
        _panel(axes, title, [(label, found[scene]) for label, scene in bars if scene in found])
    figure.suptitle(f"tokens per second, end to end, five adapters ({about})", fontsize=10)
    figure.savefig(into, dpi=140)
    plt.close(figure)


def _panel(axes: Axes, title: str, bars: Iterable[tuple[str, Row]]) -> None:
    shown = list(bars)[::-1]
    labels = [label for label, _ in shown]
    medians = [float(row["median"]) for _, row in shown]
    errors = [
        [float(row["median"]) - float(row["low"]) for _, row in shown],
        [float(row["high"]) - float(row["median"]) for _, row in shown],
    ]
    colours = [OURS if label.startswith("ours") else THEIRS for label in labels]
    drawn = axes.barh(labels, medians, xerr=errors, color=colours, ecolor="#1e293b")
    axes.bar_label(drawn, [f"{value:.3g}" for value in medians], padding=6, fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.margins(x=0.2)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
