from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotional_ai_service.core import names
from emotional_ai_training.emotions import (
    EKMAN,
    EMOTIONS,
    SIGNALS,
    EncoderUnusable,
    SentenceEncoder,
    WeightsDamaged,
    load_heads,
    save_heads,
)
from emotional_ai_training.emotions.scores import ekman, f1, macro_f1, tune_thresholds
from emotional_ai_training.emotions.weights import COMMITTED


def test_the_signals_are_those_of_the_core_in_their_order() -> None:
    assert names.SIGNALS == SIGNALS


def test_every_emotion_is_in_exactly_one_ekman_group() -> None:
    assert sorted(emotion for members in EKMAN.values() for emotion in members) == sorted(EMOTIONS)


def test_the_committed_heads_are_small_and_whole() -> None:
    heads = load_heads()
    assert heads.emotions == EMOTIONS
    assert heads.signals == SIGNALS
    assert sum(path.stat().st_size for path in COMMITTED.glob("heads.*")) < 8_000_000


def test_heads_survive_a_round_trip(tmp_path: Path) -> None:
    heads = load_heads()
    save_heads(heads, {}, tmp_path)
    again = load_heads(tmp_path)
    assert again.weighting.vocabulary == heads.weighting.vocabulary
    scale = np.abs(heads.term_head.weights).max(axis=0)
    assert (np.abs(again.term_head.weights - heads.term_head.weights) <= scale / 127).all()
    np.testing.assert_array_equal(again.thresholds, heads.thresholds)


def test_one_changed_byte_is_refused_by_the_digest_with_the_file_named(tmp_path: Path) -> None:
    save_heads(load_heads(), {}, tmp_path)
    path = tmp_path / "heads.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsDamaged, match=r"heads\.safetensors: its SHA-256 is"):
        load_heads(tmp_path)


@pytest.mark.parametrize("name", ["heads.json", "heads.safetensors"])
def test_a_missing_file_is_refused_with_its_name(tmp_path: Path, name: str) -> None:
    save_heads(load_heads(), {}, tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(WeightsDamaged, match=rf"{name}: the file is missing"):
        load_heads(tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"), [("{", "not JSON"), ("[]", "not a card"), ('{"format": 1}', "it lacks sha256")]
)
def test_a_damaged_card_is_refused_with_its_name(tmp_path: Path, content: str, complaint: str) -> None:
    save_heads(load_heads(), {}, tmp_path)
    (tmp_path / "heads.json").write_text(content, encoding="utf-8")
    with pytest.raises(WeightsDamaged, match=rf"heads\.json: {complaint}"):
        load_heads(tmp_path)


def test_saving_is_repeatable(tmp_path: Path) -> None:
    heads = load_heads()
    assert save_heads(heads, {}, tmp_path / "a") == save_heads(replace(heads, digest="x"), {}, tmp_path / "b")


def test_a_directory_without_a_model_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnusable, match=r"lacks config\.json, model\.safetensors, tokenizer\.json"):
        SentenceEncoder(tmp_path)


def test_another_kind_of_model_is_no_encoder(tmp_path: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}', encoding="utf-8")
    with pytest.raises(EncoderUnusable, match="its model type is 'gpt2'"):
        SentenceEncoder(tmp_path)


def test_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    labels = np.array([[1], [1], [0], [0]])
    found = np.array([[1], [0], [1], [0]])
    assert f1(labels, found)[0] == pytest.approx(0.5)
    assert macro_f1(labels, labels) == 1.0


def test_a_tuned_threshold_separates_what_can_be_separated() -> None:
    rng = np.random.default_rng(3)
    labels = (np.arange(400) % 5 == 0).astype(np.int8)[:, None]
    probabilities = (0.2 * rng.random((400, 1)) + 0.6 * labels).astype(np.float32)
    threshold = tune_thresholds(labels, probabilities)
    assert macro_f1(labels, probabilities >= threshold) > 0.95


def test_a_greater_beta_never_raises_a_threshold() -> None:
    rng = np.random.default_rng(4)
    labels = (rng.random((600, 1)) < 0.2).astype(np.int8)
    probabilities = np.clip(0.3 * rng.random((600, 1)) + 0.2 * labels, 0, 1).astype(np.float32)
    assert tune_thresholds(labels, probabilities, beta=3.0)[0] <= tune_thresholds(labels, probabilities)[0]


def test_a_text_belongs_to_a_group_if_it_carries_any_emotion_of_it() -> None:
    found = np.zeros((1, len(EMOTIONS)), dtype=np.int8)
    found[0, [EMOTIONS.index("grief"), EMOTIONS.index("love")]] = 1
    assert [name for name, here in zip(EKMAN, ekman(found)[0], strict=True) if here] == ["joy", "sadness"]
