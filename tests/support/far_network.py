"""A network namespace behind a cable that can be cut: what is sent over it meanwhile is lost, and nobody is told.

    with far_network() as far:
        RedisServer(folder, host=far.host, inside=far.inside)
        far.cut()
        far.mend()

Only root may make one; where that is not permitted, the test is skipped and says so.
"""

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

NOBODY = "02:00:00:00:00:01"
"""A hardware address that no interface has: frames to it are dropped by whoever gets them."""
_MADE = itertools.count()


@dataclass(frozen=True, slots=True)
class FarNetwork:
    """Reached from here at `host`; from there this side is `near`."""

    name: str
    host: str
    near: str

    @property
    def inside(self) -> tuple[str, ...]:
        """What begins a command that is to run there."""
        return ("ip", "netns", "exec", self.name)

    def cut(self) -> None:
        """Loses every packet, in both directions, from now on."""
        for namespace, neighbour, device in self._ends():
            _ip(*namespace, "neigh", "replace", neighbour, "lladdr", NOBODY, "dev", device, "nud", "permanent")

    def mend(self) -> None:
        """Lets packets through again."""
        for namespace, neighbour, device in self._ends():
            _ip(*namespace, "neigh", "del", neighbour, "dev", device)

    def _ends(self) -> tuple[tuple[tuple[str, ...], str, str], ...]:
        return ((), self.host, f"{self.name}n"), (("-n", self.name), self.near, f"{self.name}f")


@contextmanager
def far_network() -> Iterator[FarNetwork]:
    """A network of the test's own."""
    if os.geteuid() != 0:
        pytest.skip("only root may make a network namespace")
    # Processes that test at the same time have other numbers, and so has the next network: the cable of a removed one lingers.
    number = (8 * os.getpid() + next(_MADE)) % 16_000
    third, fourth = divmod(number * 4, 256)
    far = FarNetwork(f"ea{number}", f"10.231.{third}.{fourth + 2}", f"10.231.{third}.{fourth + 1}")
    made = subprocess.run(["ip", "netns", "add", far.name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"no network namespace can be made here: {made.stderr.strip()}")
    try:
        _lay_cable(far)
        yield far
    finally:
        _ip("netns", "del", far.name)  # Takes its end of the cable along, and so the other one.


def _lay_cable(far: FarNetwork) -> None:
    here, there = f"{far.name}n", f"{far.name}f"
    _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", far.name)
    _ip("addr", "add", f"{far.near}/30", "dev", here)
    _ip("link", "set", here, "up")
    _ip("-n", far.name, "addr", "add", f"{far.host}/30", "dev", there)
    for device in ("lo", there):
        _ip("-n", far.name, "link", "set", device, "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, check=True)
