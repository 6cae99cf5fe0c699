"""What the judge refuses, beside what `emotions` refuses for it (no encoder, no usable data).

EmotionsError
+-- JudgeDamaged      a weights file that is missing, torn, or not the one it was trained to be
"""

from pathlib import Path

from emotional_ai_training.emotions import EmotionsError


class JudgeDamaged(EmotionsError):
    """A weights file that is missing, torn, or not the one it was trained to be."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}; restore the file, or train anew with `emotional-ai train judge`")
        self.path = path
