"""GoEmotions as its authors release it: `train.tsv`, `dev.tsv`, `test.tsv` of text, label ids and comment id."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.emotions.errors import DatasetUnusable
from emotional_ai_training.emotions.files import decoded
from emotional_ai_training.emotions.labels import EMOTIONS
from emotional_ai_training.emotions.text import clean, unmask
from emotional_ai_training.showing import shown


class Split(StrEnum):
    """The three parts of the release."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """Clean texts and their labels, 0 or 1, of shape (texts, emotions); `digest` is the SHA-256 of the file."""

    texts: tuple[str, ...]
    labels: NDArray[np.int8]
    digest: str


def load_split(directory: Path, split: Split) -> LabelledTexts:
    """Reads one part. Raises DatasetUnusable, naming the file and the line, if it is not what the release holds."""
    path = directory / f"{split}.tsv"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetUnusable(path, f"cannot be read: {error.strerror}") from error
    lines = decoded(path, content).rstrip("\n").split("\n")
    if not lines[0]:
        raise DatasetUnusable(path, "it holds no rows")
    labels = np.zeros((len(lines), len(EMOTIONS)), dtype=np.int8)
    texts = []
    for row, line in enumerate(lines):
        text, ids = _parsed(path, row, line)
        texts.append(clean(unmask(text)))
        labels[row, ids] = 1
    return LabelledTexts(tuple(texts), labels, hashlib.sha256(content).hexdigest())


def _parsed(path: Path, row: int, line: str) -> tuple[str, list[int]]:
    fields = line.split("\t")
    if len(fields) != 3:
        raise DatasetUnusable(path, f"line {row + 1} has {len(fields)} fields, not text, label ids and comment id")
    try:
        ids = [int(label) for label in fields[1].split(",")]
    except ValueError as error:
        raise DatasetUnusable(path, f"line {row + 1}: label ids are numbers, not {shown(fields[1])}") from error
    if not all(0 <= label < len(EMOTIONS) for label in ids):
        raise DatasetUnusable(path, f"line {row + 1}: label ids lie in 0..{len(EMOTIONS) - 1}, not {shown(fields[1])}")
    return fields[0], ids
