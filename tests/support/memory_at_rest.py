"""Python memory of a session at rest, by tracemalloc, in a process of its own.

    python memory_at_rest.py sqlite|memory|shared

prints the bytes. The process is its own because Python 3.11 crashes where tracemalloc stops while a thread that Python did not
start allocates, and gRPC has such threads for as long as its process lives.
"""

import asyncio
import gc
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import Final

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.core.timeline import Happened
from emotional_ai_service.engine import Engine
from emotional_ai_service.session import Intent
from emotional_ai_service.stores import MemoryStore, SqliteStore, Store

SESSIONS: Final = 400
WARM: Final = 50
NOW_US: Final = 1_700_000_000_000_000
PRAISE: Final = (0.0,) * 4 + (0.5,) + (0.0,) * 7


def taken(store: str) -> float:
    """Bytes of each of many sessions of the standard configuration, each written to once."""
    printed = subprocess.run(
        [sys.executable, __file__, store], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    return float(printed)


async def begin(engine: Engine, name: str, count: int) -> None:
    """Makes sessions and writes to each once."""
    for number in range(count):
        session_id = f"{name}{number}"
        await engine.create(session_id, pb.SessionConfig(), None)
        intent = Intent(Happened(PRAISE), pb.LogEntry(stimulus=pb.Stimulus(event=pb.Signals(praise=0.5))))
        await engine.apply(session_id, [intent], request_id=f"r{number}")


async def opened(kind: str, folder: Path) -> Store:
    """The store of that name."""
    match kind:
        case "sqlite":
            return await SqliteStore.open(folder / "sessions.db")
        case "memory":
            return MemoryStore()
        case "shared":
            return MemoryStore(shared=True)
    raise ValueError(f"no store is called {kind}")


async def main(kind: str) -> None:
    """Measures and prints."""
    with tempfile.TemporaryDirectory() as folder:
        store = await opened(kind, Path(folder))
        engine = Engine(store, lambda: NOW_US)
        await begin(engine, "warm", WARM)
        gc.collect()
        tracemalloc.start()
        await begin(engine, "s", SESSIONS)
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        sys.stdout.write(f"{held / SESSIONS}\n")
        await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
