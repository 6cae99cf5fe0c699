"""Files that a user brings: their bytes as text."""

from pathlib import Path

from emotional_ai_training.emotions.errors import DatasetUnusable


def decoded(path: Path, content: bytes) -> str:
    """The text of a file, without the mark that Excel begins it with. Raises DatasetUnusable, naming the line, if not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        *lines, begun = error.object[: error.start].split(b"\n")  # error.object lacks the mark
        problem = f"line {len(lines) + 1}: not UTF-8: {error.reason} at byte {len(begun)}; save the file as UTF-8"
        raise DatasetUnusable(path, problem) from error
