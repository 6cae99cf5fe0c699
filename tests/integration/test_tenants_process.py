"""`emotional-ai serve` with tokens, limits and an audit log: what it counted and wrote outlives a kill."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from issuing import Issuer
from loopback import PATIENCE, serve_command, service_process
from tiny_jobs import until

from emotional_ai import Client
from emotional_ai.errors import ResourceExhausted
from emotional_ai.v1.training_pb2 import RECIPE_ALL
from emotional_ai_service.callers import Scope
from emotional_ai_training.jobs import JobsDirectory


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service keeps what it keeps."""

    folder: Path
    token: str

    @property
    def audit(self) -> Path:
        return self.folder / "audit.log"

    @property
    def flags(self) -> tuple[str, ...]:
        named = {"--limits": "limits.toml", "--audit": "audit.log", "--tokens": "tokens.json", "--jobs": "jobs"}
        return ("--engine-only", *(part for flag, name in named.items() for part in (flag, str(self.folder / name))))

    @contextmanager
    def client(self, address: str) -> Iterator[Client]:
        with Client(address, token=self.token) as client:
            yield client

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit.read_text().splitlines()] if self.audit.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "limits.toml").write_text("[default]\nsessions = 2\ntraining_jobs_per_day = 1\n")
    (tmp_path / "jobs").mkdir()
    token = Issuer.at(tmp_path / "tokens.json").add(Scope.READ, Scope.WRITE, Scope.TRAIN, tenant="acme")
    slot = JobsDirectory(tmp_path / "jobs").slot()  # so that no job is run
    assert slot is not None
    with slot:
        yield Place(tmp_path, token)


def test_what_was_used_and_written_outlives_a_kill(place: Place) -> None:
    db, usage = place.folder / "agents.db", place.folder / "agents.db.usage"
    with service_process(*place.flags, db=db) as served, place.client(served.address) as client:
        client.create_session("ada")
        client.create_session("bob")
        client.start_job(RECIPE_ALL)
        until(lambda: usage.exists() and "acme" in usage.read_text())
        until(lambda: len(place.lines()) == 3)
        served.kill()
    with service_process(*place.flags, db=db) as served, place.client(served.address) as client:
        with pytest.raises(ResourceExhausted) as refused:
            client.start_job(RECIPE_ALL)
        assert (refused.value.reason, refused.value.metadata["limit"]) == ("QUOTA_EXCEEDED", "training_jobs_per_day")
        with pytest.raises(ResourceExhausted, match="the quota sessions is 2"):
            client.create_session("carl")
        assert [one.session_id for one in client.list_sessions()] == ["ada", "bob"]
        assert served.terminate() == 0
    told = [(line["tenant"], line["method"], line["code"]) for line in place.lines()]
    assert told == [
        ("acme", "EmotionEngine/CreateSession", "OK"),
        ("acme", "EmotionEngine/CreateSession", "OK"),
        ("acme", "Training/StartJob", "OK"),
        ("acme", "Training/StartJob", "RESOURCE_EXHAUSTED"),
        ("acme", "EmotionEngine/CreateSession", "RESOURCE_EXHAUSTED"),
    ]
    assert place.token not in place.audit.read_text()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--limits", "nowhere.toml"), "nowhere.toml: cannot be read"),
        (("--limits", "wrong.toml"), "default has unknown keys speed; there are calls_per_second"),
        (("--limits", "right.toml", "--usage", "wrong.toml"), "is damaged"),
        (("--audit", "nowhere/audit.log"), "name another file with --audit"),
    ],
)
def test_a_service_that_could_not_hold_to_them_does_not_start(
    tmp_path: Path, flags: tuple[str, ...], words: str
) -> None:
    (tmp_path / "wrong.toml").write_text("[default]\nspeed = 1\n")
    (tmp_path / "right.toml").write_text("[default]\nsessions = 1\n")
    command = serve_command("--engine-only", *flags)
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert words in " ".join(done.stderr.split())
