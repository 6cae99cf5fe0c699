"""What a preparation kept, dropped and missed, and the table that shows it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rich.table import Table

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset.drafting import Cell
from emotional_ai_training.dataset.rows import News, Source, Split


@dataclass(frozen=True, slots=True)
class PreparationReport:
    """Counts of one preparation.

    kept and missing are rows by cell (missing: asked for, but not found); borrowed is how many of the kept of a state
    come from another source than the grammar; dropped is by state and reason; replay is the replay rows; remarks are
    sentences about what was left out altogether.
    """

    kept: Mapping[Cell, int]
    missing: Mapping[Cell, int]
    borrowed: Mapping[tuple[str, Source], int]
    dropped: Mapping[tuple[str, str], int]
    replay: int
    remarks: tuple[str, ...]

    def kept_of(self, state: str, split: Split | None = None, news: News | None = None) -> int:
        """Rows kept of one state, of one part or of all, for one kind of news or for all."""
        return sum(
            count
            for cell, count in self.kept.items()
            if cell.state == state and split in (None, cell.split) and news in (None, cell.news)
        )

    def dropped_of(self, state: str) -> dict[str, int]:
        """Drafts dropped of one state, by reason, most frequent first."""
        return dict(Counter({why: n for (of, why), n in self.dropped.items() if of == state}).most_common())


def report_table(report: PreparationReport) -> Table:
    """Lays the counts out for a terminal: one row a state."""
    table = Table(title="training data", caption="\n".join(report.remarks) or None)
    table.add_column("state")
    for name in (*Split, *News, "borrowed", "missing"):
        table.add_column(name, justify="right")
    table.add_column("dropped, and why")
    for state in ADAPTERS:
        if not any(cell.state == state for cell in report.kept):
            continue
        counts = [report.kept_of(state, split) for split in Split] + [report.kept_of(state, news=n) for n in News]
        counts.append(sum(n for (of, _), n in report.borrowed.items() if of == state))
        counts.append(sum(n for cell, n in report.missing.items() if cell.state == state))
        why = "\n".join(f"{count} {reason}" for reason, count in report.dropped_of(state).items())
        table.add_row(state, *map(str, counts), why)
    table.add_row("replay", str(report.replay), *[""] * 6, "", "")
    return table
