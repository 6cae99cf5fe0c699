"""Secrets are in no log line, error, status or metadata, whatever goes wrong: tokens, keys of backends, passwords of stores."""

import logging
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc
import pytest
from command_line import CommandLine
from echoing_server import echoing_server
from grpc_status import rpc_status
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded
from issuing import Issuer
from loopback import IN_MEMORY, PATIENCE, service
from ports import free_port
from redis_server import RedisServer
from tiny_jobs import SUPPORT, begun, made, script

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import (
    EmotionEngineServicer,
    EmotionEngineStub,
    add_EmotionEngineServicer_to_server,
)
from emotional_ai_service.access import Gate, TokensUnusable
from emotional_ai_service.access.guesses import BURST
from emotional_ai_service.access.keyring import Keyring
from emotional_ai_service.callers import Scope
from emotional_ai_service.decoding.vllm.errors import ServerUnfit
from emotional_ai_service.guard import Context, guard
from emotional_ai_service.language import decoder_of
from emotional_ai_service.server import ENGINE
from emotional_ai_service.settings import (
    LanguageSettings,
    Settings,
    StoreKind,
    StoreSettings,
    VllmBackend,
)
from emotional_ai_service.stores import RedisAddress
from emotional_ai_training.adapters import Registry
from emotional_ai_training.jobs import JobsDirectory

KEY = "tml-recognisable-4f1c"
PASSWORD = "recognisable-8d2e"


@dataclass(slots=True)
class Heard:
    """Everything that was said while a test ran."""

    log: pytest.LogCaptureFixture
    errors: list[str] = field(default_factory=list)

    def call(self, channel: grpc.Channel, *metadata: tuple[str, str], session_id: str = "ada") -> None:
        """Makes a call and keeps all that its end tells."""
        look = EmotionEngineStub(channel).GetState.future
        call = look(pb.GetStateRequest(session_id=session_id), metadata=metadata, timeout=PATIENCE)
        self.errors += [str(call.exception()), repr(call), str(rpc_status.from_call(call) or "")]
        self.errors += [str(call.initial_metadata()), str(call.trailing_metadata()), str(call.details())]

    def everything(self) -> str:
        """All of it: the log, with tracebacks, and what callers were told."""
        return "\n".join([self.log.text, *(str(record.__dict__) for record in self.log.records), *self.errors])


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Heard:
    caplog.set_level(logging.DEBUG)
    for library in ("hpack", "h2"):  # the test's own client writes out what it sends
        caplog.set_level(logging.ERROR, library)
    return Heard(caplog)


def bearer(token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}")


def secret_of(token: str) -> str:
    return token.split("_")[2]


def undecodable(address: str, value: bytes) -> None:
    """Makes a call whose authorization is bytes that are no text, and waits for its end."""
    host, _, port = address.rpartition(":")
    config = H2Configuration(header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False)
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        client = H2Connection(config)
        client.initiate_connection()
        headers = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"), (b"te", b"trailers")]
        headers += [(b":path", b"/emotional_ai.v1.EmotionEngine/GetState"), (b"content-type", b"application/grpc")]
        client.send_headers(1, [*headers, (b"authorization", value)])
        client.send_data(1, b"\0\0\0\0\0", end_stream=True)
        connection.sendall(client.data_to_send())
        while data := connection.recv(65_536):
            if any(isinstance(event, StreamEnded) for event in client.receive_data(data)):
                return
    raise AssertionError("the call was not answered")


def test_tokens_are_told_nowhere_however_they_are_refused(tmp_path: Path, heard: Heard) -> None:
    issuer = Issuer.at(tmp_path / "tokens.json")
    good, training, over = issuer.add(Scope.READ), issuer.add(Scope.TRAIN), issuer.add(Scope.READ, expires_us=1)
    revoked = issuer.add(Scope.READ)
    issuer.revoke(revoked)
    mistyped = good[:-1] + ("0" if good[-1] != "0" else "1")
    with service(issuer.settings()) as address, grpc.insecure_channel(address) as channel:
        for token in (good, training, over, revoked, mistyped, good.upper(), secret_of(good)):
            heard.call(channel, bearer(token))
        heard.call(channel, ("authorization", f"Basic {good}"))
        heard.call(channel, ("authorization", good))
        heard.call(channel, bearer(good), bearer(good))
        heard.call(channel, bearer(good), ("emotional-tenant", secret_of(good)))
        for _ in range(BURST):
            heard.call(channel, bearer(mistyped))
        undecodable(address, f"Bearer {good}".encode() + b"\xff\xfe")
    said = heard.everything()
    assert "TOKEN_GUESSING" in said
    assert "TOKEN_EXPIRED" in said
    for token in (good, training, over, revoked, mistyped):
        assert secret_of(token)[:32].lower() not in said.lower()


class Broken(EmotionEngineServicer):
    """Fails with all it knows of the call."""

    async def GetState(
        self, request: pb.GetStateRequest, context: Context[pb.GetStateRequest, pb.GetStateResponse]
    ) -> pb.GetStateResponse:
        raise LookupError(f"no {request.session_id}")


async def test_a_token_is_in_no_log_of_a_fault(tmp_path: Path, heard: Heard) -> None:
    issuer = Issuer.at(tmp_path / "tokens.json")
    token = issuer.add(Scope.READ)
    server = grpc.aio.server()
    gate = Gate(Keyring(issuer.file.read()), lambda: 0)
    add_EmotionEngineServicer_to_server(guard(Broken(), ENGINE, lambda _: None, gate), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await EmotionEngineStub(channel).GetState(
                    pb.GetStateRequest(session_id="ada"), metadata=(bearer(token),)
                )
            heard.errors += [str(failed.value), repr(failed.value), str(failed.value.trailing_metadata())]
    finally:
        await server.stop(0)
    said = heard.everything()
    assert "LookupError" in said
    assert secret_of(token) not in said


def test_a_damaged_file_of_tokens_is_told_without_what_it_holds(tmp_path: Path, heard: Heard) -> None:
    issuer = Issuer.at(tmp_path / "tokens.json")
    token = issuer.add(Scope.READ)
    text = issuer.file.path.read_text()
    for wrong in (text.replace('"sha256": "', f'"sha256": "{token}'), f"{token}\n{text}", text[:-5] + token):
        issuer.file.path.write_text(wrong)
        with pytest.raises(TokensUnusable) as told:
            issuer.file.read()
        cause = told.value.__cause__
        assert secret_of(token) not in f"{told.value}{told.value!r}{cause}{cause.__cause__ if cause else ''}"


def language(tmp_path: Path, backend: VllmBackend) -> LanguageSettings:
    return LanguageSettings(tmp_path / "model", tmp_path / "encoder", tmp_path / "cache", backend=backend)


@pytest.mark.parametrize("status", [200, 401, 500])
async def test_a_key_of_vllm_is_not_repeated_even_by_a_server_that_does(
    tmp_path: Path, heard: Heard, status: int
) -> None:
    with echoing_server(status) as url:
        backend = VllmBackend(url, "base", tmp_path / "blends", api_key=KEY)
        decoder, _ = decoder_of(language(tmp_path, backend), Registry(tmp_path / "loras"))
        with pytest.raises(ServerUnfit) as told:
            await decoder.start()
        await decoder.close()
    assert "Authorization: Bearer <key>" in str(told.value)
    assert KEY not in f"{told.value!r}{told.value}{heard.everything()}{backend}"


def test_the_password_of_redis_is_not_told_where_none_answers(heard: Heard) -> None:
    url = f"redis://someone:{PASSWORD}@127.0.0.1:{free_port()}/0"
    refused = CommandLine("127.0.0.1:1")(
        "serve", "--engine-only", "--store", "redis", "--redis-url", url, "--port", "0"
    )
    assert refused.status == 1
    for wrong in (f"redis://:{PASSWORD}@:1:2", f"http://:{PASSWORD}@there", f"redis://:{PASSWORD}@there?x=1"):
        misspelled = CommandLine("127.0.0.1:1")("serve", "--engine-only", "--store", "redis", "--redis-url", wrong)
        assert misspelled.status == 2
        refused = replace(refused, err=refused.err + misspelled.err)
    assert PASSWORD not in refused.out + refused.err + heard.everything()


def test_the_key_of_a_training_is_in_nothing_that_is_kept_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINKER_API_KEY", KEY)
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    job = made(JobsDirectory(tmp_path / "jobs"), script(tmp_path / "script"))
    begun(job, "training_targets:spilling").wait(PATIENCE)
    outcome = job.outcome()
    assert outcome is not None
    assert outcome.error == "RuntimeError: refused: X-API-Key: <key>"
    kept = [path.read_text(errors="replace") for path in job.path.rglob("*") if path.is_file()]
    assert any("Traceback" in text for text in kept)
    assert not any(KEY in text for text in kept)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", "--requirepass", PASSWORD) as server:
        yield server


def test_the_password_of_redis_is_not_told_when_it_is_refused_or_redis_dies(redis: RedisServer, heard: Heard) -> None:
    address = RedisAddress("127.0.0.1", redis.port, password=PASSWORD)
    wrong = replace(address, password=f"{PASSWORD}-not")
    with pytest.raises(Exception, match=r".") as refused, service(on(wrong)):
        pass
    heard.errors += [str(refused.value), repr(refused.value)]
    with service(on(address)) as at, grpc.insecure_channel(at, (("grpc.enable_retries", 0),)) as channel:
        redis.kill()
        heard.call(channel)
    heard.errors.append(repr(on(address)))
    said = heard.everything()
    assert "STORE_UNAVAILABLE" in said
    assert PASSWORD not in said


def on(address: RedisAddress) -> Settings:
    """A service over a Redis."""
    return replace(IN_MEMORY, store=StoreSettings(StoreKind.REDIS, redis=address))
