"""`emotional-ai health`: a probe."""

from dataclasses import replace
from pathlib import Path

import pytest
from command_line import CommandLine
from issuing import certificate
from loopback import IN_MEMORY, service
from ports import free_port

from emotional_ai_service.access import AccessSettings, TlsSettings


def test_a_service_that_takes_calls_is_healthy_and_each_of_several_is_asked() -> None:
    with service() as one, service() as other:
        ran = CommandLine(f"{one},{other}")("health")
        assert (ran.status, ran.out) == (0, f"{one} takes calls\n{other} takes calls\n")
        dead = f"127.0.0.1:{free_port()}"
        ran = CommandLine(f"{one},{dead}")("health", "--within", "5")
        assert ran.status == 1
        for target in (f"{dead},{one}", f"{one},{dead}"):
            ran = CommandLine(target)("health", "--within", "5")
            assert (ran.status, ran.out) == (1, f"{one} takes calls\n")
            assert f"{dead} does not tell" in ran.err


def test_what_takes_no_calls_is_not() -> None:
    with service() as address:
        ran = CommandLine(address)("health", "--service", "emotional_ai.v1.Inference")
        assert (ran.status, ran.out) == (1, "")
        assert "takes no calls for emotional_ai.v1.Inference" in ran.err
        assert CommandLine(address)("health", "--service", "emotional_ai.v1.EmotionEngine").status == 0
        assert "NOT_FOUND" in CommandLine(address)("health", "--service", "nothing").err
        assert "at most 127" in CommandLine(address)("health", "--service", "n" * 300).err


@pytest.mark.parametrize("trusted", [True, False])
def test_encryption_is_asked_for_as_by_every_command(tmp_path: Path, trusted: bool) -> None:
    own = certificate(tmp_path, "own")
    with service(replace(IN_MEMORY, access=AccessSettings(tls=TlsSettings(own.certificate, own.key)))) as address:
        given = ("--ca", str(own.certificate)) if trusted else ()
        assert CommandLine(address)(*given, "health", "--within", "5").status == int(not trusted)


def test_a_port_there_is_not_is_refused_before_another_one_is_asked() -> None:
    with service() as address:
        host, _, port = address.rpartition(":")
        wrapped = f"{host}:{int(port) + 65_536}"
        for command in ("health", "state"):
            ran = CommandLine(wrapped)(command)
            assert (ran.status, ran.out) == (1, "")
            assert ran.err == f"error: a port is in 1..65535, such as 50051; got '{wrapped}'\n"
