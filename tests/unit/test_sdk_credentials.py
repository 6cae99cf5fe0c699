"""Credentials of clients: what flags and the environment may say, and what is told of it."""

from pathlib import Path

import grpc
import pytest

from emotional_ai import AsyncClient, Client
from emotional_ai.credentials import CA, CLIENT_CERT, CLIENT_KEY, TOKEN, Credentials, broken_encryption

LOCAL = "127.0.0.1:50051"
DISTANT = "engine.example:50051"
SECRET = "ea_0a1b2c3d_recognisable"


@pytest.fixture
def pem(tmp_path: Path) -> str:
    path = tmp_path / "some.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")
    return str(path)


def test_the_environment_tells_what_it_is_told() -> None:
    told = {TOKEN: SECRET, CA: "ca.pem", CLIENT_CERT: "c.pem", CLIENT_KEY: "k.pem"}
    credentials = Credentials.of({**told, "OTHER": "x"})
    assert credentials == Credentials(SECRET, "ca.pem", "c.pem", "k.pem")
    assert credentials.environment() == told
    assert Credentials.of(dict.fromkeys(told, "")) == Credentials("", "", "", "") == Credentials()
    assert Credentials().environment() == {}


def test_a_token_is_shown_by_no_representation() -> None:
    assert "recognisable" not in repr(Credentials(SECRET))


def test_nothing_is_encrypted_that_was_not_asked_to_be(pem: str) -> None:
    assert Credentials(SECRET).of_channel(LOCAL) is None
    assert Credentials().of_channel(DISTANT) is None
    for ca in (pem, "system", "none"):
        assert isinstance(Credentials(SECRET, ca).of_channel(DISTANT), grpc.ChannelCredentials)


def test_a_token_does_not_leave_this_machine_in_the_clear() -> None:
    with pytest.raises(ValueError, match=rf"would reach {DISTANT} unencrypted.*--ca FILE \({CA}\)") as told:
        Credentials(SECRET).of_channel(DISTANT)
    assert "recognisable" not in str(told.value)


@pytest.mark.parametrize("token", ["two words", "line\n", "tab\t", "ümlaut", "\x00"])
@pytest.mark.parametrize("made", [Client, AsyncClient])
def test_a_token_that_cannot_be_sent_is_refused_and_not_repeated(
    token: str, made: type[Client] | type[AsyncClient]
) -> None:
    for attempt in (lambda: Credentials(token).of_channel(LOCAL), lambda: made(LOCAL, token=token)):
        with pytest.raises(ValueError, match="printable ASCII") as told:
            attempt()
        assert token not in str(told.value)


def test_files_that_cannot_be_used_are_named_with_flag_and_variable(tmp_path: Path, pem: str) -> None:
    gone, text = str(tmp_path / "gone.pem"), str(tmp_path / "text")
    Path(text).write_text("nothing of the kind")
    for credentials, told in (
        (Credentials(None, gone), rf"--ca \({CA}\): {gone} cannot be read: No such file"),
        (Credentials(None, text), rf"--ca \({CA}\): {text} is no PEM file"),
        (Credentials(None, pem, gone, pem), rf"--client-cert \({CLIENT_CERT}\): {gone} cannot be read"),
        (Credentials(None, pem, pem, gone), rf"--client-key \({CLIENT_KEY}\): {gone} cannot be read"),
        (Credentials(None, pem, pem), "belong together"),
        (Credentials(None, None, pem, pem), rf"give --ca FILE \({CA}\) too"),
        (Credentials(None, "none", pem, pem), rf"give --ca FILE \({CA}\) too"),
    ):
        with pytest.raises(ValueError, match=told):
            credentials.of_channel(DISTANT)


def test_a_connection_broken_by_encryption_is_told_with_what_to_check() -> None:
    closed = "failed to connect to all addresses; last error: UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed"
    assert f"--ca FILE ({CA})" in broken_encryption(closed, encrypted=False)
    replicas = "connections to all backends failing; last error: UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed"
    assert f"--ca FILE ({CA})" in broken_encryption(replicas, encrypted=False)
    assert CLIENT_CERT in broken_encryption(closed, encrypted=True)
    assert CA in broken_encryption("... Tls handshake failed (TSI_PROTOCOL_FAILURE): ...", encrypted=True)
    misnamed = (
        "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.2:1: Hostname Verification Check failed."
    )
    assert "made for the address" in broken_encryption(misnamed, encrypted=True)
    unfit = "failed to connect to all addresses; last error: UNKNOWN: ipv4:1: Failed to create security handshaker."
    assert f"--client-key ({CLIENT_KEY}) is not that of" in broken_encryption(unfit, encrypted=True)
    for other in ("Socket closed", "failed to connect to all addresses; ... Connection refused"):
        assert broken_encryption(other, encrypted=False) == ""
