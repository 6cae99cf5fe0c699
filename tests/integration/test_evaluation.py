"""The evaluation of a real service with the real model, small: asked, kept, gone on with, reported; and what it refuses."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loopback import service
from typer.testing import CliRunner

from emotional_ai_service.settings import JobSettings, LanguageSettings, Settings, StoreKind, StoreSettings
from emotional_ai_training.commands import app
from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.models import cache_dir, default_model_dir, encoder_dir
from emotional_ai_training.steering.asking import Answer
from emotional_ai_training.steering.errors import RepliesUnusable, ServiceUnsuitable
from emotional_ai_training.steering.plans import everyday
from emotional_ai_training.steering.protocol import Probes, Protocol
from emotional_ai_training.steering.reading import Reader
from emotional_ai_training.steering.report import Report, write
from emotional_ai_training.steering.running import REPLIES_FILE, Local, Plan, found, replied

LORAS = Path(__file__).resolve().parents[2] / "loras"
TINY = Plan(
    Protocol(everyday(1)[:1], (1,), (0.0, 1.0), (0.0, 1.0), max_tokens=3),
    Probes(everyday(1)[:1], (1,)),
    safety_prompts=1,
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    cache = cache_dir(os.environ)
    language = LanguageSettings(model_dir=default_model_dir(cache), encoder_dir=encoder_dir(cache), cache_dir=cache)
    with service(Settings(port=0, store=StoreSettings(StoreKind.MEMORY), language=language)) as running:
        yield running


@pytest.fixture(scope="module")
def local() -> Local:
    cache = cache_dir(os.environ)
    return Local(default_model_dir(cache), encoder_dir(cache), LORAS, cache)


@pytest.mark.timeout(600)  # hundreds of replies by the real model, perhaps on a busy machine
async def test_an_evaluation_is_asked_once_read_and_reported(address: str, local: Local, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    asked = await replied(address, TINY, local, tmp_path, lambda *done: heard.append(done))
    count = len(asked.answers)
    assert asked.speaker.model == "SmolLM2-135M-Instruct"
    assert list(asked.speaker.adapters) == list(ADAPTERS)
    assert (heard[0], heard[-1]) == ((0, count), (count, count))
    assert all(1 <= answer.tokens <= 3 for answer in asked.answers)

    heard.clear()
    assert await replied(address, TINY, local, tmp_path, lambda *done: heard.append(done)) == asked
    assert heard == [(count, count)]

    findings = found(TINY, asked, local)
    assert all(0.5 < ratio < 1.5 for ratio in findings.neutral_perplexity.values())
    write(Report(asked.speaker, TINY, count, findings, "emotional-ai eval"), tmp_path)
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["protocol"]["replies"] == len((tmp_path / REPLIES_FILE).read_text().splitlines()) - 1


@pytest.mark.timeout(600)
async def test_a_kept_reply_to_other_words_is_not_counted_for_these(address: str, local: Local, tmp_path: Path) -> None:
    await replied(address, TINY, local, tmp_path, lambda *_: None)
    kept = tmp_path / REPLIES_FILE
    asked = TINY.protocol.prompts[0].text
    kept.write_text(kept.read_text().replace(json.dumps(asked, ensure_ascii=False), '"Other words."', 1))
    with pytest.raises(RepliesUnusable, match=r"holds a reply to another [a-z]+/[a-z]+/"):
        await replied(address, TINY, local, tmp_path, lambda *_: None)
    await replied(address, TINY, local, tmp_path, lambda *_: None, fresh=True)
    assert "Other words." not in kept.read_text()


def test_the_same_words_read_the_same_whatever_was_asked(local: Local) -> None:
    questions = list(TINY.protocol.steering())
    answers = [Answer(one, "I am so scared, what if it goes wrong?", 9) for one in (questions[0], questions[-1])]
    read = Reader(local.encoder).read(answers)
    for name in ("judged", "by_embedding", "cues", "valence", "arousal", "broken"):
        first, second = getattr(read, name)
        assert np.array_equal(first, second), name
    again = Reader(local.encoder).read(answers)
    assert np.array_equal(read.judged, again.judged)


def test_replies_of_another_kind_are_refused_and_kept(address: str, tmp_path: Path) -> None:
    kept = tmp_path / REPLIES_FILE
    kept.write_text('{"model": "another"}\n')
    ended = CliRunner().invoke(app, ["eval", "--quick", "--target", address, "--out", str(tmp_path)])
    assert ended.exit_code == 1
    assert "holds replies of other settings" in ended.output
    assert "write into another folder with --out, or ask everything anew with --fresh" in ended.output
    assert kept.read_text() == '{"model": "another"}\n'


async def test_a_service_without_the_adapters_is_refused_with_the_command_that_makes_them(
    address: str, local: Local, tmp_path: Path
) -> None:
    cache = cache_dir(os.environ)
    language = LanguageSettings(model_dir=default_model_dir(cache), encoder_dir=encoder_dir(cache), cache_dir=cache)
    bare = Settings(
        port=0, store=StoreSettings(StoreKind.MEMORY), language=language, jobs=JobSettings(loras_dir=tmp_path)
    )
    with service(bare) as there, pytest.raises(ServiceUnsuitable, match=r"no adapter high_dopamine, .*make train"):
        await replied(there, TINY, local, tmp_path / "out", lambda *_: None)


async def test_a_service_that_speaks_with_other_adapters_than_are_here_is_refused(
    address: str, local: Local, tmp_path: Path
) -> None:
    others = tmp_path / "loras"
    shutil.copytree(LORAS, others)
    (others / "high_cortisol").rename(tmp_path / "away")
    shutil.copytree(others / "high_dopamine", others / "high_cortisol")
    manifest = others / "high_cortisol" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"high_dopamine"', '"high_cortisol"'))
    here = replace(local, loras=others)
    with pytest.raises(ServiceUnsuitable, match=r"another high_cortisol than .*--loras"):
        await replied(address, TINY, here, tmp_path / "out", lambda *_: None)


def test_nobody_at_the_target_is_told(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["eval", "--quick", "--target", "127.0.0.1:1", "--out", str(tmp_path)])
    assert ended.exit_code == 1
    assert "127.0.0.1:1" in ended.output
