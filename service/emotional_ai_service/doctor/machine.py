"""What the machine has: processor, memory, disk, open files, a clock in step."""

import ctypes
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from emotional_ai_service.doctor.finding import Finding, ok, warn, wrong

MIB: Final = 2**20
SPEAKING: Final = 2048
"""MiB that the processes of the models take beside the service, with a cache of the usual size for keys and values."""
SPEAKING_AT_LEAST: Final = 900
"""MiB without which they do not start."""
ENGINE_AT_LEAST: Final = 128
DISK_AT_LEAST: Final = 1024
"""MiB of free disk below which logs, jobs and models soon have no place."""
FILES: Final = 4096
"""Open files; each client and each stream of its own connection is one."""
FAST: Final = ("amx_bf16", "avx512_bf16")
UNSYNCHRONISED: Final = 5
"""What adjtimex answers where nothing keeps the clock in step."""


def processor(description: str, processors: int) -> Iterator[Finding]:
    """Whether the processor multiplies bf16, given the system's description of it."""
    flags, said = set(description.split()), f"{processors} processors"
    fast = [one for one in FAST if one in flags]
    if fast:
        yield ok("processor", f"{said}, bf16 in hardware ({', '.join(fast)}): --precision native computes in bf16")
    elif "avx2" in flags:
        yield ok("processor", f"{said}, AVX2, no bf16 in hardware: --precision native computes in float32")
    else:
        yield warn("processor", f"{said}, no AVX2: replies are slow", "emotional-ai serve --precision int8")


def memory(meminfo: str, *, engine_only: bool) -> Iterator[Finding]:
    """Whether memory suffices, given what /proc/meminfo says."""
    lines = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    if "MemAvailable" not in lines:
        yield warn("memory", "what is available is not known here", "see to it that 2 GiB are free")
        return
    available = int(lines["MemAvailable"].split()[0]) // 1024
    said = f"{available} MiB available"
    least = ENGINE_AT_LEAST if engine_only else SPEAKING_AT_LEAST
    if available < least:
        advice = "free memory" if engine_only else "free memory; or serve --engine-only, which needs 128 MiB"
        yield wrong("memory", f"{said}, {least} MiB are needed", advice)
    elif not engine_only and available < SPEAKING:
        yield warn(
            "memory",
            f"{said}; with {SPEAKING} MiB no cache is too large",
            "emotional-ai serve --kv-memory 256 --max-replies 4",
        )
    else:
        yield ok("memory", said)


def disk(place: Path) -> Iterator[Finding]:
    """Whether there is room where sessions and jobs are kept."""
    there = next(one for one in (place, *place.parents) if one.exists())
    free = shutil.disk_usage(there).free // MIB
    if free < DISK_AT_LEAST:
        yield warn("disk", f"{free} MiB free below {there}", "free some, or name another place with --db and --jobs")
    else:
        yield ok("disk", f"{free} MiB free below {there}")


def files(limit: int | None = None) -> Iterator[Finding]:
    """Whether the process may open enough files; `limit` is the system's if it is not given."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if limit is None else limit
    if 0 <= allowed < FILES:
        yield warn("open files", f"{allowed} at most, fewer than many clients need", f"ulimit -n {FILES}")
    else:
        yield ok("open files", f"{allowed if allowed >= 0 else 'any number'} at most")


def clock(answer: int | None = None) -> Iterator[Finding]:
    """Whether something keeps the clock in step: replicas and clients go by the wall clock. `answer` is adjtimex's."""
    state = _adjtimex() if answer is None else answer
    if state == UNSYNCHRONISED:
        yield warn(
            "clock",
            "nothing keeps it in step; replicas whose clocks differ refuse each other's times",
            "run a time service: apt install chrony",
        )
    elif state < 0:
        yield ok("clock", "whether it is kept in step is not told here")
    else:
        yield ok("clock", "kept in step")


def _adjtimex() -> int:
    """State of the kernel's clock; below 0 where it cannot be asked."""
    buffer = ctypes.create_string_buffer(256)  # struct timex, modes 0: asks, and changes nothing
    asked = getattr(ctypes.CDLL(None), "adjtimex", None)
    return -1 if asked is None else int(asked(buffer))


def processors() -> int:
    """Processors this process may run on."""
    return len(os.sched_getaffinity(0))
