"""`emotional-ai train adapters`: what cannot be trained is refused in one line, and what can be ends in adapters PEFT loads."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tiny_training import roomy_model, told_row, without_telemetry
from typer.testing import CliRunner

from emotional_ai.cli import app
from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset import Split, write_rows
from emotional_ai_training.tinker_server.process import LocalServer

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # the SDK leaves connections to the collector

Refused = Callable[..., str]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands")


@pytest.fixture(scope="module")
def model(place: Path) -> Path:
    return roomy_model(place / "tiny")


@pytest.fixture(scope="module")
def server(model: Path, place: Path) -> Iterator[LocalServer]:
    with without_telemetry(), LocalServer(model, place / "tinker", threads=1) as local:
        yield local


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file with two rows a state to train on and one held out."""
    file = tmp_path / "rows.jsonl"
    write_rows(file, [told_row(state, n, split) for state in ADAPTERS for n, split in enumerate(parts())])
    return file


def parts() -> tuple[Split, ...]:
    return (Split.TRAIN, Split.TRAIN, Split.DEV)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """The command in a directory of its own, without settings of the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("TINKER_API_KEY", "TINKER_BASE_URL", "MODEL_NAME", "LORA_RANK", "LEARNING_RATE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, ["train", "adapters", *arguments])
        return result.exit_code, result.stdout, result.stderr

    return run


@pytest.fixture
def refused(command: Callable[..., tuple[int, str, str]]) -> Refused:
    """What the command says when it refuses, which is one line."""

    def run(*arguments: str) -> str:
        status, _, said = command(*arguments)
        assert status == 1
        assert said.startswith("error: ")
        assert said.count("\n") == 1
        return said

    return run


@pytest.fixture
def at_server(server: LocalServer, model: Path, monkeypatch: pytest.MonkeyPatch, command: object) -> None:
    """Has the command train on a server that runs."""
    monkeypatch.setenv("TINKER_BASE_URL", server.base_url)
    monkeypatch.setenv("TINKER_API_KEY", server.api_key)
    monkeypatch.setenv("MODEL_TOKENIZER", str(model))


def test_a_malformed_row_is_named_by_line_and_field(refused: Refused, rows: Path) -> None:
    lines = rows.read_text().splitlines()
    lines[3] = json.dumps(json.loads(lines[3]) | {"weight": "much"})
    rows.write_text("\n".join(lines) + "\n")
    assert f"{rows}: line 4: weight: 'much' is not a finite number" in refused("--data", str(rows))


def test_a_file_that_is_not_json_is_named_by_line(refused: Refused, rows: Path) -> None:
    rows.write_text("{\n")
    assert f"{rows}: line 1: row: not JSON" in refused("--data", str(rows))


def test_a_file_of_rows_that_is_not_there_is_named(refused: Refused, tmp_path: Path) -> None:
    assert f"{tmp_path}/none.jsonl: cannot be read: No such file" in refused("--data", f"{tmp_path}/none.jsonl")


def test_data_without_a_row_to_learn_is_refused(refused: Refused, rows: Path) -> None:
    write_rows(rows, [told_row("balanced", 0, Split.TEST)])
    assert "holds no row to train a state on" in refused("--data", str(rows))


def test_data_without_a_row_of_a_state_names_the_state(refused: Refused, rows: Path) -> None:
    write_rows(rows, [told_row("balanced", 0, Split.TRAIN)])
    said = refused("--data", str(rows), "--state", "balanced", "--state", "high_cortisol")
    assert "holds no row of high_cortisol to train on; it holds balanced" in said


@pytest.mark.parametrize("rank", ["12", "0", "256"])
def test_a_rank_that_is_no_power_of_two_is_refused(refused: Refused, rows: Path, rank: str) -> None:
    assert f"LORA_RANK is {rank}; it must be a power of two in 1..128" in refused("--data", str(rows), "--rank", rank)


def test_a_learning_rate_out_of_range_is_refused(refused: Refused) -> None:
    assert "LEARNING_RATE is 2.0; it must be in (0, 0.1]" in refused("--learning-rate", "2")


def test_a_directory_of_adapters_that_cannot_be_written_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert f"cannot be written to {tmp_path}/file" in refused("--loras", f"{tmp_path}/file")


def test_an_unknown_state_is_refused_with_the_states(command: Callable[..., tuple[int, str, str]]) -> None:
    status, _, said = command("--state", "happy")
    assert status == 2
    assert all(word in said for word in ("happy", *ADAPTERS))


def test_a_state_that_curiosity_does_not_train_is_refused(command: Callable[..., tuple[int, str, str]]) -> None:
    status, _, said = command("--recipe", "curiosity", "--state", "high_cortisol")
    assert status == 2
    assert "high_cortisol: this recipe trains high_dopamine" in " ".join(said.replace("│", " ").split())


def test_settings_of_a_file_that_is_not_text_are_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"LORA_RANK=\xff\n")
    assert ".env cannot be read" in refused()


@pytest.mark.parametrize(
    "wrong", [("--rank", "3"), ("--data", "none.jsonl"), ("--loras", "file"), ("--model", "meta/retired")]
)
def test_a_training_that_is_refused_drops_no_earlier_one(
    refused: Refused, rows: Path, tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, str]
) -> None:
    monkeypatch.setenv("EMOTIONAL_AI_MODEL", str(model))
    (tmp_path / "file").touch()
    stage = tmp_path / "checkpoints" / "conditioning"
    stage.mkdir(parents=True)
    (stage / "config.json").write_text('{"stage": "conditioning"}')
    (tmp_path / "checkpoints" / "tinker").mkdir()
    (tmp_path / "checkpoints" / "tinker" / "mine").touch()
    refused("--data", str(rows), "--fresh", *wrong)
    assert (stage / "config.json").is_file()
    assert (tmp_path / "checkpoints" / "tinker" / "mine").is_file()
    assert not (tmp_path / "checkpoints" / "replaced").exists()


@pytest.mark.usefixtures("at_server")
def test_a_base_model_the_server_does_not_train_is_refused_with_the_live_ones(refused: Refused, rows: Path) -> None:
    said = refused("--data", str(rows), "--model", "meta/retired")
    assert "does not train meta/retired; set MODEL_NAME to one of: tiny" in said


@pytest.mark.usefixtures("at_server")
def test_a_wrong_key_is_refused_with_the_setting(refused: Refused, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", "tml-wrong")
    assert "refused the key: set TINKER_API_KEY" in refused("--data", str(rows))


@pytest.mark.usefixtures("at_server")
def test_checkpoints_of_other_settings_are_not_continued(refused: Refused, rows: Path, tmp_path: Path) -> None:
    stage = tmp_path / "checkpoints" / "conditioning"
    stage.mkdir(parents=True)
    (stage / "config.json").write_text('{"rank": 4}')
    said = refused("--data", str(rows), "--recipe", "conditioning")
    assert "holds a run with other settings" in said
    assert "rank" in said
    assert "--fresh" in said
