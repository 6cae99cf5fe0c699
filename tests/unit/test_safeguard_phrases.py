"""Phrases of the guard: what they find, what they refuse to be, and that looking for them stays cheap."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_service.safeguard.phrase import GAP, MOST_GAPS, MOST_WORDS, Lexicon, Phrase, Place, sentences

alphabet = st.sampled_from(["abc", "abd", "abcd", "b", "c", "bcd"])
texts = st.lists(alphabet, max_size=12)


def found(phrase: str, text: str) -> bool:
    lexicon = Lexicon([Phrase.read(phrase)])
    return any(lexicon.within(sentence) for sentence in sentences(text))


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("hurt myself", "I HURT MYSELF!"),
        ("dont want", "I don't want that"),
        ("dont want", "I don’t want that"),
        ("kill|hurt myself", "so I hurt myself"),
        ("suicid*", "suicidal"),
        ("cafe", "at the Café"),
        ("kill", "k\u200bill"),
        ("end ... my life", "to end this my life"),
        ("end ... my life", "end my life"),
        ("end ... life", "end all of my life"),
        ("12 year old", "a 12-year-old"),
    ],
)
def test_a_phrase_is_found_whatever_its_case_accents_and_apostrophes(phrase: str, text: str) -> None:
    assert found(phrase, text)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("hurt myself", "hurt by myself"),
        ("hurt myself", "it hurt. Myself, I went home"),
        ("kill", "skilled"),
        ("kill", "killer"),
        ("end ... life", "end one two three four life"),
        ("hurt myself", "hurt"),
        ("hurt myself", ""),
    ],
)
def test_a_phrase_is_not_found_in_other_words_or_across_sentences(phrase: str, text: str) -> None:
    assert not found(phrase, text)


def as_pattern(parts: list[str]) -> str:
    """The same phrase as a regular expression over words that each follow a blank."""
    pattern, gap = "", ""
    for part in parts:
        if part == "...":
            gap = f"(?: [a-z]+){{0,{GAP}}}"
            continue
        choices = [one[:-1] + "[a-z]*" if one.endswith("*") else one for one in part.split("|")]
        pattern, gap = pattern + gap + " (?:" + "|".join(choices) + ")(?= |$)", ""
    return pattern


@st.composite
def phrases(draw: st.DrawFn) -> list[str]:
    word = alphabet | st.sampled_from(["abc*", "abc|b", "bcd*|c"])
    parts = [draw(word)]
    for _ in range(draw(st.integers(0, MOST_GAPS))):
        parts += [*(["..."] if draw(st.booleans()) else []), draw(word)]
    return parts


@given(phrases(), texts)
def test_a_phrase_finds_what_the_same_regular_expression_finds(parts: list[str], words: list[str]) -> None:
    expected = re.search(as_pattern(parts), "".join(f" {word}" for word in words)) is not None
    assert found(" ".join(parts), " ".join(words)) == expected


@given(phrases(), texts)
def test_a_span_is_where_the_phrase_stands(parts: list[str], words: list[str]) -> None:
    phrase, said = Phrase.read(" ".join(parts)), tuple(words)
    for start, end in Lexicon([phrase]).spans(said):
        assert 0 <= start < end <= len(said)
        assert phrase.end(said[start:end], 0) == end - start


@pytest.mark.parametrize(
    ("phrase", "told"),
    [
        ("", "must begin and end with a word"),
        ("...", "must stand between two words"),
        ("kill ...", "must begin and end with a word"),
        ("kill ... ... me", "must stand between two words"),
        ("ki*", "needs at least 3 letters"),
        ("ki*ll", "must be one word"),
        ("(a+)+$", "must be one word"),
        ("kill|", "must be one word"),
        ("don't-care", "must be one word"),
        ("x" * 201, "at most 200"),
        (" ".join("x" * 13), "at most 12 words"),
        ("a ... b ... c ... d ... e", "3 times"),
        ("|".join(f"w{number}" for number in range(13)), "more than 12 words"),
    ],
)
def test_what_is_no_phrase_is_refused_with_what_would_be(phrase: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        Phrase.read(phrase)


@dataclass(frozen=True)
class Counted(Place):
    """A place that counts how often it is asked."""

    asked: list[str] = field(default_factory=list)

    def takes(self, word: str) -> bool:
        self.asked.append(word)
        return super().takes(word)


def worst(asked: list[str]) -> Iterator[Counted]:
    """The places of a phrase that is hardest to look for: every gap, the same word everywhere, and a word that never comes."""
    for number in range(MOST_WORDS):
        last = number == MOST_WORDS - 1
        yield Counted(frozenset({"never" if last else "a"}), (), 0 < number <= MOST_GAPS, asked)


@pytest.mark.parametrize("length", [100, 200, 400])
def test_looking_takes_steps_in_proportion_to_the_text_for_the_worst_phrase_there_can_be(length: int) -> None:
    asked: list[str] = []
    assert not Lexicon([Phrase(tuple(worst(asked)))]).within(("a",) * length)
    assert length < len(asked) <= length * MOST_WORDS * (1 + GAP * MOST_GAPS)
