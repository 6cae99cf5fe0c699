"""The command line in conversation with the real language model and the real appraiser."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import CommandLine
from loopback import service

from emotional_ai_service.settings import LanguageSettings, Settings, StoreKind, StoreSettings
from emotional_ai_training.models import cache_dir, default_model_dir, encoder_dir

SHORT = ("--seed", "3", "--max-tokens", "12", "--time-scale", "0", "--json")


@pytest.fixture(scope="module")
def cli() -> Iterator[CommandLine]:
    cache = cache_dir(os.environ)
    language = LanguageSettings(
        model_dir=default_model_dir(cache), encoder_dir=encoder_dir(cache), cache_dir=cache, threads=1
    )
    with service(Settings(port=0, store=StoreSettings(StoreKind.MEMORY), language=language)) as address:
        yield CommandLine(address)


def test_a_conversation_is_felt_spoken_and_repeatable(cli: CommandLine) -> None:
    words = "I lost my job today\nthank you for listening, you are kind\n"
    first = cli("chat", "--session", "first", *SHORT, stdin=words)
    assert first.status == 0, first.err
    sad, warm = first.objects
    assert sad["reply"]
    assert sad["usage"]["completion_tokens"] <= 12
    assert "loss" in sad["signals"]
    assert "social_warmth" in warm["signals"]
    assert warm["state"]["oxytocin"] > sad["state"]["oxytocin"]
    again = cli("chat", "--session", "again", *SHORT, stdin=words).objects
    assert [turn["reply"] for turn in again] == [sad["reply"], warm["reply"]]


def test_rows_are_spoken_in_their_states(cli: CommandLine, tmp_path: Path) -> None:
    prompts, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    row = {"prompt": "How are you?", "seed": 1, "max_tokens": 6}
    prompts.write_text("\n".join(json.dumps(row | {"state": {"dopamine": level}}) for level in (0.1, 0.9)))
    assert cli("generate", "--prompts", str(prompts), "--out", str(out)).status == 0
    low, high = map(json.loads, out.read_text().splitlines())
    assert low["reply"]
    assert low["applied"]["temperature"] < high["applied"]["temperature"]
    assert low["usage"]["completion_tokens"] <= 6
