"""Encrypted connections: what they take, what is refused at the start, certificates renewed while the service runs."""

import logging
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from command_line import CommandLine
from grpc.experimental import insecure_channel_credentials
from issuing import Certificate, certificate
from loopback import IN_MEMORY, PATIENCE, service

from emotional_ai import Client
from emotional_ai.credentials import Credentials
from emotional_ai.errors import Unavailable, raised
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.engine_pb2_grpc import EmotionEngineStub
from emotional_ai_service.access import AccessSettings, CertificateUnfit, NetworkOpen, TlsSettings, check_exposure
from emotional_ai_service.access.tls import HOW_MADE, check
from emotional_ai_service.settings import Settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def own(folder: Path) -> Certificate:
    """The service's certificate, its own authority."""
    return certificate(folder, "own")


@pytest.fixture(scope="module")
def strange(folder: Path) -> Certificate:
    """A certificate nobody here vouches for."""
    return certificate(folder, "strange")


@pytest.fixture(scope="module")
def address(own: Certificate) -> Iterator[str]:
    with service(encrypted(own)) as address:
        yield address


def encrypted(shown: Certificate, clients: Certificate | None = None) -> Settings:
    tls = TlsSettings(shown.certificate, shown.key, None if clients is None else clients.certificate)
    return replace(IN_MEMORY, access=AccessSettings(tls=tls))


def credentials(authority: Certificate, shown: Certificate | None = None) -> Credentials:
    """Those of a client that trusts an authority, and shows a certificate of its own."""
    mine = (None, None) if shown is None else (str(shown.certificate), str(shown.key))
    return Credentials(None, str(authority.certificate), *mine)


def reached(address: str, authority: Certificate | None, shown: Certificate | None = None) -> bool:
    """Whether a new connection is encrypted as a client wants it, and a call over it answered."""
    wanted = Credentials() if authority is None else credentials(authority, shown)
    encryption = wanted.of_channel(address) or insecure_channel_credentials()
    with grpc.secure_channel(address, encryption, (("grpc.enable_retries", 0),)) as channel:
        try:
            EmotionEngineStub(channel).Simulate(pb.SimulateRequest(times=[0.0]), timeout=PATIENCE)
        except grpc.RpcError as error:
            return not isinstance(raised(error), Unavailable)
    return True


def test_a_client_that_trusts_the_certificate_is_served_and_no_other(
    address: str, own: Certificate, strange: Certificate
) -> None:
    assert reached(address, own)
    assert not reached(address, strange)
    assert not reached(address, None)


def test_a_certificate_is_asked_of_clients_where_their_authority_is_named(
    folder: Path, own: Certificate, strange: Certificate
) -> None:
    authority = certificate(folder, "authority")
    client = certificate(folder, "client", signed_by=authority)
    with service(encrypted(own, clients=authority)) as address:
        assert reached(address, own, client)
        assert not reached(address, own)
        assert not reached(address, own, strange)


def test_a_renewed_certificate_is_shown_to_the_next_connection_and_a_wrong_one_never(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shown, renewed = certificate(tmp_path, "shown"), certificate(tmp_path, "renewed")
    first = Certificate(tmp_path / "first.crt", shown.key)
    first.certificate.write_bytes(shown.certificate.read_bytes())
    with (
        service(encrypted(shown)) as address,
        Client(address, credentials=credentials(first).of_channel(address)) as lasting,
    ):
        lasting.create_session("ada")
        caplog.set_level(logging.ERROR, "emotional_ai_service.access.tls")
        shown.certificate.write_bytes(renewed.certificate.read_bytes())  # its key is not there yet
        assert reached(address, first)
        assert "is not that of the certificate" in caplog.text
        assert "what was read before stays in force" in caplog.text
        shown.key.write_bytes(renewed.key.read_bytes())
        assert reached(address, renewed)
        assert not reached(address, first)
        assert lasting.state("ada").session_id == "ada"


def test_what_cannot_serve_is_refused_at_the_start_by_name(
    tmp_path: Path, own: Certificate, strange: Certificate
) -> None:
    over = certificate(tmp_path, "over", days=-1)
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "pkey", "-in", own.key, "-aes256", "-passout", "pass:secret", "-out", locked], check=True
    )
    text = tmp_path / "text.pem"
    text.write_text("nothing of the kind")
    for certificate_file, key, authority, told in (
        (tmp_path / "none.crt", own.key, None, "none.crt cannot be read: No such file.*openssl req"),
        (own.certificate, tmp_path / "none.key", None, "none.key cannot be read"),
        (text, own.key, None, "are no PEM certificate and key"),
        (own.certificate, text, None, "are no PEM certificate and key"),
        (own.certificate, strange.key, None, "is not that of the certificate"),
        (own.certificate, locked, None, "without one: openssl pkey"),
        (over.certificate, over.key, None, "certificate has expired"),
        (own.certificate, own.key, text, "text.pem holds no PEM certificates"),
        (own.certificate, own.key, tmp_path / "none.pem", "none.pem cannot be read"),
    ):
        with pytest.raises(CertificateUnfit, match=told):
            check(TlsSettings(certificate_file, key, authority))
    with pytest.raises(CertificateUnfit), service(encrypted(over)):
        pass


def test_the_command_that_a_refusal_names_makes_a_certificate_that_serves(tmp_path: Path) -> None:
    subprocess.run(shlex.split(HOW_MADE), cwd=tmp_path, check=True, capture_output=True)
    made = Certificate(tmp_path / "tls.crt", tmp_path / "tls.key")
    with service(encrypted(made)) as address:
        assert reached(address, made)
        assert reached(address.replace("127.0.0.1", "localhost"), made)


OPEN = AccessSettings()
TOKENS = AccessSettings(tokens=Path("tokens.json"))
TLS = AccessSettings(tls=TlsSettings(Path("tls.crt"), Path("tls.key")))
BOTH = replace(TLS, tokens=Path("tokens.json"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "[::]", "192.0.2.1", "2001:db8::1", "engine.example", ""])
def test_a_network_is_not_listened_on_without_both_tokens_and_encryption(host: str) -> None:
    with pytest.raises(NetworkOpen, match=r"--tokens FILE, made by: emotional-ai tokens add.*--tls-cert.*openssl"):
        check_exposure(host, OPEN)
    with pytest.raises(NetworkOpen, match=r"lacks encryption \(--tls-cert"):
        check_exposure(host, TOKENS)
    with pytest.raises(NetworkOpen, match=r"lacks tokens \(--tokens"):
        check_exposure(host, TLS)
    check_exposure(host, BOTH)
    check_exposure(host, replace(OPEN, insecure_network=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]"])
def test_this_machine_is_listened_on_without_either(host: str) -> None:
    check_exposure(host, OPEN)


def test_serve_refuses_an_open_network_before_anything_is_opened(tmp_path: Path) -> None:
    database = tmp_path / "sessions.db"
    refused = CommandLine("127.0.0.1:1")("serve", "--engine-only", "--host", "0.0.0.0", "--db", str(database))
    assert refused.status == 1
    assert "--insecure-network" in refused.err
    assert not database.exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--tls-cert", "tls.crt"), "--tls-key"),
        (("--tls-key", "tls.key"), "--tls-cert"),
        (("--tls-client-ca", "ca.pem"), "--tls-client-ca"),
    ],
)
def test_flags_of_encryption_that_lack_another_are_wrong_usage(flags: tuple[str, ...], told: str) -> None:
    refused = CommandLine("127.0.0.1:1")("serve", "--engine-only", *flags)
    assert refused.status == 2
    assert told in refused.err
