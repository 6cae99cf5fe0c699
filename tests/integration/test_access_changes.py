"""Tokens that change while a service runs: streams end with them, secrets overlap, and a damaged file changes nothing."""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from command_line import CommandLine, Ran
from issuing import Issuer, id_in
from loopback import PATIENCE, hosted, service

from emotional_ai import Client
from emotional_ai.connection import watch_options
from emotional_ai.errors import EmotionalAIError, PermissionDenied, ResourceExhausted, Unauthenticated, raised
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub
from emotional_ai_service.access import TokensUnusable
from emotional_ai_service.callers import Scope
from emotional_ai_service.listening import AddressInUse


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    return Issuer.at(tmp_path_factory.mktemp("tokens") / "tokens.json")


@pytest.fixture(scope="module")
def address(issuer: Issuer) -> Iterator[str]:
    with service(issuer.settings()) as address:
        yield address


@pytest.fixture
def keeper(issuer: Issuer, address: str) -> str:
    """A token that nothing happens to."""
    return known(address, issuer.add(Scope.READ, Scope.WRITE))


def tokens(issuer: Issuer, *arguments: str) -> Ran:
    """`emotional-ai tokens` on the file of the service."""
    return CommandLine("127.0.0.1:1")("tokens", *arguments, "--tokens", str(issuer.file.path))


def refusal(address: str, token: str) -> str:
    """The reason a look is refused by the gate, however often it was asked; empty if it is let in."""
    with Client(address, token=token) as client:
        try:
            next(client.list_sessions(), None)
        except (Unauthenticated, PermissionDenied, ResourceExhausted) as error:
            return error.reason.replace("TOKEN_GUESSING", "TOKEN_UNKNOWN")
    return ""


def comes_true(question: Callable[[], bool]) -> bool:
    """Whether what a running service is to bring about came to be, before patience ends."""
    end = time.monotonic() + PATIENCE
    while not question():
        if time.monotonic() > end:
            return False
    return True


def known(address: str, token: str) -> str:
    """The token, once the service lets it in."""
    assert comes_true(lambda: refusal(address, token) in ("", "SCOPE_MISSING"))
    return token


def session(address: str, token: str, session_id: str) -> str:
    """A session made with a token."""
    with Client(address, token=token) as client:
        return client.create_session(session_id).session_id


def change_scopes(issuer: Issuer, text: str, *scopes: Scope) -> None:
    """Leaves a token these scopes."""
    issuer.file.change(
        lambda tokens: [
            replace(one, scopes=frozenset(scopes)) if one.token_id == id_in(text) else one for one in tokens
        ]
    )


def end_of(responses: Iterator[object]) -> EmotionalAIError:
    """The error a raw stream ends with, whatever comes before."""
    with pytest.raises(grpc.RpcError) as ended:
        for _ in responses:
            pass
    return raised(ended.value)


def test_streams_end_once_their_token_is_revoked_and_those_of_others_go_on(
    address: str, issuer: Issuer, keeper: str
) -> None:
    revoked = known(address, issuer.add(Scope.READ, Scope.WRITE))
    session(address, keeper, "revoked")
    with (
        Client(address, token=keeper) as other,
        Client(address, token=revoked) as client,
        other.watch("revoked") as kept,
        client.watch("revoked") as watch,
        client.stream("revoked") as stream,
    ):
        seen, going_on = iter(watch), iter(kept)
        next(seen)
        next(going_on)
        next(iter(stream))
        assert tokens(issuer, "revoke", id_in(revoked)).status == 0
        for responses in (seen, iter(stream)):
            with pytest.raises(Unauthenticated) as ended:
                next(responses)
            assert ended.value.reason == "TOKEN_UNKNOWN"
        version = other.apply("revoked", reward=0.5).version
        assert next(going_on).version == version
    assert refusal(address, revoked) == "TOKEN_UNKNOWN"


def test_a_stream_ends_when_its_token_expires_and_says_so(issuer: Issuer) -> None:
    now = [time.time_ns() // 1000]
    token = issuer.add(Scope.READ, Scope.WRITE, expires_us=now[0] + 3_600_000_000)
    with service(issuer.settings(), lambda: now[0]) as address, Client(address, token=token) as client:
        client.create_session("ada")
        with client.watch("ada") as watch:
            seen = iter(watch)
            next(seen)
            now[0] += 3_600_000_000
            with pytest.raises(Unauthenticated, match="has expired") as ended:
                next(seen)
            assert ended.value.reason == "TOKEN_EXPIRED"


def test_a_stream_ends_when_its_token_loses_the_scope_it_needed(address: str, issuer: Issuer, keeper: str) -> None:
    token = known(address, issuer.add(Scope.READ))
    session(address, keeper, "narrowed")
    with Client(address, token=token) as client, client.watch("narrowed") as watch:
        seen = iter(watch)
        next(seen)
        change_scopes(issuer, token, Scope.TRAIN)
        with pytest.raises(PermissionDenied) as ended:
            next(seen)
        assert ended.value.metadata["scope"] == "read"


def test_a_stream_for_another_tenant_ends_when_its_token_is_no_longer_an_admins(address: str, issuer: Issuer) -> None:
    token = known(address, issuer.add(Scope.ADMIN))
    shown = (("authorization", f"Bearer {token}"), ("emotional-tenant", "umbrella"))
    with grpc.insecure_channel(address) as channel:
        engine = EmotionEngineStub(channel)
        engine.CreateSession(pb.CreateSessionRequest(session_id="theirs"), metadata=shown)
        watch = engine.WatchState(pb.WatchStateRequest(session_id="theirs"), metadata=shown, timeout=PATIENCE)
        next(watch)
        change_scopes(issuer, token, Scope.READ, Scope.WRITE)
        ended = end_of(watch)
    assert isinstance(ended, PermissionDenied)
    assert ended.metadata["scope"] == "admin"


def test_a_reader_that_reads_nothing_does_not_keep_its_stream_open(address: str, issuer: Issuer, keeper: str) -> None:
    token = known(address, issuer.add(Scope.READ))
    session(address, keeper, "unread")
    with grpc.insecure_channel(address, watch_options(address)) as channel, Client(address, token=keeper) as other:
        watch = EmotionEngineStub(channel).WatchState(
            pb.WatchStateRequest(session_id="unread"), metadata=(("authorization", f"Bearer {token}"),)
        )
        next(watch)
        for _ in range(300):  # far more than the connection takes in ahead of its reader
            other.apply("unread", reward=0.01)
        issuer.revoke(token)
        assert comes_true(lambda: refusal(address, token) == "TOKEN_UNKNOWN")
        read: list[object] = []
        ended = end_of(read.append(one) or one for one in watch)
    assert ended.reason == "TOKEN_UNKNOWN"
    assert len(read) < 300


def test_a_secret_that_was_rotated_holds_for_its_overlap_beside_the_new_one(address: str, issuer: Issuer) -> None:
    old = known(address, issuer.add(Scope.READ))
    new = known(address, tokens(issuer, "rotate", id_in(old), "--overlap", "1h").out.strip())
    assert id_in(new) == id_in(old)
    assert (refusal(address, old), refusal(address, new)) == ("", "")
    newest = known(address, tokens(issuer, "rotate", id_in(old)).out.strip())
    assert [refusal(address, one) for one in (old, new, newest)] == ["TOKEN_UNKNOWN", "TOKEN_UNKNOWN", ""]


def test_a_token_that_is_added_is_taken_in_and_told_once(address: str, issuer: Issuer) -> None:
    added = tokens(issuer, "add", "--tenant", "umbrella", "--scope", "read", "--expires", "90d", "--note", "for tests")
    token = known(address, added.out.strip())
    listed = tokens(issuer, "list")
    row = next(line for line in listed.out.splitlines() if line.startswith(id_in(token)))
    assert row.split()[1:3] == ["umbrella", "read"]
    assert row.endswith("for tests")
    secret = token.split("_")[2]
    assert secret not in listed.out + listed.err + added.err + issuer.file.path.read_text()
    as_json = tokens(issuer, "list", "--json").objects
    assert [one["tenant"] for one in as_json if one["id"] == id_in(token)] == ["umbrella"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("rotate", "ffffffff"), "there is no token of the id 'ffffffff'"),
        (("revoke", "ffffffff"), "there is no token of the id 'ffffffff'"),
        (("add", "--scope", "root"), "'root' is not one of 'read', 'write', 'train', 'admin'"),
        (("add",), "Missing option '--scope'"),
        (("add", "--scope", "read", "--tenant", "A B"), "lower-case letters, digits, - or _"),
        (("add", "--scope", "read", "--expires", "soon"), "such as 90d or 1h"),
        (("add", "--scope", "read", "--expires", "0d"), "must be at least 1s"),
    ],
)
def test_what_tokens_cannot_be_is_refused_in_words(issuer: Issuer, arguments: tuple[str, ...], told: str) -> None:
    before = issuer.file.path.read_bytes()
    refused = tokens(issuer, *arguments)
    assert refused.status != 0
    assert told in refused.err
    assert issuer.file.path.read_bytes() == before


@pytest.mark.parametrize("harm", ["cut", "gone", "open to others"])
def test_a_file_that_is_damaged_is_logged_and_the_last_good_one_stays(
    address: str, issuer: Issuer, keeper: str, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = issuer.file.path
    whole = path.read_bytes()
    caplog.set_level(logging.ERROR, "emotional_ai_service.access.gate")
    match harm:
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "gone":
            path.unlink()
        case "open to others":
            path.chmod(0o666)
    assert comes_true(lambda: "what was read before stays in force" in caplog.text)
    assert str(path) in caplog.text
    assert refusal(address, keeper) == ""
    path.write_bytes(whole)
    path.chmod(0o600)
    added = issuer.add(Scope.READ)
    assert known(address, added) == added


def test_a_service_does_not_start_on_a_damaged_file(tmp_path: Path) -> None:
    issuer = Issuer.at(tmp_path / "tokens.json")
    issuer.file.path.write_text("{}")
    with pytest.raises(TokensUnusable, match="is no file of tokens"), service(issuer.settings()):
        pass


def test_what_else_keeps_a_service_with_tokens_from_starting_is_told_as_it_is(tmp_path: Path) -> None:
    issuer = Issuer.at(tmp_path / "tokens.json")
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(AddressInUse),
        service(replace(issuer.settings(), port=taken.getsockname()[1])),
    ):
        pass


def test_a_stream_ends_when_the_overlap_of_its_secret_does(issuer: Issuer) -> None:
    now = [time.time_ns() // 1000]
    old = issuer.add(Scope.READ, Scope.WRITE)
    assert tokens(issuer, "rotate", id_in(old), "--overlap", "1h").status == 0
    with service(issuer.settings(), lambda: now[0]) as address, Client(address, token=old) as client:
        client.create_session("ada")
        with client.watch("ada") as watch:
            seen = iter(watch)
            next(seen)
            now[0] += 3_700_000_000
            with pytest.raises(Unauthenticated) as ended:
                next(seen)
    assert ended.value.reason == "TOKEN_UNKNOWN"


def test_streams_with_tokens_say_goodbye_at_the_shutdown(tmp_path: Path) -> None:
    issuer = Issuer.at(tmp_path / "tokens.json")
    token = issuer.add(Scope.READ, Scope.WRITE)
    with hosted(issuer.settings()) as running, grpc.insecure_channel(running.address) as channel:
        session(running.address, token, "ada")
        watch = EmotionEngineStub(channel).WatchState(
            pb.WatchStateRequest(session_id="ada"), metadata=(("authorization", f"Bearer {token}"),), timeout=PATIENCE
        )
        next(watch)
        running.stop()
        last = list(watch)[-1]
    assert last.draining
