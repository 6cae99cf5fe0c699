"""No text is kept unless it is asked for: what people and the model say leaves no trace in the files of a service, nor in its
log, and the signals heard in it suffice to live a session again."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from lives import replayed, same
from loopback import PATIENCE, serve_command
from tiny_model import write_tiny_model
from wire_client import refused

from emotional_ai import Client, InvalidArgument
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai_training.models import cache_dir

SAID = "I lost Quillfeather, Wexmoor"
EARLIER = "Bramblethorn"
NOTED = "Zephyrmallow"
WORDS = [word.encode() for word in ("Quillfeather", "Wexmoor", "Bramblethorn")]
"""Words no program has of itself."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A service whose every file is in sight."""

    client: Client
    folder: Path
    """Its home, its working directory, its directory for temporary files, its store and its log."""
    since: float
    """When it was started, in seconds since the epoch."""
    pid: int

    def files(self) -> dict[str, bytes]:
        """Every file it has, and every file of the cache of models that it has changed."""
        found: dict[str, bytes] = {}
        for root, since in ((self.folder, 0.0), (cache_dir(os.environ), self.since)):
            for folder, _, names in os.walk(root):
                for file in (Path(folder) / name for name in names):
                    with suppress(FileNotFoundError):  # it may be gone by now
                        if file.is_file() and file.stat().st_mtime >= since:
                            found[str(file)] = file.read_bytes()
        return found | self._opened()

    def _opened(self) -> dict[str, bytes]:
        """What is open for writing in its processes, files without a name among it."""
        opened: dict[str, bytes] = {}
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="utf-8").split()
        for process in (str(self.pid), *children):
            for link in Path(f"/proc/{process}/fd").iterdir():
                with suppress(FileNotFoundError):  # it may be closed by now
                    if link.is_file() and os.access(link, os.W_OK) and not str(link.readlink()).startswith("/dev/"):
                        opened[f"{process}: {link.readlink()}"] = link.read_bytes()
        return opened


@contextmanager
def _process(folder: Path) -> Iterator[tuple[int, str]]:
    """A service at debug level in a home of its own; yields its process and its address."""
    home = os.environ | {"HOME": str(folder), "TMPDIR": str(folder), "EMOTIONAL_AI_CACHE": str(cache_dir(os.environ))}
    write_tiny_model(folder / "model")
    logged = ("--log", "json", "--log-level", "debug", "--log-sessions")
    command = serve_command("--model", str(folder / "model"), *logged, db=folder / "sessions.db")
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=home, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("ready "), (folder / "service.log").read_text(encoding="utf-8")
        yield process.pid, line.removeprefix("ready ").strip()
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder, since = tmp_path_factory.mktemp("watched"), time.time()
    with _process(folder) as (pid, address), Client(address) as client:
        client.create_session("ada")
        client.apply("ada", praise=0.5, note=NOTED)
        history = [pb.ChatMessage(role=pb.ROLE_USER, content=EARLIER)]
        for seed in (1, 2):
            sampling = pb.Sampling(seed=seed, max_tokens=6)
            with client.converse("ada", SAID, history=history, sampling=sampling, request_id=f"turn-{seed}") as reply:
                reply.read()
        assert reply.appraisal is not None
        assert reply.appraisal.classified
        assert client.appraise([SAID])[0].classified
        error = refused(lambda: client.appraise([f"{EARLIER} {SAID} " * 4_000]))
        assert isinstance(error, InvalidArgument)
        yield Watched(client, folder, since, pid)


def test_what_was_said_and_answered_is_in_no_file_and_no_line_of_the_log(watched: Watched) -> None:
    files = watched.files()
    assert {"sessions.db", "sessions.db-wal", "service.log"} <= {Path(name).name for name in files}
    lines = (watched.folder / "service.log").read_text(encoding="utf-8").splitlines()
    assert "DEBUG" in {json.loads(line)["level"] for line in lines}
    found = {name: [word for word in WORDS if word in content] for name, content in files.items()}
    assert {name: words for name, words in found.items() if words} == {}


def test_a_note_is_text_that_was_asked_to_be_kept(watched: Watched) -> None:
    assert any(NOTED.encode() in content for content in watched.files().values())


def test_the_signals_that_were_heard_suffice_to_live_the_session_again(watched: Watched) -> None:
    export = watched.client.export_session("ada")
    assert [entry.WhichOneof("effect") for entry in export.entries] == ["created", *["stimulus"] * 3]
    assert not any(entry.stimulus.note for entry in export.entries[2:])
    last = replayed(export.entries)[-1].moment
    assert same(watched.client.state("ada", at=export.entries[-1].time), last)
