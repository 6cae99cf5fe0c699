"""Services that are compared take turns within every round; a ratio is that of one round, and its median is told."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    calls: int
    """Calls of a burst: of each method, to each service, in a round."""


class Burst(Protocol):
    """What a run of calls saw."""

    @property
    def per_second(self) -> float:
        """Calls a second."""

    @property
    def server_us_per_call(self) -> float:
        """Processor time of a call in the server, in microseconds."""


Name = TypeVar("Name")
Seen = TypeVar("Seen", bound=Burst)


def in_turns(bursts: Mapping[Name, Callable[[int], Seen]], plan: Plan) -> dict[Name, list[Seen]]:
    """The bursts of each name, one a round; each is told how many calls to make."""
    seen: defaultdict[Name, list[Seen]] = defaultdict(list)
    for _ in range(plan.rounds):
        for name, burst in bursts.items():
            seen[name].append(burst(plan.calls))
    return dict(seen)


def beside(seen: Sequence[Burst], plain: Sequence[Burst]) -> dict[str, float]:
    """What bursts saw, and their ratios to those of the same rounds: in both 1 is no cost, and 0.9 is a tenth."""
    pairs = list(zip(seen, plain, strict=True))
    return {
        "calls_per_s": round(median(one.per_second for one in seen)),
        "server_us_per_call": round(median(one.server_us_per_call for one in seen), 1),
        "throughput_ratio": round(median(one.per_second / other.per_second for one, other in pairs), 3),
        "processor_ratio": round(median(other.server_us_per_call / one.server_us_per_call for one, other in pairs), 3),
    }
