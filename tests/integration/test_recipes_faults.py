"""Faults between a recipe and its server: each heals with the same losses, or ends in a clear message in bounded time."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import tinker
from faulty_proxy import Answer, Cut, Delay, Fault, FaultyProxy, Hold, failed_future
from safetensors.torch import load_file
from tiny_model import write_tiny_model
from tiny_training import STEPS, Told, fine_tuned, losses, run_in, without_telemetry

from emotional_ai_training.recipes.errors import StateLost
from emotional_ai_training.recipes.exporting import WEIGHTS, export
from emotional_ai_training.recipes.run_directory import Finished
from emotional_ai_training.tinker_api import (
    Address,
    BaseModelUnavailable,
    DeadlineExceeded,
    DownloadFailed,
    KeyRefused,
    RemoteServer,
    TinkerServer,
    choose_base_model,
    explain,
    rest_client,
)
from emotional_ai_training.tinker_server.process import LocalServer

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # the SDK leaves connections to the collector
CLOSE = 1e-6


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def model(place: Path) -> Path:
    return write_tiny_model(place / "tiny")


@pytest.fixture(scope="module")
def small_disk(place: Path) -> Iterator[Path | None]:
    """A file system of 24 MiB for the server's state, or None where none can be mounted."""
    folder = place / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    yield folder if mounted else None
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="module")
def local(model: Path, place: Path, small_disk: Path | None) -> Iterator[LocalServer]:
    with without_telemetry(), LocalServer(model, (small_disk or place) / "tinker", threads=1) as server:
        yield server


@pytest.fixture(scope="module")
def finished(local: LocalServer, model: Path, place: Path) -> Finished:
    """A run that nothing disturbed, in the directory `undisturbed`."""
    return fine_tuned(RemoteServer(Address(local.base_url, local.api_key)), model, place / "undisturbed")


@pytest.fixture(scope="module")
def undisturbed(finished: Finished, place: Path) -> list[float]:
    return losses(place / "undisturbed")


@pytest.fixture
def proxy(local: LocalServer) -> Iterator[FaultyProxy]:
    with FaultyProxy(local.base_url) as faulty:
        yield faulty


@pytest.fixture
def server(proxy: FaultyProxy, local: LocalServer) -> TinkerServer:
    """The server, behind the proxy."""
    return RemoteServer(Address(proxy.base_url, local.api_key))


@pytest.fixture
def rest(proxy: FaultyProxy, local: LocalServer) -> tinker.RestClient:
    """What the server stores, behind the proxy."""
    return tinker.RestClient(base_url=proxy.base_url, api_key=local.api_key)


@pytest.mark.parametrize(
    ("route", "faults"),
    [
        ("/create_session", (Answer(503),)),
        ("/create_model", (Answer(503),)),
        ("/forward_backward", (Answer(429, (("Retry-After", "1"),)),)),
        ("/forward_backward", (Cut(0.5),)),
        ("/forward_backward", (Delay(0.5), Delay(0.1))),
        ("/optim_step", (Answer(503), Answer(503))),
        ("/optim_step", (Cut(0.0),)),
        ("/retrieve_future", (Answer(503), Cut(0.7), Delay(0.5))),
        ("/save_weights", (Answer(503), Cut(0.5))),
        ("/checkpoints/weights/", (Answer(503),)),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(type(fault).__name__ for fault in value),
)
def test_what_passes_is_not_noticed(
    server: TinkerServer,
    proxy: FaultyProxy,
    model: Path,
    tmp_path: Path,
    undisturbed: list[float],
    route: str,
    faults: tuple[Fault, ...],
) -> None:
    proxy.plan(route, *faults)
    reporter = Told()
    fine_tuned(server, model, tmp_path, reporter)
    assert proxy.spent()
    assert reporter.steps == list(range(1, STEPS + 1))
    assert losses(tmp_path) == pytest.approx(undisturbed, abs=CLOSE)


@pytest.mark.parametrize("fault", [Hold(), failed_future("server")], ids=["no answer", "the server's failure"])
def test_a_request_that_fails_in_the_middle_is_mended_from_the_last_state(
    server: TinkerServer, proxy: FaultyProxy, model: Path, tmp_path: Path, undisturbed: list[float], fault: Fault
) -> None:
    proxy.plan("/retrieve_future", fault, after=12)
    reporter = Told()
    fine_tuned(server, model, tmp_path, reporter, deadline=10.0)
    assert proxy.spent()
    assert len(reporter.steps) > STEPS
    assert losses(tmp_path) == pytest.approx(undisturbed, abs=CLOSE)


def test_a_server_that_answers_no_more_is_given_up_in_bounded_time(
    server: TinkerServer, proxy: FaultyProxy, model: Path, tmp_path: Path
) -> None:
    proxy.plan("/forward_backward", Hold(), for_ever=True)
    with pytest.raises(DeadlineExceeded, match="no answer within 5 s"):
        fine_tuned(server, model, tmp_path, deadline=5.0)
    assert proxy.seen["/forward_backward"] > 0


def test_a_server_that_takes_no_session_is_given_up_in_bounded_time(
    server: TinkerServer, proxy: FaultyProxy, model: Path, tmp_path: Path
) -> None:
    proxy.plan("/create_session", Hold(), for_ever=True)
    with pytest.raises(DeadlineExceeded, match=r"opening the training client: no answer within 0\.5 s"):
        fine_tuned(server, model, tmp_path, deadline=0.5)


def test_a_server_that_stays_silent_is_named_in_bounded_time_and_reached_once_it_speaks(
    server: TinkerServer, proxy: FaultyProxy
) -> None:
    proxy.plan("/api", Hold(), for_ever=True)
    with pytest.raises(DeadlineExceeded, match=rf"reaching {proxy.base_url}: no answer within 0\.5 s"):
        rest_client(server, 0.5)
    proxy.clear()
    assert choose_base_model(rest_client(server, 30.0), "", 30.0) == "tiny"


@pytest.mark.parametrize("route", ["/forward_backward", "/retrieve_future"])
def test_no_step_without_its_gradient_survives(
    server: TinkerServer,
    rest: tinker.RestClient,
    proxy: FaultyProxy,
    model: Path,
    tmp_path: Path,
    place: Path,
    finished: Finished,
    undisturbed: list[float],
    route: str,
) -> None:
    fault = Answer(400) if route == "/forward_backward" else failed_future("user")
    proxy.plan(route, fault, after=5 if route == "/forward_backward" else 14)
    with pytest.raises((tinker.BadRequestError, tinker.RequestFailedError)) as raised:
        fine_tuned(server, model, tmp_path)
    assert "the Tinker server" in explain(raised.value)
    assert run_in(tmp_path).next_step in {3, 6}

    again = fine_tuned(server, model, tmp_path)
    assert losses(tmp_path) == pytest.approx(undisturbed, abs=CLOSE)
    assert exported(rest, again, tmp_path) == exported(rest, finished, tmp_path)


def exported(rest: tinker.RestClient, run: Finished, scratch: Path) -> dict[str, list[float]]:
    """The weights of a finished run by name."""
    into = scratch / run.external.replace("/", "_")
    into.mkdir()
    export(rest, run.external, into, 30.0)
    return {name: tensor.flatten().tolist() for name, tensor in load_file(into / WEIGHTS).items()}


def test_a_wrong_key_is_refused_and_the_setting_named(local: LocalServer, model: Path, tmp_path: Path) -> None:
    stranger = Address(local.base_url, "tml-wrong")
    with pytest.raises(KeyRefused, match="TINKER_API_KEY"):
        fine_tuned(RemoteServer(stranger), model, tmp_path)
    with pytest.raises(KeyRefused, match=f"{local.base_url} refused the key: set TINKER_API_KEY"):
        rest_client(RemoteServer(stranger), 30.0)


def test_a_retired_base_model_is_refused_with_the_live_ones(rest: tinker.RestClient) -> None:
    with pytest.raises(BaseModelUnavailable, match=r"does not train meta/retired; set MODEL_NAME to one of: tiny"):
        choose_base_model(rest, "meta/retired", 30.0)


def test_a_state_the_server_does_not_have_is_named_with_the_way_out(
    server: TinkerServer, model: Path, tmp_path: Path, finished: Finished
) -> None:
    gone = finished.state.replace("conditioning-8", "conditioning-3")
    run_in(tmp_path).checkpoint(3, gone)
    with pytest.raises(StateLost, match=rf"does not have {gone}.*--fresh"):
        fine_tuned(server, model, tmp_path)


def test_a_full_disk_of_the_server_is_named_and_training_goes_on_once_there_is_room(
    server: TinkerServer, model: Path, tmp_path: Path, small_disk: Path | None, undisturbed: list[float]
) -> None:
    if small_disk is None:
        pytest.skip("no small file system can be mounted here")
    ballast = small_disk / "ballast"
    with pytest.raises(tinker.RequestFailedError) as raised:
        fine_tuned(server, model, tmp_path, Told(4, lambda _: fill(ballast)))
    assert "No space left on device" in explain(raised.value)
    assert run_in(tmp_path).next_step == 3
    ballast.unlink()
    fine_tuned(server, model, tmp_path)
    assert losses(tmp_path) == pytest.approx(undisturbed, abs=CLOSE)


def fill(ballast: Path) -> None:
    """Takes all room there is."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


@pytest.mark.parametrize(
    "faults",
    [(Cut(0.9),), (Answer(503), Answer(503)), (Cut(0.0),), (Answer(429),)],
    ids=["cut", "503", "dropped", "429"],
)
def test_a_download_that_fails_in_passing_is_made_whole(
    rest: tinker.RestClient, proxy: FaultyProxy, tmp_path: Path, finished: Finished, faults: tuple[Fault, ...]
) -> None:
    (tmp_path / "direct").mkdir()
    (tmp_path / "disturbed").mkdir()
    export(rest, finished.external, tmp_path / "direct", 30.0)
    proxy.plan("/files/", *faults)
    export(rest, finished.external, tmp_path / "disturbed", 30.0)
    assert proxy.spent()
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (tmp_path / "disturbed" / name).read_bytes() == (tmp_path / "direct" / name).read_bytes()


def test_a_file_that_is_not_there_is_named(
    rest: tinker.RestClient, proxy: FaultyProxy, tmp_path: Path, finished: Finished
) -> None:
    proxy.plan("/adapter_config.json", Answer(404), for_ever=True)
    with pytest.raises(DownloadFailed, match=r"could not download adapter_config\.json: .*404"):
        export(rest, finished.external, tmp_path, 30.0)
    assert proxy.seen["/adapter_config.json"] == 1
