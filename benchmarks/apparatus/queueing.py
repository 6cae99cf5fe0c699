"""Queues: closed forms where there are some, and a simulation of those that have none.

    calls(busy, cv2)         one event loop: calls of many lengths, first come first served           (M/G/1)
    replies(busy, decoders)  replies that share decoders token by token, the rest waiting in a line   (M/G/k, batched)
    checked()                the simulation against M/M/1, M/M/c (Erlang C), M/G/1 (Pollaczek-Khinchine) and M/G/1 shared evenly

Everything is drawn from a generator with a fixed seed, so that the same figures come out each time. The simulation runs in
events: an arrival, or the end of the reply that has least left. Replies of one decoder advance alike, so that what is kept is
how far the decoder has got (tokens spoken to each of those that were there all along), and each reply's end in that measure.
"""

import heapq
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from pathlib import Path
from typing import Final

SEED: Final = 8
WARMING: Final = 0.1
"""Share of what is simulated that is not counted, while the queue fills."""

REPLY_CV2: Final = 1.0
"""Variance of the tokens of a reply, over their mean squared."""
REPLY_TOKENS: Final = 80.0
SLOTS: Final = 16
"""Replies a decoder speaks together; others wait. The service's own default."""
SPOKEN: Final[Sequence[tuple[int, float]]] = ((1, 21.0), (4, 60.0), (16, 116.0))
"""Tokens a second of our decoder on two cores, by how many replies it speaks, a blend for each: the README's table."""

Draw = Callable[[random.Random], float]


@dataclass(frozen=True, slots=True)
class Waits:
    """How long whatever was simulated waited before it began, and stayed until it ended."""

    mean: float
    p99: float
    mean_stay: float


def erlang_c(servers: int, offered: float) -> float:
    """Chance that whoever comes must wait, with so many servers and so many of them busy on the average."""
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return servers * blocked / (servers - offered * (1 - blocked))


def mean_wait_mmc(servers: int, busy: float) -> float:
    """Mean wait, in mean times of service, with service times that are exponential."""
    return erlang_c(servers, servers * busy) / (servers * (1 - busy))


def p99_wait_mmc(servers: int, busy: float) -> float:
    """What 99 of 100 wait at most, in mean times of service."""
    return max(0.0, log(erlang_c(servers, servers * busy) / 0.01) / (servers * (1 - busy)))


def mean_wait_mg1(busy: float, mean: float, cv2: float) -> float:
    """Mean wait for one server whose service takes `mean`, with variance `cv2 * mean**2`: Pollaczek-Khinchine."""
    return busy * mean * (1 + cv2) / (2 * (1 - busy))


def exponential(mean: float) -> Draw:
    """Lengths without memory."""
    return lambda chance: chance.expovariate(1 / mean)


def lognormal(mean: float, cv2: float) -> Draw:
    """Lengths most of which are short, and a few very long."""
    spread = sqrt(log(1 + cv2))
    middle = log(mean) - spread * spread / 2
    return lambda chance: exp(chance.gauss(middle, spread))


def spoken(count: int) -> float:
    """Tokens a second of a decoder that speaks `count` replies, as measured, and in between by a straight line."""
    counts = [known for known, _ in SPOKEN]
    if count >= counts[-1]:
        return SPOKEN[-1][1]
    at = bisect_right(counts, count)
    (low, slow), (high, fast) = SPOKEN[at - 1], SPOKEN[at]
    return slow + (fast - slow) * (count - low) / (high - low)


@dataclass(slots=True)
class _Server:
    """One that works on several things alike: how far it has got, and at which point each of them ends."""

    reached: float = 0.0
    seen: float = 0.0
    """When it had got there."""
    ends: list[tuple[float, float]] | None = None
    """(point of its end, when it came), least first."""

    def move(self, now: float, pace: Callable[[int], float]) -> None:
        """Has it work until `now`."""
        if self.ends:
            self.reached += (now - self.seen) * pace(len(self.ends)) / len(self.ends)
        self.seen = now

    def next_end(self, pace: Callable[[int], float]) -> float:
        """When the first of them ends, if nothing else comes."""
        if not self.ends:
            return float("inf")
        return self.seen + (self.ends[0][0] - self.reached) * len(self.ends) / pace(len(self.ends))


def simulate(
    rate: float,
    length: Draw,
    *,
    count: int,
    servers: int = 1,
    slots: int = 1,
    pace: Callable[[int], float] = lambda _: 1.0,
    seed: int = SEED,
) -> Waits:
    """`count` arrivals at random, `rate` a second, in one line before `servers` that work on up to `slots` each.

    `pace(n)` is what a server gets done in a second while it works on n, all together.
    """
    chance = random.Random(seed)
    working = [_Server(ends=[]) for _ in range(servers)]
    line: deque[tuple[float, float]] = deque()
    waits: list[float] = []
    stays: list[float] = []
    arrival, arrived = chance.expovariate(rate), 0
    while arrived < count or line or any(server.ends for server in working):
        ending = min(working, key=lambda server: server.next_end(pace))
        end = ending.next_end(pace)
        if arrived < count and arrival <= end:
            now = arrival
            line.append((now, length(chance)))
            arrived += 1
            arrival = now + chance.expovariate(rate)
        else:
            now = end
            ending.move(now, pace)
            assert ending.ends is not None
            stays.append(now - heapq.heappop(ending.ends)[1])
        while line:
            free = min(working, key=lambda server: len(server.ends or ()))
            assert free.ends is not None
            if len(free.ends) >= slots:
                break
            came, size = line.popleft()
            free.move(now, pace)
            heapq.heappush(free.ends, (free.reached + size, came))
            waits.append(now - came)
    counted = sorted(waits[int(count * WARMING) :])
    stayed = stays[int(count * WARMING) :]
    return Waits(sum(counted) / len(counted), counted[int(0.99 * len(counted))], sum(stayed) / len(stayed))


def calls(busy: float, cv2: float, *, count: int) -> Waits:
    """Waits of calls at one event loop that is `busy`, in mean times of a call, whose variance is `cv2` of their square."""
    return simulate(busy, lognormal(1.0, cv2), count=count)


def replies(busy: float, decoders: int, *, count: int) -> Waits:
    """Seconds that replies wait before decoders of our own that are `busy`: so much of what they could speak is asked for."""
    rate = busy * decoders * spoken(SLOTS) / REPLY_TOKENS
    length = lognormal(REPLY_TOKENS, REPLY_CV2)
    return simulate(rate, length, count=count, servers=decoders, slots=SLOTS, pace=spoken)


def checked(count: int) -> list[dict[str, float | str]]:
    """The simulation beside what is known exactly."""
    cases = (
        ("M/M/1, mean wait", simulate(0.7, exponential(1.0), count=count).mean, mean_wait_mmc(1, 0.7)),
        ("M/M/1, 99th percentile", simulate(0.7, exponential(1.0), count=count).p99, p99_wait_mmc(1, 0.7)),
        ("M/M/8, mean wait", simulate(0.8 * 8, exponential(1.0), count=count, servers=8).mean, mean_wait_mmc(8, 0.8)),
        (
            "M/M/8, 99th percentile",
            simulate(0.8 * 8, exponential(1.0), count=count, servers=8).p99,
            p99_wait_mmc(8, 0.8),
        ),
        ("M/G/1, mean wait", simulate(0.6, lognormal(1.0, 0.5), count=count).mean, mean_wait_mg1(0.6, 1.0, 0.5)),
        # Of a server that is shared evenly by all who come, the mean stay depends on nothing but how busy it is.
        (
            "M/G/1 shared, mean stay",
            simulate(0.6, lognormal(1.0, 1.0), count=count, slots=10**9).mean_stay,
            1 / (1 - 0.6),
        ),
    )
    return [
        {"what": what, "simulated": round(seen, 3), "exact": round(exact, 3), "ratio": round(seen / exact, 3)}
        for what, seen, exact in cases
    ]


def draw(path: Path, *, calls: int, replies_each: int) -> None:
    """Waits against how busy servers are: lines are closed forms, dots the simulation."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    shares = [share / 100 for share in range(10, 96)]
    some = (0.3, 0.5, 0.7, 0.8, 0.9)
    for servers, colour in ((1, "#8c4b9e"), (4, "#2a7f9e"), (16, "#3f8f4f")):
        left.plot(
            shares, [p99_wait_mmc(servers, share) for share in shares], color=colour, label=f"{servers}, Erlang C"
        )
        seen = [simulate(share * servers, exponential(1.0), count=calls, servers=servers).p99 for share in some]
        left.plot(some, seen, "o", color=colour)
        waits = [replies(share, servers, count=replies_each).p99 for share in some]
        right.plot(some, waits, "o-", color=colour, label=f"{servers} decoder{'s' if servers > 1 else ''}")
    left.set(
        title="one at a time: 99th percentile of waits", xlabel="busy", ylabel="mean times of service", ylim=(0, 20)
    )
    right.set(title="16 replies together on each decoder", xlabel="busy", ylabel="seconds before the first step")
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": ""})
    plt.close(figure)
