"""The command line in conversation: real gRPC, a real emotion engine, and words by a script."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from command_line import CommandLine
from keyboard import Keyboard, keyboard
from loopback import PATIENCE
from ports import nowhere
from scripted_speech import Script, scripted_service

from emotional_ai import Chemistry
from emotional_ai.v1 import inference_pb2 as pb

TURN_KEYS = {"user", "reply", "signals", "state", "blend", "temperature", "top_p", "tokens", "label", "seed", "usage"}


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Script, str]]:
    script = Script()
    with scripted_service(script) as address:
        yield script, address


@pytest.fixture
def script(shared: tuple[Script, str]) -> Script:
    """The script as new: the service is shared, since one takes seconds to start."""
    fresh = Script()
    for name in vars(fresh):
        setattr(shared[0], name, getattr(fresh, name))
    return shared[0]


@pytest.fixture
def address(shared: tuple[Script, str], script: Script) -> str:
    return shared[1]


@pytest.fixture
def cli(address: str) -> CommandLine:
    return CommandLine(address)


def test_each_line_is_a_turn_and_blank_lines_are_none(cli: CommandLine, script: Script) -> None:
    ran = cli("chat", "--session", "lines", stdin="I lost my job today\n\n   \nthank you, you are kind")
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert lines[0] == "you: I lost my job today"
    assert lines[1] == "agent: I am here for you."
    assert lines[2].startswith("state: ")
    assert lines[2].endswith(" | spoken by the base model | heard loss 0.90")
    assert lines[3] == "you: thank you, you are kind"
    assert len(lines) == 6


def test_the_conversation_is_sent_along(cli: CommandLine, script: Script) -> None:
    cli("chat", "--session", "memory", "--seed", "5", "--max-tokens", "9", stdin="one\ntwo\n")
    first, second = script.asked
    assert not first.history
    assert [message.content for message in second.history] == ["one", "I am here for you."]
    assert (second.sampling.seed, second.sampling.max_tokens) == (5, 9)
    assert first.request_id != second.request_id


def test_a_turn_in_json_has_every_key(cli: CommandLine, script: Script) -> None:
    ran = cli("chat", "--session", "json", "--json", "--seed", "4", stdin="I lost my job\nyou are kind\n")
    assert ran.status == 0
    sad, warm = ran.objects
    assert sad.keys() >= TURN_KEYS
    assert sad["signals"] == {"loss": 0.9}
    assert sad["seed"] == 4
    assert sum(sad["blend"].values()) == pytest.approx(1)
    assert sad["tokens"].startswith("<DA=")
    assert warm["state"]["oxytocin"] > sad["state"]["oxytocin"]
    assert warm["temperature"] > sad["temperature"]


def test_a_time_scale_is_given_to_new_and_to_known_sessions(cli: CommandLine, script: Script) -> None:
    for scale in ("60", "0"):
        assert cli("chat", "--session", "scaled", "--time-scale", scale, stdin="hello\n").status == 0
    exported = json.loads(cli("sessions", "export", "-", "--session", "scaled").out)
    configured = [entry["configured"] for entry in exported["entries"] if "configured" in entry]
    assert exported["entries"][0]["created"]["config"]["dynamics"]["timeScale"] == 60
    assert [one["dynamics"].get("timeScale", 0) for one in configured] == [0]


@pytest.mark.parametrize("given", ["nan", "-1", "10001", "inf"])
def test_a_time_scale_that_is_none_is_refused_with_what_is_one(cli: CommandLine, script: Script, given: str) -> None:
    ran = cli("chat", "--session", "unscaled", "--time-scale", given, stdin="hello\n")
    assert ran.status == 2
    assert f"must be a number from 0 to 10000, got {float(given)}" in " ".join(ran.err.split())
    assert not script.asked


def test_a_byte_order_mark_is_not_said(cli: CommandLine, script: Script) -> None:
    assert cli("chat", "--session", "marked", stdin=b"\xef\xbb\xbfhello\n").status == 0
    assert [request.text for request in script.asked] == ["hello"]


def test_a_turn_that_fails_is_named_and_the_others_go_on(cli: CommandLine, script: Script) -> None:
    ran = cli("chat", "--session", "failing", "--json", stdin="fine\nunspeakable\nfine again\n")
    assert ran.status == 1
    assert "turn 2: text: cannot be said" in ran.err
    assert [one.get("reply") for one in ran.objects] == ["I am here for you.", None, "I am here for you."]
    assert "error" in ran.objects[1]


def test_a_command_in_a_pipe_is_said_to_the_agent_and_that_is_told(cli: CommandLine, script: Script) -> None:
    ran = cli("chat", "--session", "piped", stdin="hello\n/why\n")
    assert ran.status == 0
    assert [request.text for request in script.asked] == ["hello", "/why"]
    assert "line 2 of the input is said to the agent as it is" in ran.err


def test_a_line_that_is_not_text_is_a_turn_that_fails(cli: CommandLine, script: Script) -> None:
    ran = cli("chat", "--session", "bytes", stdin=b"fine\n\xff\xfe\nfine again\n")
    assert ran.status == 1
    assert "turn 2" in ran.err
    assert ran.out.count("agent: ") == 2


def test_a_line_longer_than_a_turn_may_be_is_refused_unsaid(cli: CommandLine, script: Script) -> None:
    ran = cli("chat", "--session", "endless", stdin="x" * 32_769 + "\nfine\n")
    assert ran.status == 1
    assert "turn 1: line 1 of the input has 32769 characters; a turn has at most 32768" in ran.err
    assert "xxx" not in ran.out
    assert ran.out.count("agent: ") == 1


def change(token_index: int, **blend: float) -> pb.BlendChange:
    weights = [pb.AdapterWeight(adapter=name, weight=weight) for name, weight in blend.items()]
    return pb.BlendChange(token_index=token_index, blend=weights, temperature=0.5, top_p=0.75)


def test_a_turn_says_who_spoke_it_and_how_the_voice_moved(cli: CommandLine, script: Script) -> None:
    script.changes = (change(0, high_cortisol=0.75, balanced=0.25), change(1, balanced=1.0), change(2, balanced=0.5))
    ran = cli("chat", "--session", "voices", stdin="hello\n")
    assert " | spoken by high_cortisol 0.75, balanced 0.25, moved 2 times | heard nothing" in ran.out
    (told,) = cli("chat", "--session", "voices", "--json", "--fixed-blend", stdin="hello\n").objects
    assert told["applied"]["blend"] == {"high_cortisol": 0.75, "balanced": 0.25}
    assert told["applied"]["blend_mode"] == "exact"
    assert told["applied"]["changes"][1] == {
        "token_index": 1,
        "blend": {"balanced": 1.0},
        "temperature": 0.5,
        "top_p": 0.75,
    }
    assert [asked.fixed_blend for asked in script.asked] == [False, True]


def test_adapters_are_listed_with_what_keeps_one_from_being_blended(cli: CommandLine, script: Script) -> None:
    assert "there are no adapters" in cli("adapters").out
    eager = Chemistry(dopamine=0.9, serotonin=0.6, cortisol=0.3, oxytocin=0.5)
    script.adapters = (
        pb.Adapter(name="high_dopamine", digest="ab" * 32, scale=0.75, scale_calibrated=True, rank=8, prototype=eager),
        pb.Adapter(
            name="odd", digest="cd" * 32, scale=1, rank=16, prototype=eager, refused="it was trained on another"
        ),
    )
    lines = cli("adapters").out.splitlines()
    assert lines[1].split() == ["high_dopamine", "0.90", "0.60", "0.30", "0.50", "0.75", "8", "ab" * 6]
    assert lines[2].split()[5:7] == ["1.00", "(c)"]
    assert lines[3] == "odd cannot be blended: it was trained on another"
    first, second = cli("adapters", "--json").objects
    assert (first["prototype"]["dopamine"], first["refused"], first["scale_calibrated"]) == (0.9, "", True)
    assert second["refused"] == "it was trained on another"


def test_a_conversation_that_is_too_long_forgets_its_oldest_turns_and_says_so(cli: CommandLine, script: Script) -> None:
    script.greatest_history = 2
    ran = cli("chat", "--session", "long", stdin="one\ntwo\nthree\nfour\n")
    assert ran.status == 0
    assert ran.err.count("the oldest turn is no longer sent along") == 2
    last = script.asked[-1]
    assert last.history[0].content == "three"
    assert len({asked.request_id for asked in script.asked}) == 4


def test_a_message_that_alone_is_too_long_fails(cli: CommandLine, script: Script) -> None:
    script.greatest_history = -1
    ran = cli("chat", "--session", "too-long", stdin="one\n")
    assert ran.status == 1
    assert "too many tokens" in ran.err


def test_a_reply_cannot_steer_the_terminal(cli: CommandLine, script: Script) -> None:
    script.pieces = ("red \x1b[31m", "line\nnext")
    ran = cli("chat", "--session", "steer", stdin="hello\n")
    assert "agent: red [31mline\n       next\n" in ran.out
    assert "\x1b" not in ran.out


def appraise(address: str, text: bytes) -> "subprocess.CompletedProcess[bytes]":
    command = (sys.executable, "-m", "emotional_ai", "--target", address, "appraise", "--json")
    return subprocess.run(command, input=text, capture_output=True, timeout=PATIENCE, check=False)


def test_lines_are_appraised_in_order_and_in_batches(address: str, script: Script) -> None:
    texts = [f"line {number}" for number in range(700)] + ["", "I lost it"]
    ran = appraise(address, "\n".join(texts).encode())
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0
    assert [one["text"] for one in told] == texts
    assert told[-1]["signals"] == {"loss": 0.9}
    assert not told[-2]["classified"]
    assert max(script.batches) <= 256
    assert sum(script.batches) == 701


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"\xff\xfe", "line 3 of the input is not UTF-8 text"),
        (b"x" * 1_000_000, "line 3 has 1000000 characters; a text has at most 32768"),
    ],
)
def test_a_line_that_cannot_be_appraised_is_named_and_the_others_go_on(address: str, line: bytes, said: str) -> None:
    ran = appraise(address, b"you are kind\r\n\r\n" + line + b"\nI lost it\n")
    assert ran.returncode == 1
    assert ran.stderr.decode() == f"error: {said}\nerror: 1 of 4 lines could not be appraised: 3\n"
    first, blank, wrong, last = [json.loads(one) for one in ran.stdout.splitlines()]
    assert (first["text"], blank["text"], last["signals"]) == ("you are kind", "", {"loss": 0.9})
    assert wrong["error"] == said


def test_an_error_ends_appraise_though_its_input_goes_on() -> None:
    command = (sys.executable, "-m", "emotional_ai", "--target", nowhere(), "appraise")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"fine\n")
        process.stdin.flush()
        assert process.wait(PATIENCE) == 1


def written(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_a_reply_that_cannot_be_written_is_named(cli: CommandLine, script: Script, tmp_path: Path) -> None:
    prompts = tmp_path / "in.jsonl"
    prompts.write_text('{"prompt": "hi"}\n')
    ran = cli("generate", "--prompts", str(prompts), "--out", "/dev/full")
    assert ran.status == 1
    assert "the reply to line 1 is lost" in ran.err
    assert "cannot write /dev/full: No space left" in ran.err


def test_rows_are_answered_and_carried_along(cli: CommandLine, script: Script, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    rows = [{"prompt": f"p{number}", "id": number, "state": {"cortisol": 0.9}, "seed": number} for number in range(8)]
    rows.append({"prompt": "p8", "id": 8, "state": {"cortisol": 0.9}, "seed": 8, "min_p": 0.25})
    prompts = written(tmp_path / "in.jsonl", *rows)
    assert cli("generate", "--prompts", prompts, "--out", str(out), "--concurrency", "4").status == 0
    told = sorted(map(json.loads, out.read_text().splitlines()), key=lambda row: row["id"])
    assert [{name: row[name] for name in given} for row, given in zip(told, rows, strict=True)] == rows
    assert [row["applied"]["min_p"] for row in told[7:]] == [0.0, 0.25]
    assert told[3]["reply"] == "I am here for you."
    assert told[3]["expression"]["state"]["cortisol"] == 0.9
    assert told[3]["applied"]["seed"] == 3
    assert told[3]["finish_reason"] == "stop"


def test_a_refused_row_is_named_left_out_and_tried_again(cli: CommandLine, script: Script, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    prompts = written(tmp_path / "in.jsonl", {"prompt": "a"}, {"prompt": "unspeakable"}, {"prompt": "c"})
    ran = cli("generate", "--prompts", prompts, "--out", str(out))
    assert ran.status == 1
    assert "line 2: text: cannot be said" in ran.err
    assert len(out.read_text().splitlines()) == 2
    assert cli("generate", "--prompts", prompts, "--out", str(out)).status == 1
    script.generated.clear()
    assert cli("generate", "--prompts", prompts, "--out", str(out), "--resume").status == 1
    assert [request.messages[0].content for request in script.generated] == ["unspeakable"]


def test_rows_and_the_command_name_blends(cli: CommandLine, script: Script, tmp_path: Path) -> None:
    rows = [
        {"prompt": "a"},
        {"prompt": "b", "blend": {"balanced": -1, "odd": [0.5, 1]}},
        {"prompt": "c", "session": "s"},
    ]
    assert cli("sessions", "create", "s").status == 0
    prompts = written(tmp_path / "in.jsonl", *rows)
    flags = ("--blend", "high_cortisol=0.7", "--blend", "high_dopamine=-0.2")
    assert cli("generate", "--prompts", prompts, "--out", str(tmp_path / "out.jsonl"), *flags).status == 0
    given, own, live = script.generated
    assert [(one.adapter, one.weight) for one in given.explicit.blend] == [
        ("high_cortisol", 0.7),
        ("high_dopamine", -0.2),
    ]
    assert [(one.adapter, one.weight, list(one.layer_weights)) for one in own.explicit.blend] == [
        ("balanced", -1, []),
        ("odd", 0, [0.5, 1]),
    ]
    assert live.session_id == "s"


@pytest.mark.parametrize("wrong", ["high_cortisol", "=1", "a=much", "a=nan", "a="])
def test_a_blend_that_is_none_is_wrong_usage(cli: CommandLine, script: Script, tmp_path: Path, wrong: str) -> None:
    prompts = written(tmp_path / "in.jsonl", {"prompt": "a"})
    ran = cli("generate", "--prompts", prompts, "--out", str(tmp_path / "out.jsonl"), "--blend", wrong)
    assert ran.status == 2
    assert "ADAPTER=WEIGHT" in ran.err


def test_nothing_is_written_if_a_row_is_malformed(cli: CommandLine, script: Script, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    prompts = written(tmp_path / "in.jsonl", {"prompt": "a"}, {"prompt": 3})
    ran = cli("generate", "--prompts", prompts, "--out", str(out))
    assert ran.status == 1
    assert "line 2: prompt:" in ran.err
    assert not out.exists()
    assert not script.generated


def at_a_terminal(address: str, session: str) -> AbstractContextManager[Keyboard]:
    return keyboard("--target", address, "chat", "--session", session, size=(160, 50))


def test_at_a_terminal_a_panel_moves_with_the_conversation(address: str, script: Script) -> None:
    with at_a_terminal(address, "terminal") as typist:
        typist.says("dopamine")
        typist.says("you: ")
        typist.types("I lost my job\n")
        typist.says("agent: I am here for you.")
        typist.says("began as the base model")
        typist.says("you: ")
        typist.types("/why\n")
        typist.says("loss -")
        typist.types("/history\n")
        typist.says("event loss 0.90")
        typist.types("/state\n")
        typist.says("from rest")
        typist.types("/reset\n")
        typist.says("now neutral")
        typist.types("/nonsense\n")
        typist.says("there is no command /nonsense")
        typist.types("unspeakable\n")
        typist.says("error: text: cannot be said")
        typist.says("you: ")
        typist.types("\x04")
        assert typist.leaves() == 0


def test_at_a_terminal_things_happen_pass_and_are_thought_away(address: str, script: Script) -> None:
    with at_a_terminal(address, "touched") as typist:
        typist.says("you: ")
        typist.types("/help\n")
        for command in ("/why not N...", "/signal NAME=VALUE", "/skip MINUTES"):
            typist.says(command)
        typist.types("/signal threat=0.9 loss=0.4\n")
        typist.says("anxiety   valence -")
        typist.says("you: ")
        typist.types("/why\n")
        typist.says("moved by")
        typist.says("threat, loss: dopamine -")
        typist.types("/why not 2\n")
        typist.says("as it is: anxiety")
        typist.says("without 2: neutral, valence +0.00")
        typist.says("would be")
        typist.types("/skip 90\n")
        typist.says("neutral   valence -")
        typist.types("/history\n")
        typist.says("90.0 simulated minutes")
        typist.types("/quit\n")
        assert typist.leaves() == 0
    assert not script.asked


def test_at_a_terminal_a_command_that_cannot_be_is_refused_with_what_can(address: str, script: Script) -> None:
    refused = {
        "/signal": "give a signal, such as /signal reward=0.8; there are reward, novelty",
        "/signal joy=1": "'joy' is not a signal; the signals are reward, novelty",
        "/signal reward=2": "reward must be in [0, 1], got 2",
        "/skip": "/skip needs simulated minutes, more than 0 and at most 10000000",
        "/skip soon": "got 'soon'",
        "/skip -1": "got '-1'",
        "/skip nan": "got 'nan'",
        "/why me": "/why stands alone, or before `not` and numbers, got 'me'",
        "/why not": "/why not needs the numbers of what happened, such as /why not 3",
        "/why not you": "got 'you'",
        "/why not 77": "without_sequences",
        "/state now": "/state takes nothing after it, got 'now'",
    }
    with at_a_terminal(address, "refused") as typist:
        for typed, said in refused.items():
            typist.says("you: ")
            typist.types(f"{typed}\n")
            typist.says(said)
        typist.says("you: ")
        typist.types("/quit\n")
        assert typist.leaves() == 0


def test_at_a_terminal_the_panel_shows_the_blend_move(address: str, script: Script) -> None:
    script.changes = (change(0, high_cortisol=0.75), change(2, high_cortisol=0.25, balanced=0.75))
    with at_a_terminal(address, "moving") as typist:
        typist.says("you: ")
        typist.types("hello\n")
        typist.says("agent: I am here for you.")
        typist.says("spoken")
        typist.says("balanced")
        typist.says("0.75")
        typist.says("began as high_cortisol 0.75, moved once")
        typist.says("you: ")
        typist.types("\x04")
        assert typist.leaves() == 0


def test_an_interrupt_stops_the_reply_and_not_the_chat(address: str, script: Script) -> None:
    script.pause_after = 2
    with at_a_terminal(address, "interrupted") as typist:
        typist.says("you: ")
        typist.types("hello\n")
        typist.says("agent: I am here for")
        typist.interrupts()
        typist.says("(stopped)")
        assert script.cancelled.wait(PATIENCE)
        typist.says("you: ")
        script.pause_after = None
        typist.types("go on\n")
        typist.says("agent: I am here for you.")
        assert [message.content for message in script.asked[-1].history] == ["hello", "I am here for "]
        typist.says("you: ")
        typist.types("/quit\n")
        assert typist.leaves() == 0
