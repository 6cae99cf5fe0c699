"""A disk that loses power: what had not reached it is gone, whatever the kernel of the machine still held in memory.

    with frail_disk(folder) as disk:
        ... a process keeps its files in disk.path ...
        with disk.lose_power(pid, folder / "copy", folder / "again") as found: ...

The disk is a file that is mounted as one; what lies in `found` is what a machine finds when it is switched on again. Only root
may mount.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MEBIBYTES: Final = 64
PATIENCE: Final = 30.0
"""Seconds a process may take to stand still."""


class Unmountable(OSError):
    """No disk can be mounted here."""


@dataclass(frozen=True, slots=True)
class FrailDisk:
    """Mounted at `path`; what reached it is in `image`."""

    path: Path
    image: Path

    @contextmanager
    def lose_power(self, pid: int, image: Path, mounted: Path) -> Iterator[Path]:
        """Stops a process for good at once; yields where what it had really stored can be read, by way of `image`."""
        os.kill(pid, signal.SIGSTOP)
        _wait_until_still(
            pid
        )  # What it waits for the disk to do was never acknowledged, but must not be half in the copy.
        shutil.copyfile(self.image, image)
        os.kill(pid, signal.SIGKILL)
        with _mounted(image, mounted):
            yield mounted


@contextmanager
def frail_disk(folder: Path) -> Iterator[FrailDisk]:
    """A disk of the caller's own. Raises Unmountable where it may not be."""
    if os.geteuid() != 0:
        raise Unmountable("only root may mount a disk that loses power")
    folder.mkdir(parents=True)
    image = folder / "image"
    with image.open("wb") as file:
        file.truncate(MEBIBYTES << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], capture_output=True, check=True)
    with _mounted(image, folder / "disk") as path:
        yield FrailDisk(path, image)


@contextmanager
def _mounted(image: Path, where: Path) -> Iterator[Path]:
    where.mkdir()
    # By itself the kernel writes nothing for as long as it may, so that only what was synced survives.
    command = ["mount", "-o", "loop,commit=300", str(image), str(where)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unmountable(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


def _wait_until_still(pid: int) -> None:
    end = time.monotonic() + PATIENCE
    while not all(_still(task) for task in Path(f"/proc/{pid}/task").iterdir()):
        if time.monotonic() > end:
            raise TimeoutError(f"process {pid} does not stand still")


def _still(task: Path) -> bool:
    return (task / "stat").read_text().rpartition(")")[2].split()[0] == "T"
