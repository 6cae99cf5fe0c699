"""An exported adapter is read in either naming, and in no other."""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest
import tinker
import torch
from safetensors.torch import load_file, save_file

from emotional_ai_training.recipes.errors import ExportRefused
from emotional_ai_training.recipes.exporting import export
from emotional_ai_training.tinker_api import DownloadFailed

LAYER = "model.layers.0.self_attn.q_proj"
PREFIX = "base_model.model."


class Shelf:
    """Names the addresses of files, as a server does."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = urls

    def get_external_weights_urls(self, path: str) -> Future[Any]:
        """As tinker.RestClient."""
        found: Future[Any] = Future()
        found.set_result(SimpleNamespace(urls=self._urls))
        return found


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing about it."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the server holds."""
    (tmp_path / "held").mkdir()
    return tmp_path / "held"


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    def handler(*given: Any) -> Quiet:
        return Quiet(*given, directory=str(folder))

    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def hold(folder: Path, names: Mapping[str, int], config: Mapping[str, Any] | None = None) -> None:
    save_file(
        {name: torch.full((2, 4), float(fill)) for name, fill in names.items()}, folder / "adapter_model.safetensors"
    )
    (folder / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 4, **(config or {})}))


def exported(folder: Path, address: str, into: Path) -> int:
    into.mkdir()
    urls = {file.name: f"{address}/{file.name}" for file in folder.iterdir()}
    return export(cast(tinker.RestClient, Shelf(urls)), "tinker://run/external_weights/x", into, 10.0)


def both(prefix: str) -> dict[str, int]:
    return {f"{prefix}{LAYER}.lora_A.weight": 1, f"{prefix}{LAYER}.lora_B.weight": 2}


@pytest.mark.parametrize("prefix", ["", PREFIX])
def test_either_naming_becomes_the_one_of_peft(folder: Path, address: str, tmp_path: Path, prefix: str) -> None:
    hold(folder, both(prefix))
    assert exported(folder, address, tmp_path / "into") == 2
    tensors = load_file(tmp_path / "into" / "adapter_model.safetensors")
    assert {name: float(tensor[0, 0]) for name, tensor in tensors.items()} == {
        f"{PREFIX}{LAYER}.lora_A.weight": 1.0,
        f"{PREFIX}{LAYER}.lora_B.weight": 2.0,
    }


@pytest.mark.parametrize(
    ("said", "kept"), [(None, ["q_proj"]), ([], ["q_proj"]), (["q_proj", "v_proj"], ["q_proj", "v_proj"])]
)
def test_targets_the_server_leaves_open_are_filled_in(
    folder: Path, address: str, tmp_path: Path, said: list[str] | None, kept: list[str]
) -> None:
    hold(folder, both(PREFIX), {"target_modules": said})
    exported(folder, address, tmp_path / "into")
    config = json.loads((tmp_path / "into" / "adapter_config.json").read_text())
    assert config == {"r": 2, "lora_alpha": 4, "target_modules": kept}


@pytest.mark.parametrize("name", ["lm_head.lora_A.weight", "model.layers.0.mlp.experts.w1.lora_A.weight", "readme"])
def test_a_tensor_that_cannot_be_blended_is_named(folder: Path, address: str, tmp_path: Path, name: str) -> None:
    hold(folder, {**both(PREFIX), name: 3})
    with pytest.raises(ExportRefused, match=name.replace(".", r"\.")):
        exported(folder, address, tmp_path / "into")


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_file_that_was_not_exported_is_named(folder: Path, address: str, tmp_path: Path, file: str) -> None:
    hold(folder, both(PREFIX))
    (folder / file).unlink()
    with pytest.raises(ExportRefused, match=f"exported without {file}"):
        exported(folder, address, tmp_path / "into")


@pytest.mark.parametrize(
    ("name", "url", "why"),
    [
        ("../outside", "http://127.0.0.1:9/x", "a path instead of a file name"),
        ("adapter_config.json", "file:///etc/hostname", "the scheme 'file'"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused(tmp_path: Path, name: str, url: str, why: str) -> None:
    with pytest.raises(DownloadFailed, match=why):
        export(cast(tinker.RestClient, Shelf({name: url})), "tinker://run/external_weights/x", tmp_path, 10.0)
    assert not (tmp_path.parent / "outside").exists()
