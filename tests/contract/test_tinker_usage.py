"""The example of each primitive runs as it stands, in a process of its own, against a server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_training import roomy_model

from emotional_ai_training.tinker_server.process import LocalServer

EXAMPLE = Path(__file__).parents[2] / "examples" / "tinker_usage.py"
PATIENCE = 200.0
SAID = ("cross-entropy ", "own loss ", "saved tinker://", "blended into one adapter of rank 16", "says '")


@pytest.mark.timeout(300)  # two processes that import torch, perhaps on a busy machine
def test_the_example_runs_and_tells_what_it_does(tmp_path: Path) -> None:
    model = roomy_model(tmp_path / "tiny")
    with LocalServer(model, tmp_path / "tinker", threads=1) as server:
        settings = {
            "TINKER_BASE_URL": server.base_url,
            "TINKER_API_KEY": server.api_key,
            "MODEL_TOKENIZER": str(model),
            "MODEL_NAME": "",
        }
        ran = subprocess.run(
            [sys.executable, str(EXAMPLE)],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert [line.startswith(said) for line, said in zip(lines, SAID, strict=True)] == [True] * len(SAID)
