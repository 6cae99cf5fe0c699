"""What `watch` draws, from given states: curves in characters, and the lines of a screen."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai.cli.curves import BLANK, EVENT, REST, Curve, Look, Window, braille, lane
from emotional_ai.cli.figures import happening
from emotional_ai.cli.live import Contact, Patience, silence
from emotional_ai.cli.recent import GAP_SECONDS, MOST_STATES, Recent
from emotional_ai.cli.scene import Room, gauge, scene
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import inference_pb2

AT_REST = pb.Chemistry(dopamine=0.5, serotonin=0.6, cortisol=0.3, oxytocin=0.5)
LOOK = Look("●", "#E69F00")
LEVELS = st.lists(st.none() | st.floats(0, 1), min_size=2, max_size=60).filter(lambda levels: len(levels) % 2 == 0)


def time(seconds: float) -> Timestamp:
    return Timestamp(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))


def state(seconds: float, version: int = 1, **levels: float) -> pb.EmotionalState:
    chemistry = pb.Chemistry()
    chemistry.CopyFrom(AT_REST)
    for name, level in levels.items():
        setattr(chemistry, name, level)
    return pb.EmotionalState(
        session_id="ada", chemistry=chemistry, time=time(seconds), version=version, label=pb.EMOTION_LABEL_ANXIETY
    )


def event(seconds: float, sequence: int = 2, **signals: float) -> pb.LogEntry:
    return pb.LogEntry(sequence=sequence, time=time(seconds), stimulus=pb.Stimulus(event=pb.Signals(**signals)))


def expression(**weights: float) -> inference_pb2.Expression:
    return inference_pb2.Expression(
        temperature=0.66,
        top_p=0.88,
        blend=[inference_pb2.AdapterWeight(adapter=name, weight=weight) for name, weight in weights.items()],
        label_probabilities=[inference_pb2.LabelProbability(label=pb.EMOTION_LABEL_ANXIETY, probability=0.62)],
    )


def recent(states: Sequence[pb.EmotionalState], *entries: pb.LogEntry) -> Recent:
    return Recent(tuple(states), entries, expression(high_cortisol=0.75, balanced=0.25), AT_REST)


def shown(what: Recent, span: float, room: Room, away: str = "") -> list[str]:
    return [line.plain for line in scene(what, span, room, away)]


def test_a_level_is_a_dot_between_top_and_bottom() -> None:
    assert braille([1.0, 1.0], 2) == ["⠉", chr(BLANK)]
    assert braille([0.0, 0.0], 2) == [chr(BLANK), "⣀"]
    assert braille([0.7, 0.7], 1) == ["⠒"]


def test_a_jump_is_drawn_as_an_upright_line() -> None:
    assert braille([1.0, 0.0], 1) == ["⢱"]
    assert braille([0.0, 1.0], 1) == ["⡸"]


def test_a_gap_stays_empty_and_joins_nothing() -> None:
    assert braille([None, 0.0, None, 1.0], 1) == ["⢀⠈"]


@given(LEVELS, st.integers(1, 10))
def test_every_level_shows_and_neighbours_are_joined(levels: list[float | None], rows: int) -> None:
    cells = braille(levels, rows)
    assert [len(row) for row in cells] == [len(levels) // 2] * rows
    for column, level in enumerate(levels):
        bits = (0x47, 0xB8)[column % 2]
        dots = sum((ord(row[column // 2]) & bits).bit_count() for row in cells)
        assert (dots == 0) == (level is None)
        before = levels[column - 1] if column else None
        if level is not None and before is not None:
            assert dots >= abs(level - before) * (4 * rows - 1) - 1


def test_a_curve_runs_straight_between_what_is_known_and_nowhere_else() -> None:
    curve = Curve([10, 20], [0.2, 0.4])
    assert curve.at(15) == pytest.approx(0.3)
    assert (curve.at(10), curve.at(20)) == (0.2, 0.4)
    assert curve.at(9.9) is None
    assert curve.at(20.1) is None
    assert Curve([10, 10, 10], [0.2, 0.3, 0.9]).at(10) == 0.9


def test_a_window_ends_at_its_end_and_knows_its_columns() -> None:
    window = Window(end=100, seconds=10, columns=8)
    assert window.moments()[0] == 90
    assert window.moments()[-1] == 100
    assert [window.column(moment) for moment in (89, 90, 95, 100, 101)] == [None, 0, 4, 7, None]


def test_a_lane_shows_curve_rest_events_and_the_newest_level() -> None:
    window = Window(end=10, seconds=10, columns=10)
    top, rest, bottom = lane(Curve([5, 10], [1.0, 1.0]), 0.5, window, 3, {1, 7}, LOOK)
    assert top.plain == f" {EVENT}   {top.plain[5:9]}●"
    assert min(map(ord, top.plain[6:9])) > BLANK
    assert rest.plain == f"{REST}{EVENT}{REST * 5}{EVENT}{REST * 2}"
    assert bottom.plain == f" {EVENT}     {EVENT}  "
    assert {str(span.style) for span in top.spans} == {"dim", LOOK.colour, f"bold {LOOK.colour}"}


def test_a_screen_names_everything() -> None:
    lines = shown(recent([state(0), state(60, dopamine=0.35)], event(30, threat=0.9)), 60, Room(80, 24))
    assert len(lines) == 24
    assert lines[0].startswith("ada   anxiety, confidence 0.62")
    assert lines[0].endswith("Ctrl-C ends")
    assert lines[1].startswith("● dopamine   0.35 1│")
    assert lines[2].startswith("  from rest -0.15  │")
    assert [line[0] for line in lines[1:17:4]] == ["●", "■", "▲", "◆"]
    assert [line[-1] for line in lines[1:17] if line[-1] in "●■▲◆"] == ["●", "■", "▲", "◆"]
    assert "↑threat" in lines[17]
    assert lines[17].index("↑") == lines[1].index(EVENT)
    assert lines[18].split() == ["-1", "min", "00:01:00", "UTC"]
    assert "high_cortisol ██████████████████░░░░░░ 0.75" in lines[19]
    assert "temperature  0.66" in lines[21]


@given(st.integers(20, 200), st.integers(8, 70), st.floats(0, 1), st.sampled_from(["", "the service is away, 3 s"]))
def test_whatever_the_size_of_the_terminal_it_fits(width: int, height: int, level: float, away: str) -> None:
    what = recent([state(0), state(50, cortisol=level)], *(event(at, loss=0.4) for at in (1, 2, 30, 50)))
    lines = scene(what, 60, Room(width, height), away)
    assert len(lines) <= height
    assert max(line.cell_len for line in lines) <= width
    assert not away or away[:20] in lines[0].plain


def test_of_many_events_each_keeps_its_arrow_and_the_newest_its_name() -> None:
    happened = [event(at, threat=0.1 * at) for at in range(1, 9)]
    lines = shown(recent([state(0), state(10)], *happened), 10, Room(80, 24))
    assert lines[17].count("↑") == 8
    assert "↑threat" in lines[17]
    assert not set(lines[17].replace("threat", "")) - set(" ↑")


def test_what_happened_before_the_window_is_not_shown() -> None:
    assert "↑" not in shown(recent([state(0), state(100)], event(1, praise=1)), 60, Room(80, 24))[17]


def test_away_is_said_before_all_else() -> None:
    away = "the service is away, 3 s; trying again"
    assert shown(recent([state(0)]), 60, Room(80, 24), away)[0] == f"ada   anxiety, confidence 0.62{away:>50}"
    assert shown(recent([state(0)]), 60, Room(50, 24), away)[0] == away


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (event(0, threat=0.2, loss=0.9), "loss"),
        (pb.LogEntry(stimulus=pb.Stimulus(skip_minutes=30)), "+30 min"),
        (pb.LogEntry(stimulus=pb.Stimulus(sustained={"signals": {"praise": 1}})), "praise (held)"),
        (pb.LogEntry(stimulus=pb.Stimulus(sustained={"signals": {}})), "let go"),
        (pb.LogEntry(reset={}), "reset"),
        (pb.LogEntry(configured={}), "configured"),
        (pb.LogEntry(created={}), ""),
    ],
)
def test_what_happened_has_a_short_name(entry: pb.LogEntry, told: str) -> None:
    assert happening(entry) == told


def test_a_gauge_marks_its_middle_and_stays_within_its_ends() -> None:
    assert gauge(0) == "┄┄┄┄┄┄●┄┄┄┄┄┄"
    assert gauge(-1) == gauge(-7) == "●┄┄┄┄┄┼┄┄┄┄┄┄"
    assert gauge(0.5) == "┄┄┄┄┄┄┼┄┄●┄┄┄"


def test_the_past_is_forgotten_beyond_the_span_but_for_where_the_curve_came_from() -> None:
    before = recent([state(at) for at in range(5)], event(0.5, loss=1), event(3, praise=1))
    after = before.followed_by(state(5), expression(balanced=1), 2.5)
    assert [one.time.seconds for one in after.states] == [2, 3, 4, 5]
    assert [happening(one) for one in after.entries] == ["praise"]
    assert after.expression.blend[0].adapter == "balanced"
    assert len(before.states) == 5


def test_the_past_is_looked_up_anew_once_something_happened_or_was_missed() -> None:
    what = recent([state(10)])
    assert what.leads_to(state(10.25))
    assert not what.leads_to(state(10.25, version=2))
    assert not what.leads_to(state(10 + GAP_SECONDS + 0.1))
    assert not replace(what, states=what.states * MOST_STATES).leads_to(state(10.25))


def test_a_service_is_away_from_the_second_attempt_until_it_answers() -> None:
    now = [100.0]
    patience = Patience(contact=Contact(clock=lambda: now[0]))
    patience.seconds(0)
    assert patience.contact.told() == ""
    patience.seconds(1)
    now[0] += 7
    assert max(map(patience.seconds, range(2, 500))) <= 1
    assert patience.contact.told() == "the service is away, 7 s; trying again"
    patience.contact.kept()
    assert patience.contact.told() == ""


def test_a_service_that_says_nothing_for_too_long_is_away() -> None:
    now = [100.0]
    contact = Contact(silence(250), lambda: now[0])
    now[0] += 3
    assert contact.told() == ""
    now[0] += 1
    assert contact.told() == "the service is away, 4 s; trying again"
    contact.kept()
    assert contact.told() == ""
    assert (silence(250), silence(10_000), silence(0)) == (3, 40, float("inf"))
