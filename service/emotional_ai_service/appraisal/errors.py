"""What the appraisal refuses.

AppraisalError
+-- UnreadableText   a text of which nothing is left once control characters and space are gone
+-- TextTooLong      a text longer than `MAX_CHARACTERS`
"""

from typing import Final

MAX_CHARACTERS: Final = 32_768


class AppraisalError(ValueError):
    """Base of what the appraisal refuses; `index` is the place of the text among those given."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class UnreadableText(AppraisalError):
    """A text of which nothing is left once control characters and space are gone."""

    def __init__(self, index: int) -> None:
        super().__init__(index, f"text {index} holds nothing readable: only control characters or space")


class TextTooLong(AppraisalError):
    """A text longer than `MAX_CHARACTERS`."""

    def __init__(self, index: int, length: int) -> None:
        super().__init__(index, f"text {index} has {length} characters; at most {MAX_CHARACTERS} are appraised")
        self.length = length
