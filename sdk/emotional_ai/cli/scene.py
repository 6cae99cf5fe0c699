"""What `watch` shows at a terminal, as lines of text for a given width and height.

ada   anxiety 0.62                                  Ctrl-C ends
four lanes, a chemical each: its curve, its baseline, its level now
what happened, under the curves, and the time
valence, arousal, temperature, top_p; the blend
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from emotional_ai import names
from emotional_ai.cli import figures
from emotional_ai.cli.colours import COLOURS, MARKS
from emotional_ai.cli.curves import Curve, Look, Window, lane
from emotional_ai.cli.figures import LEAST_WEIGHT
from emotional_ai.cli.recent import Recent, seconds
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1.engine_pb2 import EmotionalState
from emotional_ai.v1.inference_pb2 import Expression

NARROW: Final = 64
"""Columns below which names are cut and the blend is told in words."""
LOW: Final = 18
"""Lines below which the voice is told on one line."""
VOICE_LINES: Final = 5
TALLEST: Final = 10
"""Lines a lane has at most."""
GAUGE: Final = 13
ENDS: Final = "Ctrl-C ends"
ARROW: Final = "↑"


@dataclass(frozen=True, slots=True)
class Room:
    """How a terminal is divided."""

    width: int
    height: int

    @property
    def narrow(self) -> bool:
        """True where names are cut."""
        return self.width < NARROW

    @property
    def low(self) -> bool:
        """True where the voice has one line."""
        return self.height < LOW

    @property
    def names(self) -> int:
        """Columns of what stands before a curve."""
        return 10 if self.narrow else 18

    @property
    def curve(self) -> int:
        """Columns of a curve."""
        return max(self.width - self.names - 3, 2)

    @property
    def rows(self) -> int:
        """Lines of a lane."""
        taken = 3 + (1 if self.low else VOICE_LINES)
        return min(max((self.height - taken) // len(CHEMICALS), 1), TALLEST)


def scene(recent: Recent, span: float, room: Room, away: str = "") -> list[Text]:
    """The lines, none wider than the room; `span` is in wall seconds, `away` says that nothing new comes, and why."""
    window = Window(seconds(recent.now.time), span, room.curve)
    happened = _happened(recent, window)
    lines = [_title(recent, room, away)]
    for name in CHEMICALS:
        lines += _lane(recent, name, window, room, happened)
    lines += [_events(happened, room), _times(recent.now, window, room)]
    lines += [_voice_in_words(recent)] if room.low else _voice(recent, room)
    for line in lines:
        line.truncate(room.width)
    return lines


def _title(recent: Recent, room: Room, away: str) -> Text:
    now = recent.now
    likely = {one.label: one.probability for one in recent.expression.label_probabilities}
    sure = f"{' ' if room.narrow else ', confidence '}{likely.get(now.label, 0.0):.2f}"
    text = Text(no_wrap=True).append(f"{now.session_id}   {names.label(now.label)}{sure}", style="bold")
    told = away or ENDS
    left = room.width - len(text) - 3
    if left < len(told) and away:
        return Text(away, style="bold reverse", no_wrap=True)
    return text.append(" " * 3).append(told.rjust(left) if left >= len(told) else "", style=_told_style(away))


def _told_style(away: str) -> str:
    return "bold reverse" if away else "dim"


def _lane(recent: Recent, name: str, window: Window, room: Room, happened: Sequence[tuple[int, str]]) -> list[Text]:
    curve = Curve([seconds(one.time) for one in recent.states], [getattr(one.chemistry, name) for one in recent.states])
    level, rest = curve.levels[-1], getattr(recent.baseline, name)
    look = Look(MARKS[name], COLOURS[name])
    heads = _heads(name, level, rest, room)
    drawn = lane(curve, rest, window, room.rows, {column for column, _ in happened}, look)
    lines = []
    for row, line in enumerate(drawn):
        bound = "1" if row == 0 and room.rows > 1 else "0" if row == room.rows - 1 and room.rows > 1 else " "
        head = Text(no_wrap=True)
        head.append(heads[row] if row < len(heads) else "", style=f"bold {look.colour}" if row == 0 else "")
        head.pad_right(room.names - len(head))
        lines.append(head.append(f"{bound}│", style="dim").append_text(line))
    return lines


def _heads(name: str, level: float, rest: float, room: Room) -> tuple[str, str]:
    if room.narrow:
        return f"{MARKS[name]} {name[:2]} {level:.2f}", f"{level - rest:+9.2f}"
    return f"{MARKS[name]} {name:<10} {level:.2f}", f"  from rest {level - rest:+.2f}"


def _happened(recent: Recent, window: Window) -> list[tuple[int, str]]:
    """What happened within the window, by column, oldest first."""
    return [
        (column, name)
        for entry in recent.entries
        if (name := figures.happening(entry)) and (column := window.column(seconds(entry.time))) is not None
    ]


def _events(happened: Sequence[tuple[int, str]], room: Room) -> Text:
    """An arrow beneath each moment something happened; names where there is room, the newest first."""
    cells = [" "] * room.curve
    for column, _ in happened:
        cells[column] = ARROW
    for column, name in reversed(happened):
        for at in (column + 1, column - len(name)):
            around = cells[max(at - 1, 0) : at + len(name) + 1]
            if 0 <= at <= room.curve - len(name) and around.count(" ") >= len(around) - 1:
                cells[at : at + len(name)] = name
                break
    return Text(" " * (room.names + 2) + "".join(cells), no_wrap=True)


def _times(now: EmotionalState, window: Window, room: Room) -> Text:
    since = f"-{window.seconds:.3g} s" if window.seconds < 60 else f"-{window.seconds / 60:.4g} min"
    until = f"{now.time.ToDatetime():%H:%M:%S} UTC" if room.curve > 24 else "now"
    return Text(" " * (room.names + 2) + since + until.rjust(room.curve - len(since)), style="dim", no_wrap=True)


def _voice(recent: Recent, room: Room) -> list[Text]:
    """Five lines: four numbers at the left, the blend at the right; or below, in words, where it is narrow."""
    now, spoken = recent.now, recent.expression
    left = [
        f"valence     {now.valence:+.2f} {gauge(now.valence)}",
        f"arousal     {now.arousal:+.2f} {gauge(now.arousal)}",
        f"temperature  {spoken.temperature:.2f}",
        f"top_p        {spoken.top_p:.2f}",
    ]
    if room.narrow:
        return [Text(line, no_wrap=True) for line in (*left, f"blend {figures.weights(spoken.blend)}")]
    right = list(blend(spoken, room.width - 36))[:VOICE_LINES]
    return [Text(f"{_nth(left, row):<34}  {_nth(right, row)}".rstrip(), no_wrap=True) for row in range(VOICE_LINES)]


def _voice_in_words(recent: Recent) -> Text:
    now, spoken = recent.now, recent.expression
    return Text(
        f"valence {now.valence:+.2f}  arousal {now.arousal:+.2f}  temperature {spoken.temperature:.2f}  "
        f"top_p {spoken.top_p:.2f}  {figures.weights(spoken.blend)}",
        no_wrap=True,
    )


def gauge(value: float) -> str:
    """A number in [-1, 1] as a place on a line, the middle marked."""
    middle = GAUGE // 2
    place = middle + round(min(max(value, -1.0), 1.0) * middle)
    return "".join("●" if cell == place else "┼" if cell == middle else "┄" for cell in range(GAUGE))


def blend(spoken: Expression, width: int) -> Iterable[str]:
    """A bar for each adapter that is asked for."""
    asked = [one for one in spoken.blend if abs(one.weight) >= LEAST_WEIGHT]
    longest = max((len(one.adapter) for one in asked), default=0)
    cells = max(min(width - longest - 6, 24), 1)
    for one in asked:
        full = round(min(max(one.weight, 0.0), 1.0) * cells)
        yield f"{one.adapter:<{longest}} {'█' * full + '░' * (cells - full)} {one.weight:.2f}"


def _nth(lines: Sequence[str], row: int) -> str:
    return lines[row] if row < len(lines) else ""
