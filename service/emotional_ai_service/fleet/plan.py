"""Which processes a fleet consists of: the command of each, its port, its processors."""

import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

OWN: Final = ("workers", "port", "metrics", "usage", "with_parent")
"""Parameters of `serve` that differ from process to process."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One process."""

    index: int
    """From 0."""
    command: tuple[str, ...]
    """All of its command but the port."""
    port: int
    """0 takes a free one, which it then keeps."""
    cpus: frozenset[int]
    """Processors it may run on."""

    def at(self, port: int) -> tuple[str, ...]:
        """The command, listening on a port."""
        return (*self.command, "--port", str(port))


def planned(
    flags: Sequence[str], *, workers: int, port: int, metrics: str | None, usage: str | None, cpus: Collection[int]
) -> list[Plan]:
    """`workers` processes of `serve` with these flags, over the processors there are.

    Ports count up from `port`, and from that of `metrics`, unless they are 0; what tenants used is counted by each process in
    a file of its own. Raises ValueError where the ports would pass 65535.
    """
    if port and port + workers - 1 > 65535:
        raise ValueError(
            f"{workers} workers from port {port} on would need ports beyond 65535; begin lower with --port"
        )
    plans = []
    for index in range(workers):
        own = ["--with-parent"]
        own += ["--metrics", _counted(metrics, index)] if metrics else []
        own += ["--usage", f"{usage}.{index}"] if usage else []
        command = (sys.executable, "-m", "emotional_ai", "serve", *flags, *own)
        plans.append(Plan(index, command, port + index if port else 0, share(cpus, index, workers)))
    return plans


def share(cpus: Collection[int], index: int, workers: int) -> frozenset[int]:
    """An even share of the processors, apart from that of every other worker as long as there are enough."""
    ordered = sorted(cpus)
    return frozenset(ordered[index::workers]) or frozenset((ordered[index % len(ordered)],))


def arguments(parameters: Iterable[Any], given: Iterable[tuple[str, object]]) -> list[str]:
    """Flags as they were given, for another process; those in OWN are left out.

    `parameters` are those of the command, `given` the names and values of those on its command line.
    """
    values = {name: value for name, value in given if name not in OWN}
    flags: list[str] = []
    for parameter in parameters:
        if parameter.name not in values:
            continue
        value = values[parameter.name]
        if value is True:
            flags.append(parameter.opts[0])
            continue
        for one in value if isinstance(value, list | tuple) else (value,):
            flags += [parameter.opts[0], str(one.value if isinstance(one, Enum) else one)]
    return flags


def _counted(address: str, index: int) -> str:
    host, _, port = address.rpartition(":")
    return f"{host}:{int(port) + index}" if int(port) else address
