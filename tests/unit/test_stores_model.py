"""Each durable store against the one in memory: any sequence of calls, reopening included, has the same outcome on both."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from redis_server import RedisServer

from emotional_ai_service.stores import MemoryStore, Record, SqliteStore, Store, StoreError
from emotional_ai_service.stores.redis import RedisStore

SESSIONS = st.sampled_from(["a", "ab", "b", "é"])
REQUESTS = st.sampled_from(["", "", "r1", "r2", "r3"])
MARKS = st.dictionaries(st.sampled_from(["x", "y"]), st.integers(-(2**63), 2**63 - 1), max_size=2)
PAYLOADS = st.lists(st.binary(max_size=5), min_size=1, max_size=4)
BESIDE = st.sampled_from([0, 0, 0, 0, -1, 1])
"""How far from the true version an append expects to be."""
APPENDS = st.tuples(SESSIONS, BESIDE, PAYLOADS, REQUESTS, MARKS)
Outcome = object


async def outcome_of(call: Callable[[], Awaitable[object] | None]) -> Outcome:
    """What a call answers; for an error its kind and words."""
    try:
        pending = call()
        return await pending if pending is not None else None
    except StoreError as error:
        return type(error), str(error)


async def latest_once(store: Store, session: str) -> list[str]:
    """The request ids of a session, newest first, without repetitions."""
    return list(dict.fromkeys(reversed(await store.recent_requests(session))))


class BothStores(RuleBasedStateMachine):
    """Every rule does the same to both stores and compares what they say; subclasses say what the other store is."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.memory = MemoryStore()
        self.other = self.runner.run(self.opened())
        self.versions: dict[str, int] = {}
        self.time = 0

    async def opened(self) -> Store:
        """The other store, which is begun by the first call and opened again by later ones."""
        raise NotImplementedError

    def teardown(self) -> None:
        self.runner.run(self.other.close())
        self.runner.close()

    def same(self, call: Callable[[Store], Awaitable[object] | None]) -> Outcome:
        async def both() -> tuple[Outcome, Outcome]:
            return await outcome_of(lambda: call(self.memory)), await outcome_of(lambda: call(self.other))

        one, other = self.runner.run(both())
        assert one == other
        return one

    @rule(appends=st.lists(APPENDS, min_size=1, max_size=6))
    def append_several_at_once(self, appends: list[tuple[str, int, list[bytes], str, dict[str, int]]]) -> None:
        calls = []
        for session, beside, payloads, request, marks in appends:
            version = self.versions.get(session, 0)
            expected = max(0, version + beside)
            self.time += 1
            records = [Record(expected + i, self.time, payload) for i, payload in enumerate(payloads, 1)]
            calls.append((session, expected, records, request, marks))
            if expected == version:
                self.versions[session] = version + len(records)

        async def on(store: Store) -> list[Outcome]:
            return await asyncio.gather(
                *(
                    outcome_of(lambda c=call: store.append(c[0], c[1], c[2], request_id=c[3], marks=c[4]))  # type: ignore[misc]
                    for call in calls
                )
            )

        assert self.runner.run(on(self.memory)) == self.runner.run(on(self.other))

    @rule(session=SESSIONS, back=st.integers(-1, 3), payload=st.binary(max_size=5))
    def put_snapshot(self, session: str, back: int, payload: bytes) -> None:
        version = self.versions.get(session, 0) - back
        self.same(lambda store: store.put_snapshot(session, version, payload))

    @rule(session=SESSIONS, back=st.integers(-1, 3), payload=st.binary(max_size=5))
    def trim(self, session: str, back: int, payload: bytes) -> None:
        self.time += 1
        record = Record(max(1, self.versions.get(session, 0) - back), self.time, payload)
        self.same(lambda store: store.trim(session, record))

    @rule(session=SESSIONS, marks=MARKS)
    def note(self, session: str, marks: dict[str, int]) -> None:
        self.same(lambda store: store.note(session, marks))

    @rule(session=SESSIONS)
    def delete(self, session: str) -> None:
        self.same(lambda store: store.delete(session))
        self.versions.pop(session, None)

    @rule()
    def reopen(self) -> None:
        self.runner.run(self.other.close())
        self.other = self.runner.run(self.opened())

    @rule(session=SESSIONS, after=st.integers(0, 6), limit=st.none() | st.integers(0, 6))
    def read(self, session: str, after: int, limit: int | None) -> None:
        self.same(lambda store: store.read(session, after, limit))

    @rule(after=st.just("") | SESSIONS, limit=st.integers(0, 5))
    def list_sessions(self, after: str, limit: int) -> None:
        self.same(lambda store: store.list_sessions(after, limit))

    @rule(session=SESSIONS, request=REQUESTS)
    def look_at_everything_else(self, session: str, request: str) -> None:
        row = self.same(lambda store: store.get_session(session))
        assert (row is None) == (session not in self.versions)
        self.same(lambda store: store.get_snapshot(session))
        self.same(lambda store: store.find_request(session, request))
        self.same(lambda store: latest_once(store, session))
        self.same(lambda store: store.marks(session))


class WithSqlite(BothStores):
    """The other store is a file."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        super().__init__()

    async def opened(self) -> Store:
        return await SqliteStore.open(Path(self.folder.name) / "sessions.db")

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


class WithRedis(BothStores):
    """The other store is a server, emptied before each run."""

    server: RedisServer

    def __init__(self) -> None:
        self.server.ask("FLUSHALL")
        super().__init__()

    async def opened(self) -> Store:
        return await RedisStore.open(self.server.address)


def test_a_file_and_memory_agree() -> None:
    run_state_machine_as_test(WithSqlite, settings=settings(max_examples=25, stateful_step_count=30, deadline=None))


def test_a_redis_server_and_memory_agree(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as WithRedis.server:
        run_state_machine_as_test(WithRedis, settings=settings(max_examples=25, stateful_step_count=30, deadline=None))
