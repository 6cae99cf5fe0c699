"""The server as a process of its own: started, killed, restarted, and gone with its parent."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import tinker
from safetensors import safe_open
from tinker_loopback import LEFT_OPEN, PATIENCE, collect_connections, training_data
from tiny_model import write_tiny_model

from emotional_ai_training.tinker_server import Dtype, LocalServer, ServerStartFailed

pytestmark = [pytest.mark.filterwarnings(LEFT_OPEN), pytest.mark.timeout(900)]
ADAM = tinker.AdamParams(learning_rate=1e-2)
COMMAND = (sys.executable, "-m", "emotional_ai_training.tinker_server")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TINKER_TELEMETRY", "0")
    yield
    collect_connections()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


def client_of(server: LocalServer) -> tinker.ServiceClient:
    return tinker.ServiceClient(base_url=server.base_url, api_key=server.api_key)


def leave(trainer: tinker.TrainingClient) -> None:
    """Ends all that the SDK does for a client whose server is gone: it tries for minutes, and tells of it in later tests.

    To close the client itself would have that server told first.
    """
    trainer.holder.run_coroutine_threadsafe(trainer.holder.aclose()).result(PATIENCE)


def train(trainer: tinker.TrainingClient, seeds: range) -> list[float]:
    """Losses of one step for each seed."""
    sent = [
        (trainer.forward_backward(training_data(seed=seed), "cross_entropy"), trainer.optim_step(ADAM))
        for seed in seeds
    ]
    return [passed.result(PATIENCE).metrics["loss:sum"] for passed, stepped in sent if stepped.result(PATIENCE)]


def test_training_killed_and_resumed_gives_the_losses_of_training_left_alone(model: Path, tmp_path: Path) -> None:
    with LocalServer(model, tmp_path, threads=1) as server:
        with client_of(server) as client:
            undisturbed = train(client.create_lora_training_client("tiny", rank=4, seed=1).result(PATIENCE), range(6))
        client = client_of(server)
        trainer = client.create_lora_training_client("tiny", rank=4, seed=1).result(PATIENCE)
        before = train(trainer, range(3))
        path = trainer.save_state("three").result(PATIENCE).path
        trainer.forward_backward(training_data(seed=3), "cross_entropy")
        server.kill()
        assert not server.alive()
        leave(trainer)
    with LocalServer(model, tmp_path, threads=1) as server:
        rest = tinker.RestClient(base_url=server.base_url, api_key=server.api_key)
        runs = rest.list_training_runs().result(PATIENCE).training_runs
        assert trainer.model_id in {run.training_run_id for run in runs}
        with client_of(server) as again:
            resumed = again.create_training_client_from_state_with_optimizer(path).result(PATIENCE)
            assert before + train(resumed, range(3, 6)) == undisturbed


@pytest.mark.parametrize("dtype", [Dtype.FLOAT32, Dtype.BFLOAT16])
def test_the_child_is_told_the_format_of_the_weights(model: Path, tmp_path: Path, dtype: Dtype) -> None:
    with LocalServer(model, tmp_path, threads=1, dtype=dtype) as server:
        assert server._process is not None
        words = Path(f"/proc/{server._process.pid}/cmdline").read_bytes().decode().split("\0")
    assert words[words.index("--dtype") + 1] == dtype.value


def test_a_server_killed_while_it_saves_leaves_no_torn_checkpoint(model: Path, tmp_path: Path) -> None:
    with LocalServer(model, tmp_path, threads=1) as server:
        client = client_of(server)
        trainer = client.create_lora_training_client("tiny", rank=128).result(PATIENCE)
        futures = [trainer.save_state(f"s{place % 4}", overwrite=True) for place in range(60)]
        futures[5].result(PATIENCE)
        killer = threading.Timer(0.02, server.kill)
        killer.start()
        killer.join(PATIENCE)
        leave(trainer)
    found = list(tmp_path.glob("runs/*/weights/[!.]*.safetensors"))
    assert found
    for place in found:
        with safe_open(place, "pt") as file:
            assert "tinker" in file.metadata()
    with LocalServer(model, tmp_path, threads=1) as server:
        rest = tinker.RestClient(base_url=server.base_url, api_key=server.api_key)
        listed = rest.list_checkpoints(trainer.model_id).result(PATIENCE).checkpoints
        assert len(listed) == len(found)
        assert not list(tmp_path.glob("runs/*/weights/.*"))


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerStartFailed, match="is not a model"):
        LocalServer(tmp_path / "nothing", tmp_path / "state").start()


def test_two_servers_never_share_a_state(model: Path, tmp_path: Path) -> None:
    with (
        LocalServer(model, tmp_path, threads=1),
        pytest.raises(ServerStartFailed, match="another server uses"),
    ):
        LocalServer(model, tmp_path, threads=1).start()


def test_a_server_ends_with_its_parent(model: Path, tmp_path: Path) -> None:
    parent = subprocess.run(
        (
            sys.executable,
            "-c",
            "import os, sys; from pathlib import Path; from emotional_ai_training.tinker_server import LocalServer\n"
            "server = LocalServer(Path(sys.argv[1]), Path(sys.argv[2]), threads=1); server.start()\n"
            "print(server.base_url, flush=True); os.kill(os.getpid(), 9)",
            str(model),
            str(tmp_path),
        ),
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    assert parent.returncode == -signal.SIGKILL
    # The lock of the state is free once the orphan has gone: the next server waits for nothing else.
    lock = os.open(tmp_path / ".lock", os.O_RDWR)
    try:
        waiting = threading.Thread(target=fcntl.flock, args=(lock, fcntl.LOCK_EX), daemon=True)
        waiting.start()
        waiting.join(PATIENCE)
        assert not waiting.is_alive()
    finally:
        os.close(lock)


def test_the_command_prints_what_to_copy_and_ends_at_ctrl_c(model: Path, tmp_path: Path) -> None:
    command = [*COMMAND, "--model", str(model), "--state", str(tmp_path), "--threads", "1"]
    environment = {name: value for name, value in os.environ.items() if name != "TINKER_API_KEY"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        printed = {}
        for line in process.stdout:
            if line.startswith("  export "):
                name, _, value = line.removeprefix("  export ").strip().partition("=")
                printed[name] = value
            if len(printed) == 2:
                break
        assert printed["TINKER_BASE_URL"].startswith("http://127.0.0.1:")
        assert printed["TINKER_API_KEY"].startswith("tml-")
        with urllib.request.urlopen(f"{printed['TINKER_BASE_URL']}/api/v1/healthz", timeout=PATIENCE) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    assert process.returncode in {0, 130, -signal.SIGINT}


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--host", "0.0.0.0"), "--listen-beyond-loopback"),
        (("--key", "secret"), "tml-"),
    ],
)
def test_settings_that_cannot_be_served_are_told_in_a_line(
    model: Path, tmp_path: Path, flags: tuple[str, ...], reason: str
) -> None:
    outcome = subprocess.run(
        [*COMMAND, "--model", str(model), "--state", str(tmp_path), *flags],
        capture_output=True,
        text=True,
        timeout=PATIENCE * 2,
        check=False,
    )
    assert outcome.returncode == 1
    assert reason in outcome.stderr
    assert "Traceback" not in outcome.stderr
