"""Bounds of the contract that clients tell of before they ask the service."""

from typing import Final

LONGEST_TEXT: Final = 32_768
"""Characters of what is said, or of a message of the history."""
MOST_TOKENS: Final = 4096
"""Tokens that may be asked for in a reply."""
GREATEST_SEED: Final = 2**64 - 1
