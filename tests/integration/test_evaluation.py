"""The evaluation of a real service with the real model, small: asked, kept, gone on with, reported; and what it refuses."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback import service
from typer.testing import CliRunner

from emotional_ai_service.settings import LanguageSettings, Settings, StoreKind, StoreSettings
from emotional_ai_training.commands import app
from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.models import cache_dir, default_model_dir, encoder_dir
from emotional_ai_training.steering.errors import ServiceUnsuitable
from emotional_ai_training.steering.plans import everyday
from emotional_ai_training.steering.protocol import Protocol
from emotional_ai_training.steering.report import Report, write
from emotional_ai_training.steering.running import PLACES, Plan, found, replied

LORAS = Path(__file__).resolve().parents[2] / "loras"
TINY = Plan(
    Protocol(everyday(1)[:2], (1,), (0.0, 1.0), (0.0, 1.0), max_tokens=4),
    Protocol(everyday(1)[:1], (1,), max_tokens=4),
    safety_prompts=1,
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    cache = cache_dir(os.environ)
    language = LanguageSettings(model_dir=default_model_dir(cache), encoder_dir=encoder_dir(cache), cache_dir=cache)
    with service(Settings(port=0, store=StoreSettings(StoreKind.MEMORY), language=language)) as running:
        yield running


async def test_an_evaluation_is_asked_once_read_and_reported(address: str, tmp_path: Path) -> None:
    cache = cache_dir(os.environ)
    heard: list[tuple[int, int]] = []
    speaker, courses, answers, affect = await replied(address, TINY, tmp_path, lambda *done: heard.append(done))
    assert speaker.model == "SmolLM2-135M-Instruct"
    assert list(speaker.adapters) == list(ADAPTERS)
    assert heard[0] == (0, len(answers))
    assert heard[-1] == (len(answers), len(answers))
    assert all(1 <= answer.tokens <= 4 for answer in answers)

    heard.clear()
    _, _, again, _ = await replied(address, TINY, tmp_path, lambda *done: heard.append(done))
    assert again == answers
    assert heard == [(len(answers), len(answers))]

    loras = [LORAS / name for name in ADAPTERS]
    findings = found(TINY, courses, answers, affect, encoder_dir(cache), default_model_dir(cache), loras)
    assert all(0.5 < ratio < 1.5 for ratio in findings.neutral_perplexity.values())
    write(Report(speaker, TINY, len(answers), findings, "emotional-ai eval"), tmp_path)
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["protocol"]["replies"] == len((tmp_path / PLACES).read_text().splitlines()) - 1


def test_replies_of_another_kind_are_refused_and_kept(address: str, tmp_path: Path) -> None:
    kept = tmp_path / PLACES
    kept.write_text('{"model": "another"}\n')
    ended = CliRunner().invoke(app, ["eval", "--quick", "--target", address, "--out", str(tmp_path)])
    assert ended.exit_code == 1
    assert "holds replies of other settings" in ended.output
    assert "remove it, or write into another folder" in ended.output
    assert kept.read_text() == '{"model": "another"}\n'


async def test_a_service_without_the_adapters_is_refused_with_the_command_that_makes_them(tmp_path: Path) -> None:
    cache = cache_dir(os.environ)
    language = LanguageSettings(
        model_dir=default_model_dir(cache), encoder_dir=encoder_dir(cache), cache_dir=cache, loras_dir=tmp_path
    )
    settings = Settings(port=0, store=StoreSettings(StoreKind.MEMORY), language=language)
    with service(settings) as bare, pytest.raises(ServiceUnsuitable, match=r"no adapter high_dopamine, .*make train"):
        await replied(bare, TINY, tmp_path / "out", lambda *_: None)


def test_nobody_at_the_target_is_told(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["eval", "--quick", "--target", "127.0.0.1:1", "--out", str(tmp_path)])
    assert ended.exit_code == 1
    assert "127.0.0.1:1" in ended.output
