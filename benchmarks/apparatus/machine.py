"""The machine a benchmark ran on, and how busy it was."""

import os
import platform
import re
from importlib.metadata import version
from pathlib import Path

from apparatus.outcome import Row
from emotional_ai_training.models import cpu_description, multiplies_bf16


def description() -> Row:
    """What readers need to judge the numbers."""
    cpu = cpu_description()
    named = re.search(r"model name\s*:\s*(.*)", cpu)
    return {
        "processor": named[1] if named else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "multiplies_bf16": multiplies_bf16(cpu),
        "python": platform.python_version(),
        **{package: version(package) for package in ("openvino", "torch", "transformers", "peft")},
    }


def load_average() -> float:
    """Processes that wanted to run, over the last minute."""
    return float(Path("/proc/loadavg").read_text().split()[0])
