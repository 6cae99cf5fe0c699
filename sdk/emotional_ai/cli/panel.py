"""The panel beside a conversation: four bars, what the state is called, how it speaks."""

from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from emotional_ai.cli import records
from emotional_ai.cli.feed import Glimpse
from emotional_ai.v1.engine_pb2 import Chemistry
from emotional_ai.v1.inference_pb2 import AppliedExpression

STYLES: Final = {"dopamine": "yellow", "serotonin": "blue", "cortisol": "red", "oxytocin": "green"}
WIDTH: Final = 32


def panel(seen: Glimpse, baseline: Chemistry, applied: AppliedExpression | None) -> RenderableType:
    """The panel for a moment; `applied` is what the last reply was spoken with."""
    words = Text(
        f"{records.label(seen.state.label)}   valence {seen.state.valence:+.2f}   arousal {seen.state.arousal:+.2f}\n"
        f"temperature {seen.expression.temperature:.2f}   top_p {seen.expression.top_p:.2f}\n"
        f"{asked(seen)}{spoken(applied)}"
    )
    if seen.failure:
        words.append(f"\nthe state no longer moves here: {seen.failure}", style="red")
    return Panel(Group(bars(seen, baseline), words), title=seen.state.session_id, title_align="left", width=72)


def bars(seen: Glimpse, baseline: Chemistry) -> Table:
    """One bar per chemical, the baseline marked."""
    table = Table.grid(padding=(0, 2))
    at_rest = records.levels(baseline)
    for name, level in records.levels(seen.state.chemistry).items():
        table.add_row(name, bar(level, at_rest[name], STYLES[name]), f"{level:.2f}", f"{level - at_rest[name]:+.2f}")
    return table


def bar(level: float, baseline: float, style: str) -> Text:
    """A level in [0, 1] as a bar, with a mark where it rests."""
    text, mark = Text(), min(int(baseline * WIDTH), WIDTH - 1)
    for cell in range(WIDTH):
        full = cell < round(level * WIDTH)
        if cell == mark:
            text.append("│", style=f"bold on {style}" if full else "bold")
        else:
            text.append("█" if full else "░", style=style if full else "dim")
    return text


def asked(seen: Glimpse) -> str:
    """The blend the state asks for."""
    weights = [f"{one.adapter} {one.weight:.2f}" for one in seen.expression.blend if one.weight >= 0.005]
    return "blend asked for: " + (", ".join(weights) or "none")


def spoken(applied: AppliedExpression | None) -> str:
    """What the last reply was spoken with; nothing before the first."""
    if applied is None:
        return ""
    if not applied.blend:
        return "\nspoken by: base model, no adapters yet"
    return "\nspoken by: " + ", ".join(f"{one.adapter} {one.weight:.2f}" for one in applied.blend)
