import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_training.emotions import EMOTIONS, SIGNALS, DatasetUnusable, clean, windows
from emotional_ai_training.emotions.goemotions import Split, load_split
from emotional_ai_training.emotions.grammar import COMMITTED, load_grammar, spell_all
from emotional_ai_training.emotions.terms import TermWeighting, terms


def test_cleaning_leaves_nothing_of_control_characters() -> None:
    assert clean("\x00\x07\u200b\ud800 \t\n") == ""


def test_joiners_that_join_nothing_are_not_readable() -> None:
    assert clean("\u200d\ufe0f") == ""


def test_cleaning_keeps_joined_emoji_whole() -> None:
    assert clean("good  dog 👩‍👩‍👧\x00") == "good dog 👩‍👩‍👧"


def test_typographic_apostrophes_become_plain() -> None:
    assert clean("don’t") == "don't"


@given(st.lists(st.text(alphabet="ab.!? ", max_size=80), max_size=20).map(" ".join), st.integers(5, 60))
def test_windows_hold_every_character_in_order_and_keep_the_limit(text: str, limit: int) -> None:
    text = clean(text)
    cut = windows(text, limit)
    assert "".join("".join(cut).split()) == "".join(text.split())
    assert all(len(window) <= limit for window in cut)


def test_a_window_ends_at_the_end_of_a_sentence() -> None:
    assert windows("One two three. Four five six.", 16) == ["One two three.", "Four five six."]


def test_terms_are_words_marks_and_neighbouring_pairs() -> None:
    assert terms("Don't go!!") == ["don't", "go", "!!", "don't go", "go !!"]


def test_a_term_vector_has_unit_length_and_the_documented_weights() -> None:
    weighting = TermWeighting({"a": 0, "b": 1}, np.array([1.0, 2.0], dtype=np.float32))
    vector = weighting.vector("a a b")
    expected = np.array([1 + np.log(2), 2.0])
    np.testing.assert_allclose(vector.weights, expected / np.linalg.norm(expected), rtol=1e-6)
    assert list(vector.columns) == [0, 1]


def test_a_text_without_known_terms_has_an_empty_vector() -> None:
    assert len(TermWeighting({"a": 0}, np.ones(1, dtype=np.float32)).vector("zzz").weights) == 0


def test_the_grammar_has_sentences_for_every_signal_and_for_silence() -> None:
    carried = [template.signals for template in load_grammar(COMMITTED, SIGNALS).templates]
    assert {name for signals in carried for name in signals} == set(SIGNALS)
    assert () in carried


def test_a_spelled_sentence_leaves_no_mark_of_the_grammar() -> None:
    spelled = spell_all(load_grammar(COMMITTED, SIGNALS), each=3, seed=1)
    assert not [sentence for sentence, _ in spelled if set("{}|@") & set(sentence)]
    assert spelled == spell_all(load_grammar(COMMITTED, SIGNALS), each=3, seed=1)


def test_a_grammar_that_names_an_unknown_signal_is_refused_with_its_line(tmp_path) -> None:
    path = tmp_path / "grammar.txt"
    path.write_text("# first\nglee : hooray\n", encoding="utf-8")
    with pytest.raises(DatasetUnusable, match=r"grammar\.txt: line 2: unknown glee"):
        load_grammar(path, SIGNALS)


def test_choices_are_spelled_from_the_seed(tmp_path) -> None:
    path = tmp_path / "grammar.txt"
    path.write_text("@pet = cat|dog\nloss : my @pet {ran off|died}.\n", encoding="utf-8")
    grammar = load_grammar(path, SIGNALS)
    spelled = {grammar.spell(grammar.templates[0], random.Random(seed)).lower() for seed in range(40)}
    assert spelled == {"my cat ran off.", "my dog ran off.", "my cat died.", "my dog died."}


def test_goemotions_rows_become_clean_texts_and_labels(tmp_path) -> None:
    (tmp_path / "dev.tsv").write_text("I like [NAME]\u2028so much\t0,27\tid1\n", encoding="utf-8")
    rows = load_split(tmp_path, Split.DEV)
    assert rows.texts == ("I like someone so much",)
    assert [EMOTIONS[i] for i in np.flatnonzero(rows.labels[0])] == ["admiration", "neutral"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "no rows"),
        ("just text\n", "line 1 has 1 fields"),
        ("a\tx\tid\n", "label ids are numbers"),
        ("a\t28\tid\n", r"label ids lie in 0\.\.27"),
    ],
)
def test_a_damaged_data_file_is_refused_with_its_name(tmp_path, content: str, complaint: str) -> None:
    (tmp_path / "test.tsv").write_text(content, encoding="utf-8")
    with pytest.raises(DatasetUnusable, match=rf"test\.tsv.*{complaint}"):
        load_split(tmp_path, Split.TEST)


def test_a_data_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path) -> None:
    (tmp_path / "train.tsv").write_bytes("fine\t1\tid\ncafé\t1\tid\n".encode("latin-1"))
    with pytest.raises(DatasetUnusable, match=r"train\.tsv: line 2: not UTF-8: .* at byte 3; save the file as UTF-8"):
        load_split(tmp_path, Split.TRAIN)


@pytest.mark.parametrize("digits", [4000, 5000])
def test_a_long_label_id_is_shown_cut(tmp_path, digits: int) -> None:
    (tmp_path / "train.tsv").write_text(f"fine\t{'9' * digits}\tid\n", encoding="utf-8")
    with pytest.raises(DatasetUnusable, match=r"line 1: label ids .*, not '9{79}\.\.\.$"):
        load_split(tmp_path, Split.TRAIN)


def test_a_missing_data_directory_is_refused_with_its_name(tmp_path) -> None:
    with pytest.raises(DatasetUnusable, match=r"train\.tsv: cannot be read"):
        load_split(tmp_path, Split.TRAIN)
