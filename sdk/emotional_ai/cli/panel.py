"""The panel beside a conversation: four bars, what the state is called, how it speaks and by whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from emotional_ai import names
from emotional_ai.cli import figures
from emotional_ai.cli.colours import COLOURS
from emotional_ai.cli.feed import Glimpse
from emotional_ai.cli.figures import LEAST_WEIGHT
from emotional_ai.v1.engine_pb2 import Chemistry
from emotional_ai.v1.inference_pb2 import AdapterWeight, AppliedExpression, BlendChange

WIDTH: Final = 32
BLEND_WIDTH: Final = 24


@dataclass(frozen=True, slots=True)
class Voice:
    """What a reply is spoken with, as far as it is known."""

    blend: Sequence[AdapterWeight]
    told: str

    @classmethod
    def moved(cls, change: BlendChange, times: int) -> "Voice":
        """The voice of a reply that is being spoken, after so many changes."""
        told = f"moved {times} times" if times > 1 else "moved once"
        return cls(change.blend, f"{told}, last at token {change.token_index}: temperature {change.temperature:.2f}")

    @classmethod
    def of(cls, applied: AppliedExpression) -> "Voice":
        """The voice in which a finished reply ended."""
        blend = applied.changes[-1].blend if applied.changes else applied.blend
        return cls(blend, f"began as {figures.spoken(applied)}")


def panel(seen: Glimpse, baseline: Chemistry, voice: Voice | None) -> RenderableType:
    """The panel for a moment; `voice` is what the reply is spoken with, or the last one was; None until it is known."""
    words = Text(
        f"{names.label(seen.state.label)}   valence {seen.state.valence:+.2f}   arousal {seen.state.arousal:+.2f}\n"
        f"temperature {seen.expression.temperature:.2f}   top_p {seen.expression.top_p:.2f}"
    )
    parts: list[RenderableType] = [bars(seen, baseline), words, weights(seen, voice)]
    if voice is not None:
        parts.append(Text(voice.told))
    if seen.failure:
        parts.append(Text(f"the state no longer moves here: {seen.failure}", style="red"))
    return Panel(Group(*parts), title=seen.state.session_id, title_align="left", width=72)


def bars(seen: Glimpse, baseline: Chemistry) -> Table:
    """One bar per chemical, the baseline marked."""
    table = Table.grid(padding=(0, 2))
    at_rest = names.levels(baseline)
    for name, level in names.levels(seen.state.chemistry).items():
        table.add_row(name, bar(level, at_rest[name], COLOURS[name]), f"{level:.2f}", f"{level - at_rest[name]:+.2f}")
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


def weights(seen: Glimpse, voice: Voice | None) -> Table:
    """A bar for each adapter the state asks for, its weight, and the weight it is spoken with."""
    spoken = {} if voice is None else {one.adapter: one for one in voice.blend}
    asked = {one.adapter: one.weight for one in seen.expression.blend}
    table = Table.grid(padding=(0, 2))
    table.add_row("blend", "", "asked", "" if voice is None else "spoken")
    for name in [*asked, *(name for name in spoken if name not in asked)]:
        wanted, said = asked.get(name, 0.0), spoken.get(name)
        if abs(wanted) < LEAST_WEIGHT and said is None:
            continue
        full = round(min(max(wanted, 0.0), 1.0) * BLEND_WIDTH)
        told = "" if said is None else "layers" if said.layer_weights else f"{said.weight:.2f}"
        table.add_row(name, Text("█" * full + "░" * (BLEND_WIDTH - full), style="magenta"), f"{wanted:.2f}", told)
    return table
