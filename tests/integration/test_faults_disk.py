"""The disk of a service is full in the middle of its work: refused in words, and everything is applied once there is room."""

import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from loopback import PATIENCE, service_process
from request_ledger import assert_agrees
from senders import Sender, StreamSender, Tally, UnarySender, send_to_any
from wire_client import refused

from emotional_ai import Client

STREAMS, WRITERS = 2, 3


def test_a_full_disk_refuses_writes_and_readings_go_on_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    tally, half, db = Tally(), threading.Event(), tmp_path / "sessions.db"
    senders: list[Sender] = [
        *(StreamSender(f"s{index}", "ada", tally, 40, 8) for index in range(STREAMS)),
        *(UnarySender(f"w{index}", "ada", tally, 150) for index in range(WRITERS)),
    ]
    tally.at(sum(one.stimuli for one in senders) // 2, half.set)
    with (
        service_process("--engine-only", db=db) as served,
        Client(served.address) as client,
        ThreadPoolExecutor(len(senders)) as pool,
    ):
        client.create_session("ada")
        work = [pool.submit(send_to_any, one, [served.address]) for one in senders]
        assert half.wait(PATIENCE)
        # No file of that process grows any more.
        _, most = resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        error = refused(lambda: client.create_session("grace"))
        assert (error.reason, str(db) in error.message) == ("STORE_UNAVAILABLE", True)
        assert client.state("ada").version > 1
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (most, most))
        for one in work:
            one.result(PATIENCE)
        assert_agrees(client, senders, "ada")
    with service_process("--engine-only", db=db) as served, Client(served.address) as client:
        assert_agrees(client, senders, "ada")
