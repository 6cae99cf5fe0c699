"""kill -9 in the middle of ten thousand stimuli: none acknowledged is lost, none is doubled, and the state is the log's."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from loopback import PATIENCE, service_process
from senders import Sender, StreamSender, Tally, UnarySender, assert_stored, assert_whole, send_until_killed
from wire_client import stub

from emotional_ai import Client

STREAMS, BATCHES, IN_A_BATCH = 4, 140, 16
WRITERS, WRITES = 2, 540
STIMULI = STREAMS * BATCHES * IN_A_BATCH + WRITERS * WRITES
FATAL = STIMULI // 2
"""Acknowledged stimuli at which the service is killed."""
SESSIONS = ("ada", "grace")


def test_nothing_acknowledged_is_lost_and_nothing_applies_twice(tmp_path: Path) -> None:
    db, tally = tmp_path / "sessions.db", Tally()
    senders: list[Sender] = [
        *(StreamSender(f"s{index}", SESSIONS[index % 2], tally, BATCHES, IN_A_BATCH) for index in range(STREAMS)),
        *(UnarySender(f"w{index}", SESSIONS[index % 2], tally, WRITES) for index in range(WRITERS)),
    ]
    with ThreadPoolExecutor(len(senders)) as pool:
        with service_process("--engine-only", db=db) as served:
            with Client(served.address) as client:
                for session_id in SESSIONS:
                    client.create_session(session_id)
            tally.at(FATAL, served.kill)
            sending = [pool.submit(send_until_killed, one, served.address) for one in senders]
            ended = [one.result(PATIENCE) for one in sending]
            assert all(
                one.done or code is grpc.StatusCode.UNAVAILABLE for one, code in zip(senders, ended, strict=True)
            )
            assert not all(one.done for one in senders)
        acknowledged = [one.acknowledged for one in senders]
        with (
            service_process("--engine-only", db=db) as served,
            Client(served.address) as client,
            stub(served.address) as raw,
        ):
            for session_id in SESSIONS:
                assert_stored(client.export_session(session_id).entries, senders, session_id)
            for one in [pool.submit(sender.send, raw) for sender in senders]:
                one.result(PATIENCE)
            for session_id in SESSIONS:
                assert_whole(client, senders, session_id)
    for sender, before in zip(senders, acknowledged, strict=True):
        if isinstance(sender, UnarySender):
            assert all(number > before for number in sender.repeated)
            assert len(sender.repeated) <= 1
