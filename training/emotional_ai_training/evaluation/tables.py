"""Reports laid out for a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from emotional_ai_training.evaluation.before_after import StateReport
from emotional_ai_training.evaluation.diversity import Diversity
from emotional_ai_training.evaluation.scale import Strength


def before_after_table(reports: Sequence[StateReport]) -> Table:
    """The before/after table, one row a state; `by emb.` is the AUC by the judge's embedding half alone."""
    table = _by_state(
        "before and after, on held-out prompts", ("judged", "AUC", "by emb.", "perpl.", "distinct-2", "broken")
    )
    for report in reports:
        table.add_row(
            report.state,
            f"{report.judged_before:.2f} → {report.judged_after:.2f}",
            f"{report.auc:.2f}",
            f"{report.auc_by_embedding:.2f}",
            f"×{report.perplexity_ratio:.2f}",
            f"{report.distinct_before:.2f} → {report.distinct_after:.2f}",
            f"{report.broken_before:.0%} → {report.broken_after:.0%}",
        )
    return table


def strength_table(strengths: Sequence[Strength]) -> Table:
    """How strong the adapters are made, and what they measure so; `read in` is the share of replies the scale was chosen by."""
    table = _by_state(
        "as strong as they are published", ("scale", "read in", "judged", "AUC", "perpl.", "distinct-2", "broken")
    )
    for one in strengths:
        table.add_row(
            one.state,
            f"{one.scale:.2f}",
            f"{one.recognised:.0%}",
            f"{one.judged:.2f}",
            f"{one.auc:.2f}",
            f"×{one.perplexity_ratio:.2f}",
            f"{one.distinct:.2f}",
            f"{one.broken:.0%}",
        )
    return table


def curiosity_table(before: Diversity, after: Diversity) -> Table:
    """What curiosity changed, at one temperature."""
    table = Table(title="curiosity, at a fixed temperature", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("high_dopamine")
    for heading in ("distinct-2", "distance", "judged", "broken"):
        table.add_column(heading, justify="right")
    for name, found in (("before", before), ("after", after)):
        row = f"{found.distinct:.3f}", f"{found.distance:.3f}", f"{found.judged:.2f}", f"{found.broken:.0%}"
        table.add_row(name, *row)
    return table


def _by_state(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("state", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
