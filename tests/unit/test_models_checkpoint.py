"""Which directories are models, what is said of those that are not, and the digest of those that are."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_model import write_tiny_model

from emotional_ai_training.models import NotAModel, check_model_dir, model_digest


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path / "tiny")


def rewrite_config(directory: Path, **changes: object) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut_short(directory: Path) -> None:
    weights = directory / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def name_a_shard_that_is_not_there(directory: Path) -> None:
    index = {"weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))


def keep_only_old_weights(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda d: (d / "config.json").unlink(), "no config.json"),
        (lambda d: (d / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda d: (d / "config.json").write_text("[]"), "config.json cannot be read"),
        (
            lambda d: rewrite_config(d, architectures=["GPT2LMHeadModel"]),
            "architecture is GPT2LMHeadModel, not LlamaForCausalLM",
        ),
        (lambda d: rewrite_config(d, architectures=None), "architecture is unnamed"),
        (lambda d: (d / "model.safetensors").unlink(), "no weights"),
        (keep_only_old_weights, "not safetensors"),
        (cut_short, "model.safetensors is damaged or cut short"),
        (lambda d: (d / "model.safetensors").write_bytes(b""), "model.safetensors is damaged or cut short"),
        (name_a_shard_that_is_not_there, "model-00002-of-00002.safetensors, which is not there"),
        (lambda d: (d / "model.safetensors.index.json").write_text("{}"), "index.json cannot be read"),
        (lambda d: (d / "tokenizer.json").unlink(), "no tokenizer"),
    ],
)
def test_what_is_missing_or_wrong_is_said(directory: Path, damage: Callable[[Path], object], problem: str) -> None:
    damage(directory)
    with pytest.raises(NotAModel, match=problem) as refusal:
        check_model_dir(directory)
    assert str(directory) in str(refusal.value)


def test_a_path_that_is_no_directory_is_not_a_model(tmp_path: Path) -> None:
    with pytest.raises(NotAModel, match="no such directory"):
        check_model_dir(tmp_path / "nowhere")


def test_a_whole_checkpoint_is_a_model(directory: Path) -> None:
    assert check_model_dir(directory) == directory


def test_the_digest_follows_the_weights_and_nothing_else(directory: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    digest = model_digest(directory, cache)
    assert len(digest) == 64
    rewrite_config(directory, dtype="bfloat16")
    assert model_digest(directory, cache) == digest
    assert model_digest(write_tiny_model(tmp_path / "copy"), cache) == digest
    weights = directory / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert model_digest(directory, cache) != digest


def test_a_digest_is_read_from_the_cache_while_the_files_stand(directory: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    model_digest(directory, cache)
    (kept,) = (cache / "digests").iterdir()
    kept.write_text("f" * 64)
    assert model_digest(directory, cache) == "f" * 64
    kept.write_text("cut")
    assert model_digest(directory, cache) != "cut"
