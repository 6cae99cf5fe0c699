"""How numbers, times and names are written: index.js in the browser, and the same here for what comes as text.

A component that writes some is declared with `esm=ESM` and imports from "emotional-ai-written".
"""

from pathlib import Path
from typing import Final

__all__ = ["ESM", "minus"]

ESM: Final = {"emotional-ai-written": str(Path(__file__).parent)}


def minus(numbers: str) -> str:
    """Numbers with a minus sign that is one, as wide as a plus."""
    return numbers.replace("-", "−")
