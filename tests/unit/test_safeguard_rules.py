"""Rules of the guard: what they flag, how long they lower, and what a file of them may say."""

from pathlib import Path

import pytest

from emotional_ai_service.safeguard import Lasting, Off, Rule, Rules, RulesUnusable, rules_from
from emotional_ai_service.safeguard.file import LARGEST_FILE
from emotional_ai_service.safeguard.phrase import Phrase
from emotional_ai_service.safeguard.rules import FARTHEST


def read(*phrases: str) -> tuple[Phrase, ...]:
    return tuple(map(Phrase.read, phrases))


BURNT = Rule("burnt", read("burn*"), unless=read("burn calories"), intensity=0.4, turns=2, minutes=5, disclosure="Run.")
HEIGHTS = Rule("heights", read("jump"), beside=read("roof", "bridge"), intensity=0.1)
BOTH = Rules((BURNT, HEIGHTS))


def test_what_is_flagged_is_named_lowered_and_disclosed() -> None:
    found = BOTH.look("The roof is burning, I must jump off the roof!", [])
    assert (found.flags, found.intensity) == (("burnt", "heights"), 0.1)
    assert (found.disclosures, found.lasting) == (("Run.",), (Lasting(5, 0.4),))


@pytest.mark.parametrize(
    "text", ["Nothing happened.", "How I burn calories", "Jump! The roof is far", "A jump in the pool", "", "\0\ud800"]
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    found = BOTH.look(text, [])
    assert (found.flags, found.intensity, found.disclosures, found.lasting) == ((), 1.0, (), ())


def test_what_means_something_else_is_taken_out_and_the_rest_still_counts() -> None:
    assert BOTH.look("I burn calories while the house burns", []).flags == ("burnt",)
    assert Rules([Rule("x", read("burn calories on"), unless=read("burn calories"))]).look("burn calories on", []) == (
        Off().look("", [])
    )


def test_earlier_turns_go_on_lowering_for_as_many_turns_as_the_rule_says() -> None:
    said = ["it burns", "calm now", "still calm"]
    assert [BOTH.look("hello", said[:turns]).intensity for turns in range(4)] == [1.0, 0.4, 0.4, 1.0]
    later = BOTH.look("hello", said[:1])
    assert (later.flags, later.disclosures, later.lasting) == ((), (), ())


def test_of_earlier_turns_only_so_much_is_looked_at() -> None:
    assert BOTH.look("hello", ["it burns", "x" * (FARTHEST - 8)]).intensity == 0.4
    assert BOTH.look("hello", ["it burns", "x" * (FARTHEST - 7)]).intensity == 1.0


WHOLE = """
[[rule]]
name = "alarm"
words = ["fire alarm", "smoke*"]
beside = ["kitchen"]
unless = ["smoked salmon"]
intensity = 0.25
turns = 3
minutes = 1.5
disclosure = "Leave  the\\n house."

[[rule]]
name = "loud"
words = ["shout*"]
intensity = 1
"""


def test_a_file_of_rules_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(WHOLE)
    alarm, loud = rules_from(file)
    assert alarm == Rule(
        "alarm",
        read("fire alarm", "smoke*"),
        read("kitchen"),
        read("smoked salmon"),
        intensity=0.25,
        turns=3,
        minutes=1.5,
        disclosure="Leave the house.",
    )
    assert loud == Rule("loud", read("shout*"), intensity=1.0)
    assert Rules((alarm, loud)).look("Smoke in the kitchen", []).flags == ("alarm",)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "alarm"', "", "rule 1 has no name"),
        ('"alarm"', '"An Alarm"', "rule 1, name must be 1 to 64 lower-case letters"),
        ('"loud"', '"alarm"', "two rules called alarm"),
        ('words = ["shout*"]', "", "rule 2 has no words"),
        ('words = ["shout*"]', "words = []", "rule 2, words must be a list of 1 to 256 phrases"),
        ('words = ["shout*"]', "words = [1]", "rule 2, words must hold phrases in quotes, got 1"),
        ('"shout*"', '"(a+)+$"', "rule 2, words '(a+)+$': '(a+)+$' must be one word"),
        ("intensity = 1\n", "", "rule 2 has no intensity"),
        ("intensity = 1\n", "intensity = 1.5\n", "rule 2, intensity must be a number in [0, 1], got 1.5"),
        ("intensity = 1\n", "intensity = nan\n", "rule 2, intensity must be a number in [0, 1], got nan"),
        ("intensity = 1\n", "intensity = true\n", "rule 2, intensity must be a number in [0, 1], got True"),
        ("turns = 3", "turns = 65", "rule 1, turns must be a whole number in [0, 64], got 65"),
        ("minutes = 1.5", "minutes = 20000", "rule 1, minutes must be a number in [0, 10080], got 20000"),
        ("turns = 3", 'word = "x"', "rule 1 has unknown keys word; there are name, words"),
        ('"Leave  the\\n house."', '" "', "rule 1, disclosure must be a text of 1 to 1000 characters"),
        ("[[rule]]", "[[rules]]", "must hold 1 to 64 tables [[rule]], and nothing else"),
        ("[[rule]]\nname", "[[rule]\nname", "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_says_what_is_wrong_and_what_is_allowed(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    file = tmp_path / "rules.toml"
    assert old in WHOLE
    file.write_text(WHOLE.replace(old, new))
    with pytest.raises(RulesUnusable) as refused:
        rules_from(file)
    assert str(refused.value).startswith(str(file))
    assert told in str(refused.value)


def test_a_file_that_is_not_there_not_text_or_too_large_is_told(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    with pytest.raises(RulesUnusable, match="cannot be read: No such file"):
        rules_from(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(RulesUnusable, match="is not UTF-8 text"):
        rules_from(file)
    file.write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(RulesUnusable, match="is larger than 262144 bytes"):
        rules_from(file)
