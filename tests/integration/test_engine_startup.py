"""What keeps a service from starting is said in a line that names it, and nothing is touched; a full disk passes."""

import random
import resource
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from lives import replayed, same
from loopback import PATIENCE, in_file, serve_command, service, service_process
from wire_client import event, refused, stub

from emotional_ai import Client, InvalidArgument, Unavailable
from emotional_ai.v1 import engine_pb2 as pb


def failed_start(*flags: str, port: int = 0, db: Path | None = None) -> str:
    """What a service that does not start says."""
    command = serve_command("--engine-only", *flags, port=port, db=db)
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def test_a_port_in_use_is_named() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        told = failed_start(port=port)
    assert f"127.0.0.1:{port}" in told
    assert "--port" in told


def filled(path: Path) -> None:
    """A store with a session that makes it several pages long."""
    with service(in_file(path)) as address, Client(address) as client:
        client.create_session("ada")
        for _ in range(3):
            client.apply_stimuli("ada", [event(reward=0.1)] * 128)


def torn(path: Path) -> None:
    filled(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def corrupt(path: Path) -> None:
    filled(path)
    whole = bytearray(path.read_bytes())
    whole[2048 + 8 : 4 * 2048] = b"\xa5" * (3 * 2048 - 8)
    path.write_bytes(whole)


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")


@pytest.mark.parametrize("spoil", [torn, corrupt, foreign])
def test_a_file_that_is_no_sound_store_is_named_and_left_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "sessions.db"
    spoil(path)
    before = path.read_bytes()
    told = failed_start(db=path)
    assert str(path) in told.replace(" ", "")
    assert path.read_bytes() == before


@pytest.mark.parametrize("position", [0, 100, 20_000])
def test_a_wrong_byte_in_the_log_of_a_killed_service_is_named_and_nothing_is_lost(
    tmp_path: Path, position: int
) -> None:
    path, log = tmp_path / "sessions.db", tmp_path / "sessions.db-wal"
    with service_process("--engine-only", db=path) as served, Client(served.address) as client:
        client.create_session("ada")
        for _ in range(50):
            client.apply("ada", reward=0.1)
        served.kill()
    whole, database = log.read_bytes(), path.read_bytes()
    damaged = bytearray(whole)
    damaged[position] ^= 0xFF
    log.write_bytes(damaged)
    assert f"{log} is damaged" in failed_start(db=path)
    assert (log.read_bytes(), path.read_bytes()) == (damaged, database)
    log.write_bytes(whole)
    with service(in_file(path)) as address, Client(address) as client:
        assert client.state("ada").version == 51


def test_a_log_of_random_bytes_beside_a_sound_database_is_named_and_left(tmp_path: Path) -> None:
    path, log = tmp_path / "sessions.db", tmp_path / "sessions.db-wal"
    filled(path)
    log.write_bytes(random.Random(1).randbytes(50_000))
    before = log.read_bytes(), path.read_bytes()
    assert f"{log} is damaged" in failed_start(db=path)
    assert (log.read_bytes(), path.read_bytes()) == before


def test_a_store_in_use_by_another_service_is_named(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    with service(in_file(path)) as address, Client(address) as client:
        client.create_session("ada")
        assert "in use by process" in failed_start(db=path)
        assert client.apply("ada", reward=0.1).version == 2


def test_a_store_in_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "sessions.db"
    assert "nowhere" in failed_start(db=path)
    assert not path.parent.exists()


def test_a_full_disk_refuses_writes_keeps_what_was_acknowledged_and_passes(tmp_path: Path) -> None:
    path = tmp_path / "sessions.db"
    with service_process("--engine-only", db=path) as served, stub(served.address) as raw:
        raw.CreateSession(pb.CreateSessionRequest(session_id="ada"))

        def write() -> int:
            return raw.ApplyStimuli(batch()).state.version

        written = fill_up(write, served.process.pid, path)
        error = refused(write)
        assert isinstance(error, Unavailable)
        assert error.reason == "STORE_UNAVAILABLE"
        assert error.retry_after
        state = raw.GetState(pb.GetStateRequest(session_id="ada")).state
        assert state.version == written
        limit(served.process.pid, resource.RLIM_INFINITY)
        assert write() == written + 100
        log = raw.ExportSession(pb.ExportSessionRequest(session_id="ada")).session.entries
        now = raw.GetState(pb.GetStateRequest(session_id="ada")).state
        assert same(now, replayed(log)[-1].at(now.time.ToMicroseconds()))
        served.kill()
    with service(in_file(path)) as address, Client(address) as client:
        assert client.state("ada").version == written + 100


def batch() -> pb.ApplyStimuliRequest:
    return pb.ApplyStimuliRequest(session_id="ada", stimuli=[event(reward=0.1)] * 100)


def fill_up(write: Callable[[], int], process: int, path: Path) -> int:
    """Leaves a process little room to write and writes until there is none; returns the last version acknowledged."""
    version = write()
    limit(process, path.with_name(path.name + "-wal").stat().st_size + 200_000)
    for _ in range(1000):
        try:
            version = write()
        except grpc.RpcError:
            return version
    raise AssertionError("the disk was never full")


def limit(process: int, size: int) -> None:
    """Lets a process write files up to a size, in bytes: to it, a disk that is full."""
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_service_ends_with_the_process_that_holds_its_input() -> None:
    command = serve_command("--engine-only", "--with-parent")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline().startswith("ready ")
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


def test_a_log_from_the_future_is_refused() -> None:
    with service() as address, Client(address) as client:
        client.create_session("ada")
        export = client.export_session("ada")
        export.entries[0].time.seconds += 3600
        with pytest.raises(InvalidArgument, match="future"):
            client.import_session(export, session_id="eve")
