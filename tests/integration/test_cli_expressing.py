"""The command line about what is expressed: intensity and caps of a session, and what a service discloses."""

from collections.abc import Iterator

import pytest
from command_line import CommandLine
from keyboard import keyboard
from scripted_speech import Script, scripted_service

from emotional_ai import Client
from emotional_ai.v1 import inference_pb2 as pb


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Script, str]]:
    script = Script()
    with scripted_service(script) as address:
        yield script, address


@pytest.fixture
def script(served: tuple[Script, str]) -> Iterator[Script]:
    yield served[0]
    served[0].told = Script().told


@pytest.fixture
def address(served: tuple[Script, str]) -> str:
    return served[1]


@pytest.fixture
def cli(address: str) -> CommandLine:
    return CommandLine(address)


def test_a_session_is_made_with_an_intensity_and_caps(cli: CommandLine, address: str) -> None:
    ran = cli("sessions", "create", "made", "--intensity", "0.6", "--cap", "cortisol=0.5", "--cap", "dopamine=0.9")
    assert ran.status == 0
    with Client(address) as client:
        expression = client.get_session("made").config.expression
    assert expression.intensity == 0.6
    caps = expression.caps
    assert (caps.dopamine, caps.serotonin, caps.cortisol, caps.oxytocin) == (0.9, 1, 0.5, 1)


def test_an_update_changes_what_is_given_and_leaves_the_rest_as_it_was(cli: CommandLine, address: str) -> None:
    cli("sessions", "create", "changed", "--intensity", "0.6", "--cap", "cortisol=0.5")
    with Client(address) as client:
        before = client.get_session("changed").config
        ran = cli("sessions", "update", "changed", "--cap", "dopamine=0.8")
        assert (ran.status, ran.out) == (
            0,
            "changed expresses 0.6 of what it feels, at most dopamine 0.8, cortisol 0.5\n",
        )
        (told,) = cli("sessions", "update", "changed", "--intensity", "1", "--cap", "cortisol=1", "--json").objects
        after = client.get_session("changed").config
    caps = {"dopamine": 0.8, "serotonin": 1.0, "cortisol": 1.0, "oxytocin": 1.0}
    assert told == {"session": "changed", "intensity": 1.0, "caps": caps}
    assert after.dynamics == before.dynamics
    assert (after.expression.intensity, after.expression.base_top_p) == (1, before.expression.base_top_p)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--intensity", "2"), "less than or equal to 1"),
        (("--cap", "cortisol"), "needs a level in [0, 1]"),
        (("--cap", "cortisol=nan"), "must be in [0, 1]"),
        (("--cap", "adrenaline=0.5"), "there are dopamine, serotonin, cortisol, oxytocin"),
        (("--cap", "cortisol=0.5", "--cap", "cortisol=0.6"), "is given twice"),
        ((), "give --intensity or --cap"),
    ],
)
def test_what_cannot_be_is_wrong_usage(cli: CommandLine, given: tuple[str, ...], told: str) -> None:
    ran = cli("sessions", "update", "nobody", *given)
    assert ran.status == 2
    assert told in " ".join(ran.err.replace("│", " ").split())


def test_a_cap_below_the_baseline_is_refused_by_the_service(cli: CommandLine) -> None:
    cli("sessions", "create", "capped")
    ran = cli("sessions", "update", "capped", "--cap", "cortisol=0.1")
    assert ran.status == 1
    assert "caps.cortisol: must be at least the baseline, 0.3, and at most 1, got 0.1" in ran.err


def test_a_chat_tells_what_is_disclosed_on_lines_of_its_own(cli: CommandLine, script: Script) -> None:
    script.told = pb.ReplyStarted(disclosure="You talk to a program.\nCall for help.", flags=["storm"], intensity=0.2)
    ran = cli("chat", "--session", "told", stdin="hello")
    assert ran.err.splitlines() == ["note: You talk to a program.", "note: Call for help."]
    (turn,) = cli("chat", "--session", "told", "--json", stdin="hello").objects
    assert turn["disclosure"] == "You talk to a program.\nCall for help."
    assert (turn["flags"], turn["intensity"]) == (["storm"], 0.2)


def test_at_a_terminal_the_intensity_is_turned_and_a_disclosure_stands_on_its_own(address: str, script: Script) -> None:
    script.told = pb.ReplyStarted(disclosure="You talk to a program.", intensity=1)
    with keyboard("--target", address, "chat", "--session", "dial", size=(160, 50)) as somebody:
        somebody.says("you: ")
        somebody.types("/intensity 0.5\n")
        somebody.says("it expresses 0.5 of what it feels")
        somebody.types("/intensity\n")
        somebody.says("it expresses 0.5 of what it feels")
        somebody.types("/intensity much\n")
        somebody.says("/intensity needs a number in [0, 1]")
        somebody.types("hello\n")
        somebody.says("(You talk to a program.)")
        somebody.says("agent: I am here for you.")
        somebody.types("/quit\n")
        assert somebody.leaves() == 0
