"""The judge's tables, scores and stored weights, without an encoder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset.replies import load_voices
from emotional_ai_training.emotions import EMOTIONS
from emotional_ai_training.emotions.grammar import load_grammar, spell_all
from emotional_ai_training.emotions.terms import terms
from emotional_ai_training.judge import JudgeDamaged, auc, load_judge
from emotional_ai_training.judge.judge import judged, logits_by_terms
from emotional_ai_training.judge.scores import score, score_table
from emotional_ai_training.judge.states import EXPRESSES, SILENT, state_labels
from emotional_ai_training.judge.training import SENTENCES, Examples, JudgeConfig, fit_judge
from emotional_ai_training.judge.weights import COMMITTED, save_judge


def emotions(*names: str) -> np.ndarray:
    row = np.zeros((1, len(EMOTIONS)), dtype=np.int8)
    row[0, [EMOTIONS.index(name) for name in names]] = 1
    return row


def test_every_state_is_expressed_by_emotions_no_other_state_claims() -> None:
    assert tuple(EXPRESSES) == tuple(SILENT) == ADAPTERS
    claimed = [name for names in EXPRESSES.values() for name in names]
    assert len(claimed) == len(set(claimed))
    assert all(not set(EXPRESSES[state]) & set(SILENT[state]) for state in ADAPTERS)


def test_a_label_speaks_for_its_state_against_others_or_not_at_all() -> None:
    labels, weights = state_labels(emotions("joy"))
    assert labels.tolist() == [[0, 0, 0, 0, 0]]
    assert weights.tolist() == [[0, 0, 1, 0, 1]]
    labels, weights = state_labels(emotions("joy", "love"))
    assert labels.tolist() == [[0, 0, 0, 1, 0]]
    assert weights.tolist() == [[0, 0, 1, 1, 1]]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_auc_is_that_of_the_reference_and_counts_ties_half(rows: list[tuple[bool, int]]) -> None:
    positive, found = [row[0] for row in rows], [float(row[1]) for row in rows]
    if len(set(positive)) == 2:
        assert auc(positive, found) == pytest.approx(roc_auc_score(positive, found))
    else:
        assert np.isnan(auc(positive, found))


def test_scores_agree_with_the_reference_and_skip_what_says_nothing() -> None:
    rng = np.random.default_rng(5)
    labels = np.eye(5, dtype=np.int8)[rng.integers(0, 5, 200)]
    found = (0.5 * rng.random((200, 5)) + 0.4 * labels).astype(np.float32)
    weights = np.ones(labels.shape, dtype=np.float32)
    weights[:50, 0] = 0
    row = score("these", "both", labels, weights, found)
    assert row.auc[0] == pytest.approx(roc_auc_score(labels[50:, 0], found[50:, 0]))
    assert row.macro_f1 == pytest.approx(f1_score(labels.argmax(1), found.argmax(1), average="macro"))
    assert row.first == pytest.approx(np.mean(labels.argmax(1) == found.argmax(1)))
    assert row.first_or_second >= row.first
    assert "these" in score_table([row])


def test_the_committed_judge_is_small_and_whole() -> None:
    weights = load_judge()
    assert weights.by_embedding.weights.shape == (384, 5)
    assert sum(path.stat().st_size for path in COMMITTED.iterdir()) < 500_000


def test_the_judge_survives_a_round_trip(tmp_path: Path) -> None:
    weights = load_judge()
    save_judge(weights, {}, tmp_path)
    again = load_judge(tmp_path)
    assert again.weighting.vocabulary == weights.weighting.vocabulary
    np.testing.assert_allclose(again.by_terms.weights, weights.by_terms.weights, atol=0.1)
    np.testing.assert_array_equal(again.mix, weights.mix)


def test_one_changed_byte_is_refused_with_the_file_named(tmp_path: Path) -> None:
    save_judge(load_judge(), {}, tmp_path)
    path = tmp_path / "judge.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(JudgeDamaged, match=r"judge\.safetensors: its SHA-256 is .*emotional-ai train judge"):
        load_judge(tmp_path)


@pytest.mark.parametrize("name", ["judge.json", "judge.safetensors"])
def test_a_missing_file_is_refused_with_its_name(tmp_path: Path, name: str) -> None:
    save_judge(load_judge(), {}, tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(JudgeDamaged, match=rf"{name}: the file is missing"):
        load_judge(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "not a card of format 1"),
        ('{"format": 1, "sha256": "x", "states": ["calm"]}', "its states are not high_dopamine"),
    ],
)
def test_a_damaged_card_is_refused_with_its_name(tmp_path: Path, content: str, complaint: str) -> None:
    save_judge(load_judge(), {}, tmp_path)
    (tmp_path / "judge.json").write_text(content, encoding="utf-8")
    with pytest.raises(JudgeDamaged, match=rf"judge\.json: {complaint}"):
        load_judge(tmp_path)


def test_fitted_halves_find_what_separates_the_states() -> None:
    rng = np.random.default_rng(2)
    words = ["eager", "calm", "tense", "warm", "plain"]
    states = rng.integers(0, 5, 400)
    embeddings = (np.eye(5)[states] + 0.3 * rng.normal(size=(400, 5))).astype(np.float32)
    labels = np.eye(5, dtype=np.int8)[states]
    texts = tuple(f"{words[state]} as they come" for state in states)
    rows = Examples(texts, embeddings, labels, np.ones(labels.shape, dtype=np.float32))
    weights = fit_judge(rows, rows, JudgeConfig())
    judgement = judged(weights, texts, embeddings)
    assert np.mean(judgement.both.argmax(axis=1) == states) > 0.99
    assert np.mean(judgement.by_embedding.argmax(axis=1) == states) > 0.9
    assert (judgement.ranks("balanced")[states == 4] == 0).all()


def test_probabilities_are_calibrated_for_one_text_in_five_however_rare_the_state_was() -> None:
    rng = np.random.default_rng(8)
    states = rng.choice(5, size=4000, p=[0.02, 0.08, 0.1, 0.2, 0.6])
    labels = np.eye(5, dtype=np.int8)[states]
    embeddings = (labels + rng.normal(size=(4000, 5))).astype(np.float32)
    rows = Examples(("a b",) * 4000, embeddings, labels, np.ones(labels.shape, dtype=np.float32))
    found = judged(fit_judge(rows, rows, JudgeConfig(least_texts=1)), rows.texts, embeddings).by_embedding
    for column in range(5):
        own = labels[:, column] == 1
        mean = 0.2 * found[own, column].mean() + 0.8 * found[~own, column].mean()
        assert mean == pytest.approx(0.2, abs=0.03)


def test_a_text_of_unknown_words_is_judged_by_the_bias_alone() -> None:
    weights = load_judge()
    np.testing.assert_allclose(logits_by_terms(weights, ["zzzz qqqq"])[0], weights.by_terms.bias, rtol=1e-6)
    silent = replace(weights, mix=np.zeros_like(weights.mix), mix_bias=np.zeros(5, dtype=np.float32))
    assert judged(silent, ["zzzz"], np.ones((1, 384), dtype=np.float32)).both.tolist() == [[0.5] * 5]


def test_the_judge_was_taught_no_sentence_of_the_reply_grammar() -> None:
    taught = [sentence for sentence, _ in spell_all(load_grammar(SENTENCES, ADAPTERS), each=20, seed=3)]
    runs = {tuple(words[i : i + 6]) for words in map(terms, taught) for i in range(len(words) // 2 - 5)}
    voices = load_voices()
    said = {t.text for voice in voices.values() for found in voice.sentences.values() for t in found}
    clash = [text for text in said if runs & {tuple(terms(text)[i : i + 6]) for i in range(len(terms(text)) // 2 - 5)}]
    assert not clash
