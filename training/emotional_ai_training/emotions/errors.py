"""What the reading of emotions refuses.

EmotionsError
+-- EncoderUnusable   a directory that holds no sentence encoder
+-- WeightsDamaged    a weights file that is missing, torn, or not the one it was trained to be
+-- DatasetUnusable   a data directory or row that cannot be trained on
"""

from pathlib import Path


class EmotionsError(Exception):
    """Base of what this package raises on purpose."""


class EncoderUnusable(EmotionsError):
    """A directory that holds no sentence encoder."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(f"{directory}: no usable sentence encoder: {reason}")
        self.directory = directory


class WeightsDamaged(EmotionsError):
    """A weights file that is missing, torn, or not the one it was trained to be."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; restore the file, or train anew with `emotional-ai train appraiser`")
        self.path = path


class DatasetUnusable(EmotionsError):
    """A data directory or row that cannot be trained on."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
