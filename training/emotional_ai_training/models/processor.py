"""What the processor multiplies in hardware."""

from pathlib import Path
from typing import Final

CPU_DESCRIPTION: Final = Path("/proc/cpuinfo")


def cpu_description() -> str:
    """The system's description of its processors."""
    return CPU_DESCRIPTION.read_text(encoding="ascii", errors="replace")


def multiplies_bf16(description: str) -> bool:
    """Whether a processor so described multiplies bf16; elsewhere it is slower than fp32."""
    return bool(set(description.split()) & {"avx512_bf16", "amx_bf16"})
