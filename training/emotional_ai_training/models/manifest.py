"""The record kept beside a pulled model: where it came from, and the size and SHA-256 of every file.

It is written last, before the directory takes its final name, so a directory that has one is whole.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from emotional_ai_training.models.catalog import ModelSource

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Size in bytes and SHA-256 in hex of one file."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a directory was made from and what it holds."""

    format: int
    requirement: str
    wheel_sha256: str
    licence: str
    files: tuple[FileRecord, ...]


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(directory: Path, source: ModelSource) -> None:
    """Records every file of `directory`."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    files = tuple(
        FileRecord(path.relative_to(directory).as_posix(), path.stat().st_size, sha256_of(path)) for path in paths
    )
    manifest = Manifest(FORMAT, source.requirement, source.sha256, source.licence, files)
    (directory / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")


def problem_with(directory: Path, source: ModelSource, *, contents: bool) -> str | None:
    """Why `directory` is not a whole copy of `source`, or None if it is.

    Sizes are always compared; with `contents`, every file is read and its digest compared too.
    """
    if not directory.is_dir():
        return "it was never pulled"
    try:
        record = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        files = [FileRecord(**entry) for entry in record["files"]]
        origin = (record["format"], record["requirement"], record["wheel_sha256"])
    except FileNotFoundError:
        return f"it has no {MANIFEST}"
    except (ValueError, TypeError, KeyError) as error:
        return f"{MANIFEST} cannot be read ({error})"
    if origin != (FORMAT, source.requirement, source.sha256):
        return f"it was made from {origin[1]}, not {source.requirement}"
    return next((found for file in files if (found := _problem_with_file(directory, file, contents))), None)


def _problem_with_file(directory: Path, file: FileRecord, contents: bool) -> str | None:
    path = directory / file.name
    if not path.is_file():
        return f"{file.name} is gone"
    if (size := path.stat().st_size) != file.size:
        return f"{file.name} has {size} bytes instead of {file.size}"
    if contents and sha256_of(path) != file.sha256:
        return f"the contents of {file.name} have changed"
    return None
