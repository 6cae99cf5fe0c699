"""What an operator tells the Tinker backend, and what is wrong with it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emotional_ai_service.decoding.messages import BlendMode
from emotional_ai_service.decoding.tinker import (
    HostedAdapter,
    TinkerDecoder,
    TinkerSettings,
    TinkerStartFailed,
    read_adapters,
)
from emotional_ai_service.decoding.tinker.decoder import digest_of_name
from emotional_ai_training.recipes.training import digest_of_name as digest_in_manifests

PATH = "tinker://1f:train:0/sampler_weights/final"


def settings(**changes: Any) -> TinkerSettings:
    given: dict[str, Any] = {"base_model": "tiny", "model_dir": Path("tiny"), "api_key": "tml-key"}
    return TinkerSettings(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_model": ""}, "base_model is empty"),
        ({"api_key": ""}, "api_key must begin with tml-"),
        ({"api_key": "sk-secret"}, "api_key must begin with tml-"),
        ({"base_url": "localhost:8000"}, "base_url must be an address such as http"),
        ({"adapters": (HostedAdapter("a", PATH), HostedAdapter("a", PATH))}, "names one twice"),
        ({"mode": BlendMode.EXACT}, "mode must be one of"),
        ({"drafts": 1}, r"drafts must be in 2\.\.64"),
        ({"margin": -0.1}, "margin must be 0 or more"),
        ({"margin": float("nan")}, "margin must be 0 or more"),
        ({"capacity": 0}, "sessions and capacity"),
        ({"reply_seconds": 0.0}, "start_seconds and reply_seconds"),
    ],
)
def test_a_setting_out_of_range_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as refusal:
        settings(**changes)
    assert "sk-secret" not in str(refusal.value)


def test_the_key_is_not_shown() -> None:
    assert "tml-key" not in repr(settings())


def test_adapters_are_read_from_a_file_in_its_order(tmp_path: Path) -> None:
    file = tmp_path / "adapters.json"
    file.write_text(f'{{"wary": "{PATH}", "calm": "{PATH}"}}')
    assert read_adapters(file) == (HostedAdapter("wary", PATH), HostedAdapter("calm", PATH))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "does not name adapters"),
        ("[]", "one object of names and paths"),
        ('{"a": 1}', "one object of names and paths"),
        (f'{{"a": "{PATH}", "a": "{PATH}"}}', "a name appears twice"),
        ('{"a": "tinker://1f:train:0/weights/final"}', r"weights/ and external_weights/ cannot be sampled"),
        ('{"a": "loras/a"}', "needs a path of the form tinker://"),
        (f'{{"": "{PATH}"}}', "adapter ''"),
    ],
)
def test_a_file_that_names_no_adapters_is_refused_by_its_name(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "adapters.json"
    file.write_text(text)
    with pytest.raises(TinkerStartFailed, match=rf"adapters\.json.*{words}"):
        read_adapters(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TinkerStartFailed, match=r"adapters\.json cannot be read: No such file"):
        read_adapters(tmp_path / "adapters.json")


def test_a_base_model_has_the_digest_its_adapters_name() -> None:
    assert digest_of_name("tiny") == digest_in_manifests("tiny")


def test_importing_the_backend_imports_neither_torch_nor_the_sdk() -> None:
    program = (
        "import sys, emotional_ai_service.decoding.tinker; sys.exit('torch' in sys.modules or 'tinker' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_a_decoder_that_was_not_started_says_so_and_closes(tmp_path: Path) -> None:
    decoder = TinkerDecoder(settings())
    assert not decoder.ready
    with pytest.raises(RuntimeError, match="was not started"):
        decoder.describe()
    await decoder.close()
