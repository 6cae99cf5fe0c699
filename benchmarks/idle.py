"""GetState of a session nobody has touched for a simulated month: a bounded number of steps, however long the span.

    python benchmarks/idle.py [--quick] [--json]

Sessions are imported into a SQLite store with a log that begins a month of simulated time ago; then the service is started
anew, so that nothing of them is in memory, and each is read twice. `first` brings the session in from the store and lives
through the month, `again` lives through it alone, as far as nothing of it is remembered. Times are those of the caller.
With a daily rhythm the first session of a kind integrates a day that the others share: it is the longest.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from apparatus import outcome
from apparatus.servers import keep_off_the_server, service
from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2 as pb

MONTH_MINUTES: Final = 30 * 24 * 60
TIME_SCALE: Final = 10.0
"""Simulated minutes per wall minute, the default."""
FULL: Final = 50
QUICK: Final = 10
"""Sessions of each kind."""

KINDS: Final = {
    "default": pb.DynamicsConfig(time_scale=TIME_SCALE),
    "mood": pb.DynamicsConfig(time_scale=TIME_SCALE, mood=pb.MoodConfig()),
    "daily rhythm": pb.DynamicsConfig(time_scale=TIME_SCALE, circadian=pb.CircadianConfig()),
    "mood and daily rhythm": pb.DynamicsConfig(
        time_scale=TIME_SCALE, mood=pb.MoodConfig(), circadian=pb.CircadianConfig()
    ),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """Two reads of one session, in milliseconds."""

    first: float
    again: float


def log_of(dynamics: pb.DynamicsConfig, session_id: str) -> pb.SessionExport:
    """A session that was excited once, a simulated month ago, and left alone."""
    begun = Timestamp()
    begun.FromMicroseconds(int(time.time() * 1e6 - MONTH_MINUTES / TIME_SCALE * 60e6))
    created = pb.SessionCreated(config=pb.SessionConfig(dynamics=dynamics))
    stimulus = pb.Stimulus(event=pb.Signals(threat=0.9, loss=0.6))
    return pb.SessionExport(
        format="emotional-ai/session/1",
        session_id=session_id,
        entries=[
            pb.LogEntry(sequence=1, time=begun, created=created),
            pb.LogEntry(sequence=2, time=begun, stimulus=stimulus),
        ],
    )


def read(client: Client, session_id: str) -> float:
    """Milliseconds a read takes."""
    begun = time.perf_counter()
    client.state(session_id)
    return (time.perf_counter() - begun) * 1e3


def measure(sessions: int) -> outcome.Result:
    """Fresh sessions of every kind, in turns."""
    names = [(kind, f"{kind.replace(' ', '-')}-{number}") for number in range(sessions) for kind in KINDS]
    readings: dict[str, list[Reading]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "idle.db"
        with service("sqlite", path) as server, Client(server.address) as client:
            for kind, session_id in names:
                client.import_session(log_of(KINDS[kind], session_id))
        with service("sqlite", path) as server, Client(server.address) as client:
            keep_off_the_server()
            client.create_session("warm-up")
            for kind, session_id in names:
                readings[kind].append(Reading(read(client, session_id), read(client, session_id)))
    return {"sessions": sessions, "reads": [_row(kind, seen) for kind, seen in readings.items()]}


def _row(kind: str, seen: list[Reading]) -> outcome.Row:
    first = [one.first for one in seen]
    return {
        "dynamics": kind,
        "first_p50_ms": round(median(first), 3),
        "first_p90_ms": round(quantiles(first, n=10)[8], 3),
        "first_longest_ms": round(max(first), 3),
        "again_p50_ms": round(median(one.again for one in seen), 3),
    }


def main() -> None:
    """Measures and prints."""
    flags = outcome.flags(__doc__)
    result = measure(QUICK if flags.quick else FULL)
    outcome.show(result, only_json=flags.json)


if __name__ == "__main__":
    main()
