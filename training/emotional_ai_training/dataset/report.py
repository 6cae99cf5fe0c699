"""What a preparation kept, dropped and missed, and the tables that show it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table

from emotional_ai_training.dataset.drafting import Cell
from emotional_ai_training.dataset.rows import REPLAY, STATE_LABELS, News, Source, Split


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


def report_table(report: PreparationReport) -> Group:
    """Lays the counts out for a terminal: rows by state, what was dropped and why, and what was left out."""
    remarks = [f"{state}: {n} rows from {source}" for (state, source), n in sorted(report.borrowed.items())]
    return Group(_kept_table(report), _dropped_table(report), *remarks, *report.remarks)


def _kept_table(report: PreparationReport) -> Table:
    table = Table(title="rows kept, and not found", box=SIMPLE, pad_edge=False)
    table.add_column("state", no_wrap=True)
    for name in (*Split, *News, "not found"):
        table.add_column(name, justify="right")
    for state in _states(report):
        counts = [report.kept_of(state, split) for split in Split] + [report.kept_of(state, news=n) for n in News]
        counts.append(sum(n for cell, n in report.missing.items() if cell.state == state))
        table.add_row(state, *map(str, counts))
    table.add_row(REPLAY, str(report.replay))
    return table


def _dropped_table(report: PreparationReport) -> Table:
    table = Table(title="drafts dropped", box=SIMPLE, pad_edge=False)
    table.add_column("state", no_wrap=True)
    table.add_column("drafts", justify="right")
    table.add_column("why", no_wrap=True)
    for state in (*_states(report), REPLAY):
        for reason, count in report.dropped_of(state).items():
            table.add_row(state, str(count), reason)
    return table


def _states(report: PreparationReport) -> list[str]:
    return [state for state in STATE_LABELS if any(cell.state == state for cell in report.kept)]
