"""Modules of benchmarks/ that tests look at: what they import there is found only here, and no longer than it takes."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def _imported(name: str) -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCHMARKS))


frail_disk: Any = _imported("apparatus.frail_disk")
queueing: Any = _imported("apparatus.queueing")
capacity: Any = _imported("capacity")
