"""The doctor on real installations that are broken one thing at a time: each is found, and the advice mends it."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import hosted, in_file, service_process
from ports import nowhere
from tiny_decoding import publish_tiny_adapter, tiny_local_model
from tiny_model import write_tiny_model

from emotional_ai import Client
from emotional_ai.credentials import Credentials
from emotional_ai_service.doctor import access, models, places, running, training
from emotional_ai_service.doctor.finding import Finding, Standing
from emotional_ai_service.doctor.settings import DoctorSettings
from emotional_ai_training.models import DEFAULT_MODEL, ENCODER
from emotional_ai_training.models.catalog import model_dir
from emotional_ai_training.models.manifest import write_manifest

PASSWORD = "hunter2-of-the-doctor"
NOBODY = Credentials()


@pytest.fixture
def settings(tmp_path: Path) -> DoctorSettings:
    """An empty place."""
    return DoctorSettings(
        loras=tmp_path / "loras",
        jobs=tmp_path / "jobs",
        db=tmp_path / "sessions.db",
        environ={"EMOTIONAL_AI_CACHE": str(tmp_path / "cache")},
    )


def only(found: Iterable[Finding], standing: Standing) -> Finding:
    """The one finding of that standing."""
    (one,) = [one for one in found if one.standing is standing]
    return one


def pulled(settings: DoctorSettings) -> Path:
    """Models as if they had been pulled, a file each; the file of the encoder."""
    for source in (DEFAULT_MODEL, ENCODER):
        directory = model_dir(Path(settings.environ["EMOTIONAL_AI_CACHE"]), source)
        directory.mkdir(parents=True)
        (directory / "model.safetensors").write_bytes(b"weights")
        write_manifest(directory, source)
    return model_dir(Path(settings.environ["EMOTIONAL_AI_CACHE"]), ENCODER) / "model.safetensors"


def test_models_that_were_never_pulled_are_missed(settings: DoctorSettings) -> None:
    found = list(models.models(settings))
    assert [one.standing for one in found] == [Standing.WRONG] * 2
    assert {one.mend for one in found} == {"emotional-ai models pull"}


def test_a_model_with_one_byte_changed_is_found_out(settings: DoctorSettings) -> None:
    file = pulled(settings)
    assert {one.standing for one in models.models(settings)} == {Standing.OK}
    file.write_bytes(b"weightz")
    found = only(models.models(settings), Standing.WRONG)
    assert found.subject == f"model {ENCODER.name}"
    assert "model.safetensors have changed" in found.said


def test_a_directory_that_is_no_model_is_refused(settings: DoctorSettings, tmp_path: Path) -> None:
    pulled(settings)
    found = only(models.models(replace(settings, model=tmp_path)), Standing.WRONG)
    assert "--model" in found.mend


def test_adapters_are_held_to_the_model_that_speaks(settings: DoctorSettings, tmp_path: Path) -> None:
    assert only(models.adapters(settings), Standing.WARN).mend == "make train"
    publish_tiny_adapter(tmp_path, "high_dopamine")
    ours = replace(settings, model=tiny_local_model(tmp_path).directory)
    assert only(models.adapters(ours), Standing.OK).subject == "adapter high_dopamine"
    other = write_tiny_model(tmp_path / "other")
    (other / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes()[:-4] + b"\0\0\0\1")
    found = only(models.adapters(replace(settings, model=other)), Standing.WRONG)
    assert "not on the model that speaks" in found.said
    (tmp_path / "loras" / "high_dopamine" / "adapter_model.safetensors").write_bytes(b"torn")
    damaged = only(models.adapters(ours), Standing.WRONG)
    assert "adapter_model.safetensors" in damaged.said
    assert "emotional-ai train adapters" in damaged.mend


def test_a_store_is_opened_as_the_service_would(settings: DoctorSettings) -> None:
    assert settings.db is not None
    assert "will be made" in only(places.store(settings), Standing.OK).said
    assert not settings.db.exists()
    with hosted(in_file(settings.db)) as served:
        with Client(served.address) as client:
            client.create_session("ada")
        locked = only(places.store(settings), Standing.WARN)
    assert f"in use by process {os.getpid()}" in locked.said
    assert "--db" in locked.mend
    assert only(places.store(settings), Standing.OK).said == f"{settings.db} can be opened"


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to be looked at" * 40, b"SQLite format 3\0torn"]
)
def test_a_store_that_cannot_be_read_is_left_as_it_is_and_told(settings: DoctorSettings, content: bytes) -> None:
    assert settings.db is not None
    settings.db.write_bytes(content)
    found = only(places.store(settings), Standing.WRONG)
    assert str(settings.db) in found.said
    assert found.mend.startswith("mv ")
    assert settings.db.read_bytes() == content


def test_sessions_of_the_future_tell_that_the_clock_was_turned_back(settings: DoctorSettings) -> None:
    assert settings.db is not None
    ahead = time.time_ns() // 1000 + 3_600_000_000
    with hosted(in_file(settings.db), lambda: ahead) as served, Client(served.address) as client:
        client.create_session("ada")
    found = only(places.store(settings), Standing.WRONG)
    assert (found.subject, found.mend.partition(";")[0]) == ("clock", "set the clock")


def test_a_redis_that_is_not_there_is_told_without_its_password(settings: DoctorSettings) -> None:
    url = f"redis://:{PASSWORD}@{nowhere()}/0"
    unreachable = only(places.store(replace(settings, redis_url=url)), Standing.WRONG)
    nonsense = only(places.store(replace(settings, redis_url=f"http://:{PASSWORD}@x")), Standing.WRONG)
    assert "--redis-url" in unreachable.mend
    assert "EMOTIONAL_AI_REDIS_URL" in nonsense.mend
    assert PASSWORD not in f"{unreachable}{nonsense}{replace(settings, redis_url=url)}"


def test_a_directory_that_is_a_file_is_told_with_its_flag(settings: DoctorSettings) -> None:
    assert {one.standing for one in places.directories(settings)} == {Standing.OK}
    settings.jobs.write_text("not a directory")
    found = only(places.directories(settings), Standing.WRONG)
    assert (found.subject, found.mend) == ("jobs", "emotional-ai serve --jobs DIR")


def test_a_port_that_another_program_has_is_told_with_its_name(settings: DoctorSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        there = replace(settings, port=taken.getsockname()[1])
        found = only(places.port(there, ours=False), Standing.WRONG)
        assert f"process {os.getpid()} " in found.said
        assert found.mend == f"emotional-ai serve --port {there.port + 1}"
        assert only(places.port(there, ours=True), Standing.OK)
        page = only(places.page_port(replace(settings, web_port=there.port)), Standing.WARN)
        assert page.mend.endswith(f"--web-port {there.port + 1}")
    assert "is free" in only(places.port(there, ours=False), Standing.OK).said


def test_tokens_and_certificates_are_read_as_the_service_would(settings: DoctorSettings, tmp_path: Path) -> None:
    assert list(access.access(settings)) == []
    missing = only(access.access(replace(settings, tokens=tmp_path / "tokens")), Standing.WRONG)
    assert "emotional-ai tokens add" in missing.mend
    half = only(access.access(replace(settings, tls_cert=tmp_path / "tls.crt")), Standing.WRONG)
    assert "--tls-key" in half.said
    (tmp_path / "tls.crt").write_text("no certificate")
    (tmp_path / "tls.key").write_text("no key")
    both = replace(settings, tls_cert=tmp_path / "tls.crt", tls_key=tmp_path / "tls.key")
    assert only(access.access(both), Standing.WRONG).mend.startswith("openssl req")


def test_a_service_that_would_refuse_to_listen_to_a_network_is_told_so(settings: DoctorSettings) -> None:
    found = only(access.access(replace(settings, host="0.0.0.0")), Standing.WRONG)
    assert (found.subject, found.mend) == ("network", "emotional-ai serve --host 127.0.0.1")
    assert "--tokens FILE" in found.said


def test_a_file_that_is_not_ours_is_not_to_be_moved(settings: DoctorSettings, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE letters (text)")
        database.commit()
    for db in (other, tmp_path):
        assert "mv " not in only(places.store(replace(settings, db=db)), Standing.WRONG).mend


@pytest.mark.parametrize(
    ("environ", "standing"),
    [
        ({}, Standing.OK),
        ({"TINKER_API_KEY": f"tml-{PASSWORD}"}, Standing.OK),
        ({"TINKER_API_KEY": PASSWORD}, Standing.WRONG),
        ({"TINKER_BASE_URL": f"http://me:{PASSWORD}@127.0.0.1:1"}, Standing.WRONG),
        ({"TINKER_API_KEY": f"tml-{PASSWORD}", "TINKER_BASE_URL": f"http://me:{PASSWORD}@127.0.0.1:1"}, Standing.WARN),
        ({"TINKER_API_KEY": f"tml-{PASSWORD}", "TINKER_BASE_URL": PASSWORD}, Standing.WRONG),
    ],
)
def test_where_training_is_done_is_told_and_never_the_key(
    settings: DoctorSettings, environ: dict[str, str], standing: Standing
) -> None:
    (found,) = training.training(replace(settings, environ=environ))
    assert found.standing is standing
    assert PASSWORD[:4] not in str(found)


def test_a_price_that_is_no_number_is_told_by_its_name(settings: DoctorSettings) -> None:
    found = only(training.training(replace(settings, environ={"TINKER_TRAIN_PRICE": "cheap"})), Standing.WRONG)
    assert "TINKER_TRAIN_PRICE" in found.said


def test_an_installation_without_the_packages_of_training_is_not_wrong(tmp_path: Path) -> None:
    without = (
        "import sys; sys.modules['tinker'] = None; sys.argv = ['emotional-ai', 'doctor', '--json', '--engine-only']; "
    )
    run = "from emotional_ai.__main__ import main; main()"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TINKER_")}
    found = subprocess.run(
        (sys.executable, "-c", without + run), env=environ, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    told = [one for one in json.loads(found.stdout)["findings"] if one["subject"] == "training"]
    assert [one["standing"] for one in told] == ["ok"], told


def test_a_service_is_asked_how_it_is(tmp_path: Path) -> None:
    with hosted() as served:
        asked = running.running(served.address, NOBODY)
        assert "takes calls" in only(running.health(served.address, NOBODY), Standing.OK).said
    assert asked.answers
    assert "without a language model" in only(asked.findings, Standing.OK).said
    silent = running.running(served.address, NOBODY)
    assert not silent.answers
    assert only(silent.findings, Standing.WARN).mend.startswith("emotional-ai serve")


def test_a_client_whom_the_service_does_not_let_in_is_told_how_it_would(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.json"
    add = (
        sys.executable,
        "-m",
        "emotional_ai",
        "tokens",
        "add",
        "--tokens",
        str(tokens),
        "--tenant",
        "acme",
        "--scope",
        "read",
    )
    subprocess.run(add, check=True, capture_output=True)
    with service_process("--engine-only", "--tokens", str(tokens)) as served:
        asked = running.running(served.address, NOBODY)
    assert asked.answers
    assert "EMOTIONAL_AI_TOKEN" in only(asked.findings, Standing.WRONG).mend


def test_a_service_that_runs_is_asked_where_its_flags_say_under_any_name_of_this_machine(tmp_path: Path) -> None:
    with service_process("--engine-only") as served:
        port = served.address.rpartition(":")[2]
        there = ("--engine-only", "--store", "memory", "--jobs", str(tmp_path), "--port", port, "--json")
        for named in ((), ("--target", f"localhost:{port}")):
            command = (sys.executable, "-m", "emotional_ai", *named, "doctor", *there)
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            told = {one["subject"]: one for one in json.loads(ran.stdout)["findings"]}
            assert "answers" in told["service"]["said"], named
            assert "this service's, which runs" in told["port"]["said"], named


def test_the_command_ends_with_1_where_something_is_wrong_and_changes_nothing(tmp_path: Path) -> None:
    environ = {**os.environ, "EMOTIONAL_AI_CACHE": str(tmp_path / "cache"), "HOME": str(tmp_path)}
    command = (sys.executable, "-m", "emotional_ai", "doctor", "--json", "--db", str(tmp_path / "s.db"))
    wrong = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert wrong.returncode == 1, wrong.stderr
    told = json.loads(wrong.stdout)
    assert not told["ok"]
    assert "emotional-ai models pull" in {one["mend"] for one in told["findings"]}
    right = subprocess.run(
        (*command, "--engine-only", "--retention", "30d", "--backend=local"),
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (right.returncode, json.loads(right.stdout)["ok"]) == (0, True), right.stdout
    assert json.loads(right.stdout)["findings"][-1]["said"] == "not looked at: --retention, --backend"
    assert list(tmp_path.iterdir()) == []


def test_flags_of_another_store_are_refused_as_the_service_refuses_them(tmp_path: Path) -> None:
    environ = {**os.environ, "HOME": str(tmp_path), "EMOTIONAL_AI_REDIS_URL": "redis://127.0.0.1:1"}
    command = (sys.executable, "-m", "emotional_ai", "doctor", "--engine-only", "--store", "memory")
    for flags in (("--redis-url", "redis://127.0.0.1:1"), ("--redis-volatile",)):
        ran = subprocess.run((*command, *flags), env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert f"Invalid value for {flags[0]}: belongs to --store redis" in ran.stderr
    by_name = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert by_name.returncode == 0, by_name.stderr


@pytest.mark.parametrize("target", ["localhost:119587", "one.example:1,two.example:2"])
def test_a_target_that_cannot_be_is_told_with_how_to_name_one(target: str, tmp_path: Path) -> None:
    command = (sys.executable, "-m", "emotional_ai", "--target", target, "doctor", "--json", "--engine-only")
    environ = {**os.environ, "HOME": str(tmp_path)}
    ran = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "")
    (told,) = [one for one in json.loads(ran.stdout)["findings"] if one["subject"] == "client"]
    assert "HOST:PORT" in told["mend"]


def test_the_command_runs_where_packages_of_the_service_are_broken(tmp_path: Path) -> None:
    broken = "import sys; sys.modules['tenacity'] = sys.modules['scipy'] = sys.modules['protovalidate'] = None; "
    run = "sys.argv = ['emotional-ai', 'doctor', '--json', '--db', 's.db']; from emotional_ai.__main__ import main; main()"
    found = subprocess.run(
        (sys.executable, "-c", broken + run), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert found.returncode == 1, found.stderr
    told = json.loads(found.stdout)["findings"]
    unseen = {one["subject"] for one in told if "cannot be looked at" in one["said"]}
    assert "models" in unseen
    assert {"python", "port"} <= {one["subject"] for one in told} - unseen
