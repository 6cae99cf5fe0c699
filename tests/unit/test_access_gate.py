"""The gate without a network: metadata of every kind, scopes, and how wrong tokens are counted."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai.v1 import engine_pb2, inference_pb2, training_pb2
from emotional_ai_service.access import REFLECTION, SCOPES, Gate, allows
from emotional_ai_service.access.guesses import ADDRESSES, BURST, PER_SECOND, Guesses, address_of
from emotional_ai_service.access.keyring import Keyring
from emotional_ai_service.access.token import Kept, Token, digest_of, id_of, written
from emotional_ai_service.callers import ANYBODY, Scope, caller
from emotional_ai_service.errors import (
    InvalidRequest,
    NoToken,
    ScopeMissing,
    ServiceError,
    TokenGuessing,
    TokenUnknown,
)
from emotional_ai_service.refusal import status_of

SCOPE_SETS = [frozenset(chosen) for size in range(5) for chosen in combinations(Scope, size)]
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=400)
VALUES = (
    ANYTHING | st.binary(max_size=400) | ANYTHING.map("Bearer {}".format) | ANYTHING.map("Bearer ea_0a1b2c3d_{}".format)
)
METADATA = st.lists(st.tuples(st.sampled_from(["authorization", "emotional-tenant", "other"]), VALUES), max_size=5)


@dataclass(frozen=True, slots=True)
class Call:
    """A call as the gate sees one."""

    metadata: Sequence[tuple[str, str | bytes]] | None
    address: str = "ipv4:192.0.2.1:5000"

    def invocation_metadata(self) -> object:
        return self.metadata

    def peer(self) -> str:
        return self.address


def bearer(text: str, *, tenant: str | None = None, address: str = "ipv4:192.0.2.1:5000") -> Call:
    named = [] if tenant is None else [("emotional-tenant", tenant)]
    return Call([("authorization", f"Bearer {text}"), *named], address)


def gate_of(text: str, *scopes: Scope) -> Gate:
    token = Token(id_of(text) or "", "acme", frozenset(scopes), 0, secrets=(Kept(digest_of(text)),))
    return Gate(Keyring([token]), lambda: 0)


def test_every_rpc_of_the_contract_needs_a_scope_and_nothing_else_is_in_the_table() -> None:
    files = (engine_pb2.DESCRIPTOR, inference_pb2.DESCRIPTOR, training_pb2.DESCRIPTOR)
    services = [service for file in files for service in file.services_by_name.values()]
    methods = {method.full_name for service in (*services, REFLECTION) for method in service.methods}
    assert set(SCOPES) == methods
    assert Scope.ADMIN not in SCOPES.values()


@given(st.sampled_from(SCOPE_SETS), st.sampled_from(SCOPE_SETS), st.sampled_from(Scope))
def test_more_scopes_never_allow_less_and_admin_allows_all(
    one: frozenset[Scope], other: frozenset[Scope], needed: Scope
) -> None:
    assert allows(one | other, needed) == (allows(one, needed) or allows(other, needed))
    assert allows(one | {Scope.ADMIN}, needed)
    assert allows(one, needed) == (needed in one or Scope.ADMIN in one)


@given(METADATA)
def test_no_metadata_is_a_fault_and_none_of_it_lets_a_stranger_in(metadata: list[tuple[str, str | bytes]]) -> None:
    async def asked() -> None:
        with pytest.raises((NoToken, TokenUnknown)):
            gate_of(written("0a1b2c3d"), *Scope).admit(Scope.READ, Call(metadata))

    logging.disable(logging.WARNING)
    try:
        asyncio.run(asked())
    finally:
        logging.disable(logging.NOTSET)


@given(VALUES)
def test_no_name_of_a_tenant_is_a_fault_and_only_its_own_lets_a_token_in(tenant: str | bytes) -> None:
    text = written("0a1b2c3d")
    call = Call([("authorization", f"Bearer {text}"), ("emotional-tenant", tenant)])
    named = tenant if isinstance(tenant, str) else tenant.decode("latin-1")

    async def asked() -> None:
        if named in ("", "acme"):
            gate_of(text, Scope.READ).admit(Scope.READ, call)
        else:
            with pytest.raises(ScopeMissing):
                gate_of(text, Scope.READ).admit(Scope.READ, call)
        try:
            gate_of(text, Scope.ADMIN).admit(Scope.READ, call)
        except InvalidRequest as error:
            assert [one.field for one in error.violations] == ["emotional-tenant"]  # noqa: PT017
        else:
            assert caller().tenant == (named or "acme")

    asyncio.run(asked())


async def test_a_call_without_metadata_has_no_token() -> None:
    with pytest.raises(NoToken):
        gate_of(written("0a1b2c3d"), Scope.READ).admit(Scope.READ, Call(None))


async def test_the_kind_of_authorization_is_read_as_http_reads_it_and_two_are_none() -> None:
    text = written("0a1b2c3d")
    gate = gate_of(text, Scope.READ)
    for value in (f"Bearer {text}", f"bearer {text}", f"BEARER  {text} "):
        gate.admit(Scope.READ, Call([("authorization", value)]))
    for value in (text, f"Basic {text}", f"Bearer{text}", "Bearer ", ""):
        with pytest.raises(NoToken):
            gate.admit(Scope.READ, Call([("authorization", value)]))
    with pytest.raises(NoToken):
        gate.admit(Scope.READ, Call([("authorization", f"Bearer {text}")] * 2))


async def test_who_calls_is_known_after_the_gate() -> None:
    text = written("0a1b2c3d")
    assert caller() == ANYBODY
    gate_of(text, Scope.READ, Scope.WRITE).admit(Scope.READ, bearer(text))
    assert (caller().tenant, caller().token_id) == ("acme", "0a1b2c3d")
    assert caller().scopes == {Scope.READ, Scope.WRITE}


async def test_two_names_of_tenants_are_no_tenant() -> None:
    text = written("0a1b2c3d")
    call = Call([("authorization", f"Bearer {text}"), ("emotional-tenant", "one"), ("emotional-tenant", "two")])
    with pytest.raises(InvalidRequest, match="emotional-tenant"):
        gate_of(text, Scope.ADMIN).admit(Scope.READ, call)


async def test_a_wrong_id_and_a_wrong_secret_are_answered_in_the_same_bytes() -> None:
    gate = gate_of(written("0a1b2c3d"), Scope.READ)
    answers = []
    for wrong in (written("0a1b2c3d"), written("ffffffff"), "no token at all"):
        with pytest.raises(ServiceError) as told:
            gate.admit(Scope.READ, bearer(wrong))
        answers.append(status_of(told.value).SerializeToString(deterministic=True))
    assert len(set(answers)) == 1


async def test_who_shows_a_wrong_token_is_logged_with_its_public_id_alone(caplog: pytest.LogCaptureFixture) -> None:
    gate, wrong = gate_of(written("0a1b2c3d"), Scope.READ), written("0a1b2c3d")
    for text in (wrong, "password"):
        with pytest.raises(TokenUnknown):
            gate.admit(Scope.READ, bearer(text))
    assert [record.getMessage() for record in caplog.records] == [
        "a token that is not known, of the id 0a1b2c3d, was shown by 192.0.2.1",
        "a token that is not known, of another form, was shown by 192.0.2.1",
    ]


async def test_guesses_are_told_to_wait_and_a_token_that_is_known_passes_all_the_same() -> None:
    text = written("0a1b2c3d")
    gate = gate_of(text, Scope.READ)
    for _ in range(BURST):
        with pytest.raises(TokenUnknown):
            gate.admit(Scope.READ, bearer(written("0a1b2c3d")))
    with pytest.raises(TokenGuessing) as told:
        gate.admit(Scope.READ, bearer(written("0a1b2c3d"), address="ipv4:192.0.2.1:6000"))
    assert 0 < told.value.retry_seconds <= 1 / PER_SECOND
    gate.admit(Scope.READ, bearer(text))
    with pytest.raises(TokenUnknown):
        gate.admit(Scope.READ, bearer(written("0a1b2c3d"), address="ipv4:192.0.2.2:5000"))


@given(st.lists(st.floats(0, 5), min_size=1, max_size=80))
def test_no_address_has_more_guesses_looked_at_than_its_burst_and_its_rate(pauses: list[float]) -> None:
    guesses, now, looked_at = Guesses(), 0.0, 0
    for pause in pauses:
        now += pause
        wait = guesses.wait("ipv4:192.0.2.1:1", now)
        looked_at += wait == 0
        assert wait <= 1 / PER_SECOND
    assert looked_at <= BURST + now * PER_SECOND + 1e-6
    assert looked_at >= min(len(pauses), BURST)


def test_who_waits_as_long_as_told_is_looked_at_again() -> None:
    guesses = Guesses()
    waits = [guesses.wait("ipv4:192.0.2.1:1", 0.0) for _ in range(BURST + 1)]
    assert waits == [0.0] * BURST + [1 / PER_SECOND]
    assert guesses.wait("ipv4:192.0.2.1:1", waits[-1]) == 0.0


def test_addresses_are_counted_in_bounded_memory_and_the_latest_are_remembered() -> None:
    guesses = Guesses()
    for host in range(3 * ADDRESSES):
        guesses.wait(f"ipv4:10.{host >> 16}.{host >> 8 & 255}.{host & 255}:1", 0.0)
    assert len(guesses._buckets) == ADDRESSES
    for _ in range(BURST):
        guesses.wait("ipv4:192.0.2.1:1", 0.0)
    assert guesses.wait("ipv4:192.0.2.1:1", 0.0) > 0


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.1:5000", "192.0.2.1"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:5000", "2001:db8:1:2::/64"),
        ("ipv6:[2001:db8:1:2::9]:5000", "2001:db8:1:2::/64"),
        ("ipv6:%5B::ffff:192.0.2.1%5D:5000", "192.0.2.1"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5000", "fe80::/64"),
        ("ipv6:nonsense", "ipv6"),
        ("unix:", "unix"),
        ("unix:/run/engine", "unix"),
        ("", ""),
    ],
)
def test_an_address_is_counted_without_its_port_and_of_ipv6_by_its_network(peer: str, address: str) -> None:
    assert address_of(peer) == address
