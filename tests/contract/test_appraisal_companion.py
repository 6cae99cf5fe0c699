"""The committed heads on companion sentences and on bad input, with the real encoder.

Rates are floors for sentences nobody tuned on (the held-out half); the tuned half has the same floor.
"""

import json
import os
from pathlib import Path

import pytest

from emotional_ai_service.appraisal import (
    MAX_CHARACTERS,
    Appraisal,
    TextTooLong,
    UnreadableText,
)
from emotional_ai_service.appraisal.appraiser import Appraiser, open_appraiser
from emotional_ai_service.core.names import NO_SIGNALS, SIGNALS
from emotional_ai_training.models import cache_dir, encoder_dir, pull

SENTENCES = Path(__file__).parents[1] / "data" / "companion_sentences.jsonl"


@pytest.fixture(scope="module")
def appraiser() -> Appraiser:
    cache = cache_dir(os.environ)
    pull(cache)
    return open_appraiser(encoder_dir(cache))


def level(appraisal: Appraisal, signal: str) -> float:
    return appraisal.signals[SIGNALS.index(signal)]


def rows(split: str) -> list[dict]:
    lines = SENTENCES.read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["split"] == split]


def test_the_companion_sentences_cover_every_signal_and_silence_in_both_halves() -> None:
    for split in ("dev", "held_out"):
        carried = [tuple(row["signals"]) for row in rows(split)]
        assert len(carried) >= 80
        assert {name for signals in carried for name in signals} == set(SIGNALS)
        assert () in carried


@pytest.mark.parametrize("split", ["dev", "held_out"])
def test_nine_of_ten_companion_sentences_are_classified_and_most_rightly(appraiser: Appraiser, split: str) -> None:
    carrying = [row for row in rows(split) if row["signals"]]
    appraisals = [appraiser.appraise([row["text"]], row["context"])[0] for row in carrying]
    pairs = list(zip(carrying, appraisals, strict=True))
    assert sum(appraisal.classified for appraisal in appraisals) >= 0.9 * len(carrying)
    assert sum(any(level(a, name) for name in row["signals"]) for row, a in pairs) >= 0.75 * len(carrying)
    signed = [(row, a) for row, a in pairs if row["valence"]]
    assert sum(row["valence"] * a.valence > 0 for row, a in signed) >= 0.8 * len(signed)


def test_a_loss_and_a_kindness_are_told_apart(appraiser: Appraiser) -> None:
    lost, kind = appraiser.appraise(["I lost my job today", "thank you for listening, you are kind"])
    assert level(lost, "loss") > 0.5 > level(lost, "praise")
    assert level(kind, "social_warmth") > 0.5 > level(kind, "loss")
    assert lost.valence < 0 < kind.valence
    assert "gratitude" in [emotion.name for emotion in kind.emotions]


def test_a_repeat_carries_no_novelty(appraiser: Appraiser) -> None:
    text = "Wow, a whale in the fountain!"
    first = appraiser.appraise([text], ["The soup is hot"])[0]
    again = appraiser.appraise([text], ["The soup is hot", text])[0]
    assert level(first, "novelty") > 0.5
    assert level(again, "novelty") == 0.0


def test_the_same_text_is_appraised_the_same_alone_and_among_others(appraiser: Appraiser) -> None:
    alone = appraiser.appraise(["I lost my job today"])[0]
    among = appraiser.appraise(["I lost my job today", "hello", "What a very long day it was, and what a storm!"])[0]
    assert alone.signals == pytest.approx(among.signals, abs=1e-4)


def test_nothing_found_is_all_zero(appraiser: Appraiser) -> None:
    plain = appraiser.appraise(["The table is made of oak"])[0]
    assert (plain.classified, plain.signals, plain.confidence, plain.emotions) == (False, NO_SIGNALS, 0.0, ())


def test_a_loss_at_the_end_of_a_long_text_is_found(appraiser: Appraiser) -> None:
    plain = "The table is made of oak. " * 100
    assert level(appraiser.appraise([plain + "My mother died last night and I miss her."])[0], "loss") > 0.5


@pytest.mark.parametrize("text", ["?", "🙂", "a" * 5000, "12345", "日本語のテキスト", "\u0301\u0301", "<[NAME]>"])
def test_odd_texts_are_appraised_within_the_ranges(appraiser: Appraiser, text: str) -> None:
    appraisal = appraiser.appraise([text])[0]
    assert all(0.0 <= value <= 1.0 for value in appraisal.signals)
    assert -1.0 <= appraisal.valence <= 1.0
    assert 0.0 <= appraisal.confidence <= 1.0


@pytest.mark.parametrize("text", ["", "   ", "\x00\x01\x02", "\u200b\u2060"])
def test_a_text_with_nothing_readable_is_refused_with_its_place(appraiser: Appraiser, text: str) -> None:
    with pytest.raises(UnreadableText, match="text 1 holds nothing readable"):
        appraiser.appraise(["hello", text])


def test_a_text_beyond_the_limit_is_refused_with_its_place(appraiser: Appraiser) -> None:
    with pytest.raises(TextTooLong, match="text 0 has 32769 characters"):
        appraiser.appraise(["a" * (MAX_CHARACTERS + 1)])


def test_an_unreadable_earlier_message_is_not_compared_with(appraiser: Appraiser) -> None:
    with_it = appraiser.appraise(["I lost my job today"], ["\x00"])[0]
    assert with_it == appraiser.appraise(["I lost my job today"])[0]
