"""What a hundred thousand and ten million sessions need, and how long replies wait: the tables of specs/capacity/design.md.

    python benchmarks/capacity.py [--write] [--picture FILE] [--json] [--quick]

Computed from specs/capacity/unit_costs.json, which `unit_costs.py` measures, and from a use that is assumed, below. Queueing is
told twice: by closed forms, and by a simulation of what has none, replies of any length that share a decoder token by token.
The simulation is held to the closed forms where there are some. `--write` puts the tables into the page; a test holds the two
together, so that the page cannot say what this does not compute.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from typing import Final

from apparatus import outcome, queueing

FOLDER: Final = Path(__file__).resolve().parents[1] / "specs" / "capacity"
PAGE: Final = FOLDER / "design.md"
PICTURE: Final = FOLDER.parent / "images" / "capacity.png"
SCALES: Final = (100_000, 10_000_000)
BUSY: Final = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9)
KEPT_DAYS: Final = (1, 7, 30, 365)
DECODERS: Final = (1, 4, 16)
REPLIES: Final = 50_000


@dataclass(frozen=True, slots=True)
class Use:
    """What people do with their agents, at the busiest hour. All of it is assumed: put in your own."""

    online: float = 0.1
    """Share of all sessions that are in use at a time, so that their state is in some replica's memory."""
    updates_per_s: float = 0.02
    """Of a session in use: one in 50 s."""
    reads_per_s: float = 0.05
    """Of a session in use."""
    turns_per_hour: float = 12.0
    """Replies spoken to a session in use."""
    tokens: float = 80.0
    """Tokens of a reply, on the average."""
    busy_hours: float = 8.0
    """Of a day, at the pace of the busiest one."""
    kept_days: float = 30.0
    """How long the log is kept: `serve --retention 30d`."""

    @property
    def kept_updates(self) -> float:
        """Updates in the log of a session, on the average over all."""
        return self.online * self.updates_per_s * 3600 * self.busy_hours * self.kept_days


@dataclass(frozen=True, slots=True)
class Limits:
    """How full things may be. Chosen, for the reasons the page gives."""

    processor: float = 0.6
    """Of the one processor a replica uses."""
    redis_processor: float = 0.6
    """Of the one processor Redis uses for commands."""
    redis_bytes: float = 24e9
    """Data of one Redis server."""
    live_sessions: float = 4_096.0
    """Sessions in a replica's memory, the service's own bound."""
    gpu_tokens_per_s: float = 4_000.0
    """Of one GPU, all replies together. Assumed: it depends on model and GPU more than on anything here."""
    decoder: float = 0.7
    """Of the tokens a decoder can speak."""


USE: Final = Use()
LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Needs:
    """What it takes."""

    sessions: int
    in_use: int
    updates_per_s: float
    reads_per_s: float
    missed: float
    """Share of calls for a session that the replica must read from Redis first, where calls go to any replica of its group."""
    replicas: int
    replicas_apart: int
    """How many it would take if a session's calls stayed at one replica."""
    replica_gb: float
    """Memory of all replicas together, GB."""
    redis_gb: float
    redis_servers: int
    redis_commands_per_s: float
    redis_processors: float
    network_mbit_per_s: float
    """Between clients and replicas."""
    redis_mbit_per_s: float
    """Between replicas and Redis."""
    replies_per_s: float
    tokens_per_s: float
    gpus: int


def units() -> Mapping[str, float]:
    """The figures that were measured."""
    measured: Mapping[str, float] = json.loads((FOLDER / "unit_costs.json").read_text(encoding="utf-8"))["measured"]
    return measured


def needs(sessions: int, unit: Mapping[str, float], use: Use = USE, limits: Limits = LIMITS) -> Needs:
    """What so many sessions take, used so, with nothing fuller than that."""
    in_use = sessions * use.online
    updates, reads = in_use * use.updates_per_s, in_use * use.reads_per_s
    redis_bytes = sessions * (unit["redis_session_bytes"] + use.kept_updates * unit["redis_update_bytes"])
    groups = ceil(redis_bytes / limits.redis_bytes)
    while (found := _reading(in_use, updates, reads, groups, unit, limits)).redis_processors > (
        groups * limits.redis_processor
    ):
        groups += 1
    processors = (updates * unit["update_us"] + reads * unit["read_us"]) / 1e6
    replicas = groups * max(ceil((processors + found.processors) / groups / limits.processor), 2)
    replies = in_use * use.turns_per_hour / 3600
    tokens = replies * use.tokens
    return Needs(
        sessions=sessions,
        in_use=round(in_use),
        updates_per_s=updates,
        reads_per_s=reads,
        missed=found.missed,
        replicas=replicas,
        replicas_apart=groups
        * max(ceil(processors / groups / limits.processor), ceil(in_use / groups / limits.live_sessions), 2),
        replica_gb=replicas
        * (unit["process_bytes"] + (1 - found.missed) * in_use / groups * unit["session_bytes"])
        / 1e9,
        redis_gb=redis_bytes / 1e9,
        redis_servers=groups,
        redis_commands_per_s=updates * unit["update_redis_commands"] + reads * unit["read_redis_commands"],
        redis_processors=found.redis_processors,
        network_mbit_per_s=8e-6 * (updates * unit["update_wire_bytes"] + reads * unit["read_wire_bytes"]),
        redis_mbit_per_s=8e-6 * (updates * unit["update_redis_bytes"] + reads * unit["read_redis_bytes"]),
        replies_per_s=replies,
        tokens_per_s=tokens,
        gpus=ceil(tokens / limits.gpu_tokens_per_s / limits.decoder),
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """What it takes that not every session in use is in the memory of the replica that is called."""

    missed: float
    processors: float
    """Of replicas, for reading sessions anew."""
    redis_processors: float
    """Of all that Redis is asked."""


def _reading(
    in_use: float, updates: float, reads: float, groups: int, unit: Mapping[str, float], limits: Limits
) -> _Reading:
    """The same, with sessions divided among so many groups, each with a Redis and replicas of its own."""
    missed = 1 - min(1.0, limits.live_sessions / (in_use / groups))
    calls = missed * (updates + reads)
    redis = updates * unit["update_redis_us"] + reads * unit["read_redis_us"]
    redis += calls * (unit["cold_redis_us"] - unit["read_redis_us"])
    return _Reading(missed, calls * (unit["cold_us"] - unit["read_us"]) / 1e6, redis / 1e6)


def call(of: Needs, unit: Mapping[str, float]) -> tuple[float, float]:
    """Milliseconds a call takes a replica on the average, and their variance over their mean squared."""
    calls = of.updates_per_s + of.reads_per_s
    extra = unit["cold_us"] - unit["read_us"]
    kinds = [
        (rate / calls * share, (each + more) / 1e3)
        for rate, each in ((of.updates_per_s, unit["update_us"]), (of.reads_per_s, unit["read_us"]))
        for share, more in ((1 - of.missed, 0.0), (of.missed, extra))
    ]
    mean = sum(share * each for share, each in kinds)
    return mean, sum(share * each**2 for share, each in kinds) / mean**2 - 1


def table_of_needs() -> str:
    """Everything both sizes need, a line each."""
    both = [needs(sessions, units()) for sessions in SCALES]
    lines: Sequence[tuple[str, Callable[[Needs], str]]] = (
        ("sessions in use at the busiest hour", lambda n: f"{n.in_use:,}"),
        ("updates, readings a second", lambda n: f"{n.updates_per_s:,.0f}, {n.reads_per_s:,.0f}"),
        ("calls whose session is read from Redis first", lambda n: f"{n.missed:.1%}"),
        ("replicas, one processor each", lambda n: f"{n.replicas:,}"),
        ("memory of all replicas", lambda n: _gb(n.replica_gb)),
        ("Redis: data", lambda n: _gb(n.redis_gb)),
        ("Redis: servers of 24 GB, each with replicas of its own", lambda n: f"{n.redis_servers:,}"),
        ("Redis: commands a second", lambda n: f"{n.redis_commands_per_s:,.0f}"),
        ("Redis: processors busy", lambda n: f"{n.redis_processors:,.2f}"),
        ("network, clients to replicas", lambda n: f"{n.network_mbit_per_s:,.1f} Mbit/s"),
        ("network, replicas to Redis", lambda n: f"{n.redis_mbit_per_s:,.1f} Mbit/s"),
        ("replies a second", lambda n: f"{n.replies_per_s:,.1f}"),
        ("tokens a second", lambda n: f"{n.tokens_per_s:,.0f}"),
        ("GPUs of 4,000 tokens a second, 70 % busy", lambda n: f"{n.gpus:,}"),
    )
    rows = [f"| {what} | {' | '.join(tell(one) for one in both)} |" for what, tell in lines]
    return "\n".join((f"| | {' | '.join(f'{size:,} sessions' for size in SCALES)} |", "|---|---|---|", *rows))


def table_of_units() -> str:
    """What was measured."""
    unit = units()
    rows = (("an update (ApplyStimuli, one stimulus)", "update"), ("a reading (GetState)", "read"))
    cold = f"| a reading of a session not in memory | {unit['cold_us']:g} | {unit['cold_redis_us']:g} | | | |"
    columns = ("_us", "_redis_us", "_redis_commands", "_redis_bytes", "_wire_bytes")
    lines = [f"| {what} | {' | '.join(format(unit[name + one], 'g') for one in columns)} |" for what, name in rows]
    head = "| | replica, us | Redis, us | commands of Redis | bytes of Redis's wire | bytes of the client's wire |"
    memory = (
        f"A replica takes {unit['process_bytes'] / 1e6:.0f} MB, and {unit['session_bytes'] / 1e3:.1f} KB more for a session in "
        f"its memory. In Redis a new session takes {unit['redis_session_bytes'] / 1e3:.1f} KB, each update "
        f"{unit['redis_update_bytes']:.0f} bytes more."
    )
    return "\n".join((head, "|---|---|---|---|---|---|", *lines, cold, "", memory))


def table_of_keeping() -> str:
    """What Redis holds, by how long logs are kept."""
    rows = []
    for days in KEPT_DAYS:
        use = replace(USE, kept_days=days)
        sizes = [needs(sessions, units(), use) for sessions in SCALES]
        cells = [
            f"{_gb(one.redis_gb)}; {one.redis_servers:,}; {one.replicas:,} ({one.replicas_apart:,})" for one in sizes
        ]
        rows.append(f"| {days} d | {use.kept_updates:,.0f} | {' | '.join(cells)} |")
    told = "Data; Redis servers; replicas, and in brackets how many if a session's calls stayed at one of them:"
    head = f"| kept | updates of a session | {' | '.join(f'{size:,} sessions' for size in SCALES)} |"
    return "\n".join((told, "", head, "|---|---|---|---|", *rows))


def row_of_waits(busy: float, count: int = 200_000) -> str:
    """How long calls wait at a replica that is so busy: Pollaczek-Khinchine for the mean, simulated for the rest."""
    each, cv2 = call(needs(SCALES[0], units()), units())
    exact, seen = queueing.mean_wait_mg1(busy, each, cv2), queueing.calls(busy, cv2, count=count)
    return f"| {busy:.0%} | {exact:.1f} ms | {seen.mean * each:.1f} ms | {seen.p99 * each:.0f} ms |"


def table_of_waits() -> str:
    """The same, by how busy it is."""
    each, cv2 = call(needs(SCALES[0], units()), units())
    told = f"A call takes {each:.1f} ms of a replica then, with a variance of {cv2:.2f} times the square of that:"
    head = "| a replica's processor busy | mean wait, closed form | mean wait, simulated | 99th percentile, simulated |"
    return "\n".join((told, "", head, "|---|---|---|---|", *map(row_of_waits, BUSY)))


def row_of_replies(busy: float, count: int = REPLIES) -> str:
    """How long a reply waits for its first step at decoders of our own that are so busy, by how many share a line."""
    cells = [f"{queueing.replies(busy, decoders, count=count).p99:.1f} s" for decoders in DECODERS]
    return f"| {busy:.0%} | {' | '.join(cells)} |"


def table_of_replies() -> str:
    """The same, by how busy they are."""
    head = "| decoders busy | 1 decoder | 4 behind one line | 16 behind one line |"
    return "\n".join((head, "|---|---|---|---|", *map(row_of_replies, BUSY[1:])))


def table_of_checks() -> str:
    """The simulation beside what is known exactly."""
    lines = [f"| {one['what']} | {one['exact']} | {one['simulated']} |" for one in queueing.checked(400_000)]
    return "\n".join(("| in mean times of service | exact | simulated |", "|---|---|---|", *lines))


def _gb(value: float) -> str:
    return f"{value:,.1f} GB" if value < 1000 else f"{value / 1000:,.1f} TB"


TABLES: Final[dict[str, Callable[[], str]]] = {
    "units": table_of_units,
    "needs": table_of_needs,
    "keeping": table_of_keeping,
    "waits": table_of_waits,
    "replies": table_of_replies,
    "checks": table_of_checks,
}
SIMULATED: Final = ("waits", "replies", "checks")


def with_tables(page: str) -> str:
    """The page with what is computed now between its marks."""
    for name, table in TABLES.items():
        begin, end = f"<!-- computed: {name} -->\n", "<!-- end -->"
        before, found, rest = page.partition(begin)
        if not found:
            raise SystemExit(f"{PAGE} has no mark {begin.strip()}")
        page = f"{before}{begin}{table()}\n{end}{rest.partition(end)[2]}"
    return page


def main() -> None:
    """Computes and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a shorter simulation")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw waits against how busy servers are")
    flags = parser.parse_args()
    if flags.write:
        PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    if flags.picture:
        queueing.draw(flags.picture, calls=20_000 if flags.quick else 200_000, replies_each=REPLIES)
    if not flags.json:
        for name, table in TABLES.items():
            if not flags.quick or name not in SIMULATED:
                print(f"{table()}\n")
    found = {f"needs_{size}": asdict(needs(size, units())) for size in SCALES}
    checks = queueing.checked(40_000 if flags.quick else 400_000)
    outcome.show({**found, "simulated_against_closed_form": checks}, only_json=flags.json)


if __name__ == "__main__":
    main()
