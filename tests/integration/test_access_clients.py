"""Every client shows the token it is told, over the encryption it is told, and names the setting where it is refused."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from command_line import CommandLine
from issuing import Certificate, Issuer, certificate
from loopback import PATIENCE, service
from mcp_bridge import answer, in_memory, over_http, refusal, started
from web_process import web_process

from emotional_ai import Client
from emotional_ai.credentials import CA, TOKEN, Credentials
from emotional_ai.mcp_bridge.autostart import Starter
from emotional_ai.mcp_bridge.settings import Settings as BridgeSettings
from emotional_ai_service.access import TlsSettings
from emotional_ai_service.access.token import written
from emotional_ai_service.callers import Scope


@dataclass(frozen=True, slots=True)
class World:
    """A service with a token and a certificate."""

    address: str
    token: str
    reading: str
    """A token that only reads."""
    issuer: Issuer
    authority: Certificate

    def told(self, token: str | None = None) -> Credentials:
        """Credentials of a client that was told all it needs."""
        return Credentials(token or self.token, str(self.authority.certificate))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("access")
    issuer, own = Issuer.at(folder / "tokens.json"), certificate(folder, "own")
    token, reading = issuer.add(Scope.READ, Scope.WRITE), issuer.add(Scope.READ)
    settings = issuer.settings()
    tls = TlsSettings(own.certificate, own.key)
    with service(replace(settings, access=replace(settings.access, tls=tls))) as address:
        with Client(
            address, credentials=Credentials(None, str(own.certificate)).of_channel(address), token=token
        ) as made:
            made.create_session("ada")
        yield World(address, token, reading, issuer, own)


@pytest.fixture
def environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment tells clients what they need."""
    for name, value in world.told().environment().items():
        monkeypatch.setenv(name, value)


def test_a_command_is_told_by_its_flags(world: World) -> None:
    cli = CommandLine(world.address)
    flags = ("--token", world.token, "--ca", str(world.authority.certificate))
    assert cli(*flags, "sessions", "create", "grace").status == 0
    assert cli(*flags, "state", "ada", "--json").objects[0]["session"] == "ada"


@pytest.mark.usefixtures("environment")
def test_a_command_is_told_by_its_environment_and_a_flag_wins(world: World) -> None:
    cli = CommandLine(world.address)
    assert cli("state", "ada").status == 0
    assert cli("--token", written("00000000"), "state", "ada").status == 1


@pytest.mark.usefixtures("environment")
def test_a_command_that_is_refused_names_the_setting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = CommandLine(world.address)
    unknown = cli("--token", written("00000000"), "state", "ada").err
    assert "is not known here" in unknown
    assert TOKEN in unknown
    scope = cli("--token", world.reading, "sessions", "create", "grace").err
    assert "lacks the scope 'write'" in scope
    assert TOKEN in scope
    unsendable = cli("--token", "two words", "state", "ada")
    assert unsendable.status == 1
    assert "two words" not in unsendable.err
    monkeypatch.delenv(TOKEN)
    missing = cli("state", "ada").err
    assert "asks for a token" in missing
    assert f"--token before the command, or {TOKEN}" in missing
    monkeypatch.delenv(CA)
    assert f"--ca FILE ({CA})" in cli("state", "ada").err
    assert f"--ca FILE ({CA})" in cli("--ca", "none", "state", "ada").err
    assert CA in cli("--ca", "/nowhere.pem", "state", "ada").err


async def test_the_bridge_shows_the_token_and_names_the_setting_where_it_is_refused(world: World) -> None:
    async with in_memory(BridgeSettings(world.address, credentials=world.told())) as client:
        assert answer(await client.call_tool("get_emotional_state", {"session_id": "ada"}))["session_id"] == "ada"
    for credentials, told in (
        (replace(world.told(), token=None), "asks for a token; put one into EMOTIONAL_AI_TOKEN"),
        (world.told(written("00000000")), "is not known here; put another into EMOTIONAL_AI_TOKEN"),
        (replace(world.told(), ca=None), "give --ca FILE (EMOTIONAL_AI_CA)"),
    ):
        async with in_memory(BridgeSettings(world.address, credentials=credentials)) as client:
            assert told in refusal(await client.call_tool("get_emotional_state", {"session_id": "ada"}))
    async with in_memory(BridgeSettings(world.address, credentials=world.told(world.reading))) as client:
        assert answer(await client.call_tool("get_emotional_state", {"session_id": "ada"}))["session_id"] == "ada"
        refused = refusal(await client.call_tool("update_emotion", {"session_id": "ada", "reward": 0.5}))
        assert refused.startswith("[PERMISSION_DENIED]")
        assert "give the bridge a token that has it, as EMOTIONAL_AI_TOKEN" in refused


@pytest.mark.usefixtures("environment")
async def test_a_bridge_in_a_process_of_its_own_is_told_by_its_environment(world: World) -> None:
    with over_http(world.address) as bridge:
        async with bridge.client() as client:
            assert answer(await client.call_tool("get_emotional_state", {"session_id": "ada"}))["session_id"] == "ada"


def test_a_bridge_that_could_not_reach_its_service_so_does_not_start(world: World) -> None:
    with started(world.address, "--ca", "/nowhere.pem") as bridge:
        assert bridge.wait(PATIENCE) == 1
        assert bridge.stderr is not None
        assert CA in bridge.stderr.read()


def test_a_bridge_starts_no_unencrypted_service_where_it_wants_encryption(world: World, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave out --ca"):
        Starter("127.0.0.1:50051", tmp_path / "log", credentials=world.told())


@pytest.mark.usefixtures("environment")
def test_the_page_and_its_doors_act_by_the_token_of_the_environment(world: World, tmp_path: Path) -> None:
    with web_process(world.address, tmp_path / "log", "--session", "ada") as page:
        state = httpx.post(
            f"{page.url}/emotional_ai.v1.EmotionEngine/GetState", json={"sessionId": "ada"}, timeout=PATIENCE
        )
        assert (state.status_code, state.json()["state"]["sessionId"]) == (200, "ada")
        shown = httpx.get(page.session("ada"), timeout=PATIENCE)
        assert world.token not in shown.text + state.text + page.complaints()


def test_a_page_without_the_token_says_which_setting_it_lacks(world: World, tmp_path: Path) -> None:
    with web_process(
        world.address, tmp_path / "log", "--session", "ada", told=replace(world.told(), token=None)
    ) as page:
        refused = httpx.post(
            f"{page.url}/emotional_ai.v1.EmotionEngine/GetState", json={"sessionId": "ada"}, timeout=PATIENCE
        )
    assert refused.status_code == 401
    assert TOKEN in refused.json()["message"]


def run(world: World, *before: str, **told: str) -> "subprocess.CompletedProcess[str]":
    """`emotional-ai run` of a service with tokens, over a conversation in which nothing is said."""
    command = [sys.executable, "-m", "emotional_ai", *before, "run", "--no-web", "--engine-only", "--store", "memory"]
    command += ["--port", "0", "--tokens", str(world.issuer.file.path)]
    return subprocess.run(
        command, input="", capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, **told}, check=False
    )


def test_a_conversation_runs_by_the_token_of_the_environment_or_of_the_flag(world: World) -> None:
    for ran in (run(world, **{TOKEN: world.token}), run(world, "--token", world.token)):
        assert ran.returncode == 0, ran.stderr
        assert world.token not in ran.stderr + ran.stdout
    refused = run(world)
    assert refused.returncode == 1
    assert TOKEN in refused.stderr
