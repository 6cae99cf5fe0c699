"""The command line against a real service: the emotion engine."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from command_line import CommandLine
from loopback import service

REFERENCE = Path(__file__).parents[1] / "data" / "reference_trajectories.json"
CHEMICALS = ("dopamine", "serotonin", "cortisol", "oxytocin")
NUMBERS = count(1)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


@pytest.fixture
def cli(address: str) -> CommandLine:
    return CommandLine(address)


@pytest.fixture
def name() -> str:
    return f"session-{next(NUMBERS)}"


def test_a_signal_makes_the_session_and_moves_it(cli: CommandLine, name: str) -> None:
    ran = cli("signal", "--session", name, "reward=0.8", "praise=0.2", "--json")
    assert ran.status == 0
    assert ran.objects[0]["state"]["dopamine"] > 0.6
    (state,) = cli("state", name, "--json").objects
    assert state["version"] == 2
    assert state["baseline"]["dopamine"] == 0.5
    assert sum(state["blend"].values()) == pytest.approx(1)
    assert state["tokens"].startswith("<DA=")


def test_a_request_id_applies_once(cli: CommandLine, name: str) -> None:
    arguments = ("signal", "--session", name, "threat=0.5", "--request-id", "once", "--json")
    assert not cli(*arguments).objects[0]["duplicate"]
    again = cli(*arguments)
    assert again.objects[0]["duplicate"]
    assert again.objects[0]["version"] == 2
    assert "nothing was applied" in again.err


def test_signals_are_held_and_let_go(cli: CommandLine, name: str) -> None:
    held = cli("signal", "--session", name, "threat=0.02", "--sustained", "60", "--json").objects[0]
    assert held["sustained"] == {"threat": 0.02}
    assert not cli("signal", "--session", name, "--sustained", "0", "--json").objects[0]["sustained"]


@pytest.mark.parametrize(
    ("signal", "said"),
    [
        ("joy=1", "reward, novelty, achievement"),
        ("reward=2", "must be in [0, 1]"),
        ("reward=nan", "must be in [0, 1]"),
        ("reward", "needs a number"),
    ],
)
def test_a_signal_that_cannot_be_is_wrong_usage(cli: CommandLine, name: str, signal: str, said: str) -> None:
    ran = cli("signal", "--session", name, signal)
    assert ran.status == 2
    assert said in " ".join(ran.err.split())
    assert cli("state", name).status == 1


def test_an_unknown_session_is_refused_with_what_to_do(cli: CommandLine) -> None:
    ran = cli("state", "nobody")
    assert (ran.status, ran.out) == (1, "")
    assert "no session 'nobody'" in ran.err
    assert "emotional-ai sessions create" in ran.err


def test_where_nobody_listens_the_command_that_starts_a_service_is_said() -> None:
    for arguments in (("state",), ("conformance", str(REFERENCE)), ("chat",)):
        ran = CommandLine("127.0.0.1:1")(*arguments)
        assert ran.status == 1
        assert "no service answers at 127.0.0.1:1" in ran.err
        assert "emotional-ai serve --port 1" in ran.err


def test_a_target_after_the_command_counts_more(address: str, name: str) -> None:
    assert CommandLine("127.0.0.1:1")("sessions", "create", name, "--target", address).status == 0


def test_every_reference_trajectory_is_reproduced_by_the_service(cli: CommandLine) -> None:
    ran = cli("conformance", str(REFERENCE), "-v", "--json")
    assert ran.status == 0
    *cases, told = ran.objects
    assert told["cases"] == len(cases) == len(json.loads(REFERENCE.read_text())["cases"])
    assert told["max_abs_error"] == max(case["max_abs_error"] for case in cases) <= 1e-9


def test_a_reference_that_is_off_by_a_little_fails(cli: CommandLine, tmp_path: Path) -> None:
    reference = json.loads(REFERENCE.read_text())
    reference["cases"][3]["x"][1][0] += 2e-9
    file = tmp_path / "shifted.json"
    file.write_text(json.dumps(reference))
    ran = cli("conformance", str(file))
    assert ran.status == 1
    assert "max_abs_error: 2." in ran.out
    assert reference["cases"][3]["name"] in ran.err


def test_a_case_the_service_refuses_is_named(cli: CommandLine, tmp_path: Path) -> None:
    case = {"name": "backwards", "x0": [0.5] * 4, "t": [1, 0], "x": [[0.5] * 4] * 2}
    file = tmp_path / "backwards.json"
    file.write_text(json.dumps({"cases": [case]}))
    ran = cli("conformance", str(file))
    assert ran.status == 1
    assert "case 'backwards' was refused" in ran.err


def test_a_file_that_is_missing_is_named(cli: CommandLine) -> None:
    ran = cli("conformance", "nowhere.json")
    assert ran.status == 1
    assert "cannot read nowhere.json" in ran.err


def test_the_parts_of_an_explanation_add_up(cli: CommandLine, name: str) -> None:
    cli("signal", "--session", name, "reward=0.8", "threat=0.4", "--note", "mixed news")
    cli("signal", "--session", name, "boredom=0.1", "--sustained", "30")
    (told,) = cli("explain", "--session", name, "--json").objects
    for chemical in CHEMICALS:
        parts = [told["homeostasis"][chemical], told["resets"][chemical]]
        parts += [by[kind][chemical] for by in told["signals"].values() for kind in ("events", "sustained")]
        assert sum(parts) == pytest.approx(told["change"][chemical], abs=1e-12)
    assert told["entries"][0]["note"] == "mixed news"
    sentences = cli("explain", "--session", name, "--minutes", "10").out
    assert "cortisol rose by" in sentences
    assert "threat +" in sentences


def test_history_shows_every_chemical_and_the_events(cli: CommandLine, name: str) -> None:
    cli("signal", "--session", name, "loss=0.7", "--note", "a hard day")
    shown = cli("history", "--session", name, "--start", "1h").out
    assert all(chemical in shown for chemical in CHEMICALS)
    assert "event loss 0.70  # a hard day" in shown
    told = cli("history", "--session", name, "--points", "5", "--json").objects
    assert [one["kind"] for one in told] == ["sample"] * 5 + ["entry"] * 2


@pytest.mark.parametrize("command", [["history", "--session"], ["state"], ["signal", "reward=1", "--session"]])
@pytest.mark.parametrize("given", ["", "x" * 129])
def test_an_id_no_session_can_have_is_wrong_usage(cli: CommandLine, command: list[str], given: str) -> None:
    ran = cli(*command, given)
    assert ran.status == 2
    assert "1 to 128 characters" in " ".join(ran.err.split())


def test_an_import_that_is_none_is_refused_by_the_name_of_its_file(cli: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text('{"nosuch": 1}')
    ran = cli("sessions", "import", str(file))
    assert ran.status == 1
    assert ran.err.startswith(f"error: {file} is not the JSON of SessionExport")
    assert "Available Fields" not in ran.err


@pytest.mark.parametrize("written", ["yesterday", "2026-01-31T09:00:00", "3000000d", "0001-01-01T00:00:00+23:00"])
def test_a_moment_that_says_too_little_is_wrong_usage(cli: CommandLine, name: str, written: str) -> None:
    cli("sessions", "create", name)
    assert cli("history", "--session", name, "--start", written).status == 2


def test_history_is_drawn(cli: CommandLine, name: str, tmp_path: Path) -> None:
    cli("signal", "--session", name, "reward=0.8")
    picture = tmp_path / "history.png"
    assert cli("history", "--session", name, "--plot", str(picture)).status == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    ran = cli("history", "--session", name, "--plot", str(tmp_path / "missing" / "history.png"))
    assert ran.status == 1
    assert "cannot draw in" in ran.err


def test_a_simulation_is_computed_and_drawn(cli: CommandLine, tmp_path: Path) -> None:
    request = {"times": [0, 1, 10], "events": [{"time": 1, "signals": {"reward": 1}}], "config": {"mood": {}}}
    picture = tmp_path / "simulation.png"
    ran = cli("simulate", "-", "--json", "--plot", str(picture), stdin=json.dumps(request))
    assert ran.status == 0
    levels = [one["state"]["dopamine"] for one in ran.objects]
    assert levels[0] == 0.5
    assert levels[1] > levels[2] > 0.5
    assert "mood" in ran.objects[0]
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["curve", "-", "curve.", "curve.PNG"])
def test_a_picture_is_drawn_in_the_file_that_is_named_and_in_no_other(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("curve.png").write_bytes(b"kept")
    ran = cli("simulate", "-", "--plot", name, stdin='{"times": [0, 1]}')
    assert (ran.status, ran.err) == (0, f"drawn in {name}\n")
    assert Path(name).read_bytes().startswith(b"\x89PNG")
    assert Path("curve.png").read_bytes() == b"kept"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("curve.foo", 1, "cannot draw in curve.foo: Format 'foo' is not supported (supported formats:"),
        ("", 2, "'.' is a directory; name a file"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_refused(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, status: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = cli("simulate", "-", "--plot", name, stdin='{"times": [0, 1]}')
    assert ran.status == status
    assert said in " ".join(ran.err.split())
    assert not list(tmp_path.iterdir())


def test_files_may_begin_with_a_byte_order_mark(cli: CommandLine, tmp_path: Path) -> None:
    marked = tmp_path / "marked.json"
    marked.write_text(REFERENCE.read_text(), encoding="utf-8-sig")
    assert cli("conformance", str(marked)).status == 0
    marked.write_text('{"times": [0]}', encoding="utf-8-sig")
    assert cli("simulate", str(marked), "--json").status == 0


def test_a_simulation_that_is_misspelt_is_refused(cli: CommandLine) -> None:
    ran = cli("simulate", "-", stdin='{"tmes": [0]}')
    assert ran.status == 1
    assert ran.err.startswith("error: standard input is not the JSON of SimulateRequest")
    assert "tmes" in ran.err


def test_a_session_goes_out_and_comes_back_the_same(cli: CommandLine, name: str, tmp_path: Path) -> None:
    cli("signal", "--session", name, "praise=0.6")
    file = tmp_path / "session.json"
    assert cli("sessions", "export", str(file), "--session", name).status == 0
    assert cli("sessions", "import", str(file), "--session", f"{name}-copy").status == 0
    assert cli("sessions", "import", str(file)).status == 1
    listed = {one["session"]: one["version"] for one in cli("sessions", "list", "--json").objects}
    assert listed[name] == listed[f"{name}-copy"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["session.json"]
    assert cli("sessions", "delete", name).status == 0
    assert cli("state", name).status == 1


def test_a_session_is_made_as_configured(cli: CommandLine, name: str, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"dynamics": {"baseline": {"dopamine": 0.7, "serotonin": 0.6, "cortisol": 0.2, "oxytocin": 0.5}}}')
    (made,) = cli("sessions", "create", name, "--config", str(file), "--json").objects
    assert made["state"]["dopamine"] == 0.7


def test_a_watch_prints_a_line_for_each_state(cli: CommandLine, name: str) -> None:
    cli("sessions", "create", name)
    ran = cli("watch", name, "--interval", "10", "--count", "3", "--json")
    assert [one["session"] for one in ran.objects] == [name] * 3
    assert "neutral" in cli("watch", name, "--count", "1").out


def test_output_for_pipes_has_no_escapes(cli: CommandLine, name: str) -> None:
    outputs = [
        cli("signal", "--session", name, "reward=0.5").out,
        cli("state", name).out,
        cli("history", "--session", name).out,
        cli("explain", "--session", name).out,
    ]
    assert all(outputs)
    assert not any("\x1b" in output for output in outputs)


def test_a_command_that_is_none_is_wrong_usage(cli: CommandLine) -> None:
    assert cli("nonsense").status == 2


def test_help_lists_every_command(cli: CommandLine) -> None:
    shown = cli("--help").out
    for command in ("chat", "state", "signal", "watch", "history", "explain", "sessions", "simulate", "conformance"):
        assert f"\n  {command} " in shown
    for command in ("appraise", "generate", "serve", "models", "train"):
        assert f"\n  {command} " in shown
