"""Many tenants in one store: each has the store it would have alone, and none can name what another has."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from emotional_ai_service.callers import DEFAULT_TENANT
from emotional_ai_service.stores import (
    AlreadyExists,
    MemoryStore,
    NotFound,
    Record,
    SqliteStore,
    Store,
    StoreError,
    VersionConflict,
)
from emotional_ai_service.stores.base import StoreUnavailable
from emotional_ai_service.tenants import TenantStore, owner_of
from emotional_ai_service.tenants.store import prefix_of

NAMES = (DEFAULT_TENANT, "a", "a-", "a0", "a_", "acme", "b")
"""Names whose keys stand beside each other in the order of a store."""
TENANTS = st.sampled_from(NAMES)
SESSIONS = st.sampled_from(["a", "ab", "b", "Z", "0", "a/b", "z"])
REQUESTS = st.sampled_from(["", "r1", "r2"])
MARKS = st.dictionaries(st.sampled_from(["x", "y"]), st.integers(-9, 9), max_size=2)
ANY_TENANT = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=64)
Outcome = object


async def outcome_of(call: Callable[[], Awaitable[object] | None]) -> Outcome:
    """What a call answers; for an error its kind and words."""
    try:
        pending = call()
        return await pending if pending is not None else None
    except StoreError as error:
        return type(error), str(error), vars(error)


class Apart(RuleBasedStateMachine):
    """Every rule does the same in a tenant's part of the shared store and in a store of the tenant's own."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.shared = self.opened()
        self.parts: dict[str, Store] = {name: TenantStore(self.shared, name) for name in NAMES}
        self.alone: dict[str, Store] = {name: MemoryStore() for name in NAMES}
        self.time = 0

    def opened(self) -> Store:
        return MemoryStore()

    def teardown(self) -> None:
        self.runner.run(self.shared.close())
        self.runner.close()

    def same(self, tenant: str, call: Callable[[Store], Awaitable[object] | None]) -> Outcome:
        async def both() -> tuple[Outcome, Outcome]:
            part, alone = self.parts[tenant], self.alone[tenant]
            return await outcome_of(lambda: call(part)), await outcome_of(lambda: call(alone))

        one, other = self.runner.run(both())
        assert one == other
        return one

    @rule(tenant=TENANTS, session=SESSIONS, expected=st.integers(0, 3), request=REQUESTS, marks=MARKS)
    def append(self, tenant: str, session: str, expected: int, request: str, marks: dict[str, int]) -> None:
        self.time += 1
        record = Record(expected + 1, self.time, tenant.encode())
        self.same(tenant, lambda store: store.append(session, expected, [record], request_id=request, marks=marks))

    @rule(tenant=TENANTS, session=SESSIONS, version=st.integers(1, 3))
    def put_snapshot(self, tenant: str, session: str, version: int) -> None:
        self.same(tenant, lambda store: store.put_snapshot(session, version, tenant.encode()))

    @rule(tenant=TENANTS, session=SESSIONS, version=st.integers(1, 3))
    def trim(self, tenant: str, session: str, version: int) -> None:
        self.same(tenant, lambda store: store.trim(session, Record(version, self.time, b"trimmed")))

    @rule(tenant=TENANTS, session=SESSIONS, marks=MARKS)
    def note(self, tenant: str, session: str, marks: dict[str, int]) -> None:
        self.same(tenant, lambda store: store.note(session, marks))

    @rule(tenant=TENANTS, session=SESSIONS)
    def delete(self, tenant: str, session: str) -> None:
        self.same(tenant, lambda store: store.delete(session))

    @rule(tenant=TENANTS, after=st.just("") | SESSIONS, limit=st.integers(0, 4))
    def list_sessions(self, tenant: str, after: str, limit: int) -> None:
        self.same(tenant, lambda store: store.list_sessions(after, limit))

    @rule(tenant=TENANTS, session=SESSIONS, request=REQUESTS, after=st.integers(0, 2))
    def look(self, tenant: str, session: str, request: str, after: int) -> None:
        self.same(tenant, lambda store: store.read(session, after))
        self.same(tenant, lambda store: store.get_session(session))
        self.same(tenant, lambda store: store.get_snapshot(session))
        self.same(tenant, lambda store: store.find_request(session, request))
        self.same(tenant, lambda store: store.recent_requests(session))
        self.same(tenant, lambda store: store.marks(session))


class ApartInAFile(Apart):
    """The same in a store that answers later."""

    def opened(self) -> Store:
        self.folder = tempfile.TemporaryDirectory()
        return self.runner.run(SqliteStore.open(Path(self.folder.name) / "sessions.db"))

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestEachLivesAsIfAlone = Apart.TestCase
TestEachLivesAsIfAlone.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestEachLivesAsIfAloneInAFile = ApartInAFile.TestCase
TestEachLivesAsIfAloneInAFile.settings = settings(max_examples=10, stateful_step_count=30, deadline=None)


async def keys_of(tenant: str, session_id: str) -> list[str]:
    """The keys of the store underneath that a tenant's session has."""
    store = MemoryStore()
    TenantStore(store, tenant).append(session_id, 0, [Record(1, 1, b"")])
    return [row.session_id for row in await store.list_sessions()]


@given(ANY_TENANT, ANY_TENANT, st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_no_id_escapes_its_tenant_and_no_two_share_a_key(one: str, other: str, session: str, another: str) -> None:
    (key,), (beside,) = asyncio.run(keys_of(one, session)), asyncio.run(keys_of(other, another))
    assert owner_of(key) == (one, session)
    assert (key == beside) == ((one, session) == (other, another))
    assert key.startswith(prefix_of(one))


@pytest.mark.parametrize("name", ["", "A", "a/b", "~", "a~", "ä", "a" * 65, "a\n", "../a", "a b"])
def test_what_cannot_be_a_tenant_has_no_part(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 64 lower-case letters, digits"):
        TenantStore(MemoryStore(), name)


class Later(MemoryStore):
    """Answers appends by futures, as a store does that writes elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[asyncio.Future[None]] = []

    def append(self, session_id: str, *_given: object, **_more: object) -> asyncio.Future[None]:  # type: ignore[override]
        self.pending.append(asyncio.get_running_loop().create_future())
        return self.pending[-1]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NotFound("~acme/ada"), NotFound("ada")),
        (AlreadyExists("~acme/ada"), AlreadyExists("ada")),
        (VersionConflict("~acme/ada", 1, 2), VersionConflict("ada", 1, 2)),
        (
            StoreUnavailable("cannot write ~acme/ada: the disk is full"),
            StoreUnavailable("cannot write ada: the disk is full"),
        ),
        (StoreUnavailable("the disk is full"), StoreUnavailable("the disk is full")),
    ],
)
async def test_an_error_that_comes_later_has_lost_the_prefix_too(error: StoreError, told: StoreError) -> None:
    store = Later()
    pending = TenantStore(store, "acme").append("ada", 0, [Record(1, 1, b"")])
    assert pending is not None
    store.pending[0].set_exception(error)
    with pytest.raises(type(told)) as raised:
        await pending
    assert (str(raised.value), vars(raised.value)) == (str(told), vars(told))


async def test_a_write_that_is_cancelled_underneath_is_cancelled_above() -> None:
    store = Later()
    pending = TenantStore(store, "acme").append("ada", 0, [Record(1, 1, b"")])
    assert pending is not None
    store.pending[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await pending


async def test_a_watch_wakes_for_the_tenants_own_session_alone() -> None:
    store, woken = MemoryStore(shared=True), []
    end = TenantStore(store, "acme").watch("ada", lambda: woken.append("acme"))
    TenantStore(store, "zeta").append("ada", 0, [Record(1, 1, b"")])
    TenantStore(store, DEFAULT_TENANT).append("ada", 0, [Record(1, 1, b"")])
    await asyncio.sleep(0)
    before = len(woken)
    TenantStore(store, "acme").append("ada", 0, [Record(1, 1, b"")])
    await asyncio.sleep(0)
    assert len(woken) == before + 1
    end()


async def test_closing_a_tenants_part_leaves_the_others_theirs() -> None:
    store = MemoryStore()
    await TenantStore(store, "acme").close()
    assert await TenantStore(store, "zeta").list_sessions() == []
