"""The small parts: names, turns, promises, the compute thread, settings."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_training.tinker_server.compute import Compute, Task, attempt
from emotional_ai_training.tinker_server.engine import (
    Checkpoint,
    CheckpointStore,
    LoraSettings,
    RunRecord,
    expiry,
)
from emotional_ai_training.tinker_server.engine.batching import rectangles
from emotional_ai_training.tinker_server.engine.checkpoints import Contents
from emotional_ai_training.tinker_server.errors import InvalidRequest, NotServable, UnknownName
from emotional_ai_training.tinker_server.futures import KEPT_SECONDS, Futures
from emotional_ai_training.tinker_server.names import CheckpointPath, Kind, check_name, parse_path
from emotional_ai_training.tinker_server.replies import Reply, answer
from emotional_ai_training.tinker_server.settings import ServerSettings, new_key
from emotional_ai_training.tinker_server.turns import Turns

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PATH = CheckpointPath("abc:train:0", Kind.TRAINING, "one")


def checkpoint(path: CheckpointPath = PATH, expires: datetime | None = None) -> Checkpoint:
    return Checkpoint(path, "tiny", LoraSettings(4), NOW, 0, 3, {"who": "me"}, expires)


def contents(value: float = 1.0) -> Contents:
    return Contents({"w": torch.full((3,), value)}, (torch.zeros(3), torch.ones(3), 3))


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "a b", "é", "a" * 129, ".hidden", "a\n", "a\x00"]
)
def test_a_name_that_could_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match="checkpoint name"):
        check_name(name)


@pytest.mark.parametrize(
    "path",
    [
        "tinker://abc:train:0/weights/../../etc",
        "tinker://../weights/x",
        "tinker://abc:train:0/ephemeral_weights/x",
        "file:///etc/passwd",
        "tinker://abc:train:0/weights",
        "tinker:///weights/x",
        "tinker://a:b/weights/x",
    ],
)
def test_a_path_that_is_no_checkpoint_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_path(path)


@given(st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,100}", fullmatch=True), st.sampled_from(list(Kind)[:3]))
def test_a_path_reads_back_as_it_was_written(name: str, kind: Kind) -> None:
    path = CheckpointPath("0f:train:12", kind, name)
    assert parse_path(str(path)) == path


def test_requests_run_in_the_order_of_their_numbers() -> None:
    turns = Turns()
    tasks = {number: Task(lambda: Reply(b""), lambda _: None) for number in range(1, 5)}
    assert turns.admit(3, tasks[3], 0.0) == []
    assert turns.admit(2, tasks[2], 1.0) == []
    assert turns.admit(1, tasks[1], 2.0) == [tasks[1], tasks[2], tasks[3]]
    assert turns.admit(4, tasks[4], 3.0) == [tasks[4]]


def test_a_request_that_never_comes_is_given_up_and_the_numbers_go_on() -> None:
    turns = Turns()
    task = Task(lambda: Reply(b""), lambda _: None)
    turns.admit(2, task, 5.0)
    turns.admit(3, task, 9.0)
    assert turns.overdue(5.0) == []
    assert [number for number, _ in turns.overdue(6.0)] == [2, 3]
    assert turns.admit(4, task, 10.0) == [task]


async def test_a_promise_is_answered_again_and_again_until_it_is_old() -> None:
    now = [0.0]
    futures = Futures(lambda: now[0])
    futures.open("a")
    assert futures.pending == 1
    waiting = asyncio.create_task(futures.wait("a", 30))
    futures.resolve("a", answer({"x": 1}))
    assert await waiting == await futures.wait("a", 0.0) == answer({"x": 1})
    assert futures.pending == 0
    now[0] = KEPT_SECONDS + 1
    futures.open("b")
    futures.resolve("b", answer({}))
    with pytest.raises(KeyError):
        await futures.wait("a", 0.0)
    assert await futures.wait("b", 0.0) == answer({})


async def test_a_promise_that_takes_long_says_so() -> None:
    futures = Futures(lambda: 0.0)
    futures.open("a")
    assert await futures.wait("a", 0.01) is None


def test_work_that_fails_is_answered_and_the_next_runs() -> None:
    answers: list[bytes] = []
    done = threading.Event()

    def fails() -> Reply:
        raise ZeroDivisionError("boom")

    def last(reply: Reply) -> None:
        answers.append(reply.body)
        done.set()

    compute = Compute(lambda _weights, _requests: [])
    compute.start()
    compute.submit(Task(fails, lambda reply: answers.append(reply.body)))
    compute.submit(Task(lambda: answer({"fine": True}), last))
    assert done.wait(30)
    compute.stop()
    assert b"ZeroDivisionError: boom" in answers[0]
    assert b'"server"' in answers[0]
    assert answers[1] == b'{"fine": true}'


def test_whose_fault_a_failure_is_goes_with_it() -> None:
    def refuses() -> Reply:
        raise InvalidRequest("no")

    def full() -> Reply:
        raise OSError(28, "No space left on device")

    assert b'"user"' in attempt(refuses).body
    assert b"cannot read or write its state: [Errno 28] No space left" in attempt(full).body


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 120))
def test_every_sequence_is_in_one_rectangle_once_and_unpadded_places_hold_it(lengths: list[int], limit: int) -> None:
    sequences = [[place + 1] * length for place, length in enumerate(lengths)]
    seen = []
    for rectangle in rectangles(sequences, limit):
        assert len(rectangle.members) == 1 or rectangle.tokens.numel() <= limit
        real = rectangle.tokens.flatten()[rectangle.positions(lengths)].tolist()
        assert real == [token for member in rectangle.members for token in sequences[member]]
        seen += rectangle.members
    assert sorted(seen) == list(range(len(lengths)))


def test_a_checkpoint_reads_back_as_it_was_saved(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    saved = store.save(checkpoint(), contents(), overwrite=False)
    found, loaded = CheckpointStore(tmp_path).load(PATH, NOW)
    assert found == saved
    assert found.user_metadata == {"who": "me"}
    assert torch.equal(loaded.adapter["w"], torch.ones(3))
    assert loaded.moments is not None
    assert loaded.moments[2] == 3


def test_a_taken_name_is_refused_unless_it_may_be_overwritten(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(checkpoint(), contents(), overwrite=False)
    with pytest.raises(InvalidRequest, match="exists"):
        store.save(checkpoint(), contents(2.0), overwrite=False)
    store.save(checkpoint(), contents(3.0), overwrite=True)
    assert store.load(PATH, NOW)[1].adapter["w"][0] == 3


def test_an_expired_checkpoint_is_gone(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.save(checkpoint(expires=expiry(3600, NOW)), contents(), overwrite=False)
    assert store.get(PATH, NOW).path == PATH
    later = NOW + timedelta(hours=1)
    with pytest.raises(UnknownName):
        store.get(PATH, later)
    assert store.checkpoints(PATH.run_id, later) == []


@pytest.mark.parametrize("seconds", [0, 3599, -1, 10**10])
def test_a_time_to_live_outside_an_hour_to_ten_years_is_refused(seconds: int) -> None:
    with pytest.raises(InvalidRequest, match="ttl_seconds"):
        expiry(seconds, NOW)


def test_what_a_killed_server_left_half_written_is_removed_and_never_listed(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path)
    store.add_run(RunRecord(PATH.run_id, "tiny", LoraSettings(4), {}, NOW))
    saved = store.save(checkpoint(), contents(), overwrite=False)
    torn = tmp_path / "runs" / PATH.run_id / "weights" / ".two.safetensors.99.new"
    torn.write_bytes(b"half")
    (tmp_path / "runs" / "abc:train:7").mkdir()
    assert store.checkpoints(PATH.run_id, NOW) == [saved]
    assert [run.run_id for run in store.runs()] == [PATH.run_id]
    store.tidy()
    assert not torn.exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.org"])
def test_an_address_beyond_this_machine_needs_its_flag(host: str, tmp_path: Path) -> None:
    with pytest.raises(NotServable, match="--listen-beyond-loopback"):
        ServerSettings(tmp_path, tmp_path, "tml-k", host=host)
    ServerSettings(tmp_path, tmp_path, "tml-k", host=host, listen_beyond_loopback=True)


@pytest.mark.parametrize("key", ["", "tml-", "secret", "tml-a b", "tml-\n"])
def test_a_key_the_sdk_would_not_send_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(NotServable, match="tml-"):
        ServerSettings(tmp_path, tmp_path, key)


def test_new_keys_are_fit_to_be_sent_and_are_not_shown(tmp_path: Path) -> None:
    settings = ServerSettings(tmp_path, tmp_path, new_key())
    assert settings.key not in repr(settings)
    assert new_key() != new_key()
