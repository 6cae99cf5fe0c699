"""A manifest is read only where it describes what lies beside it, and a refusal names the file and the field."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_adapters import manifest, peft_dir, published

from emotional_ai_training.adapters import AdapterDamaged, adapter_digest, load_manifest, publish
from emotional_ai_training.adapters.manifest import check_manifest


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A whole adapter."""
    published(tmp_path / "loras", "balanced")
    return tmp_path / "loras" / "balanced"


def edit(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_what_was_published_is_read_back(adapter: Path) -> None:
    found = load_manifest(adapter)
    assert found == manifest("balanced", digest=adapter_digest(adapter))
    assert found.prototype == (0.5, 0.6, 0.3, 0.5)
    assert sorted(path.name for path in adapter.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "manifest.json",
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../etc"),
        ("name", ""),
        ("name", ".hidden"),
        ("digest", "0" * 63),
        ("base_model", ""),
        ("base_model_digest", "G" * 64),
        ("prototype", [0.1, 0.2, 0.3]),
        ("prototype", [0.1, 0.2, 0.3, 1.5]),
        ("prototype", [0.1, 0.2, 0.3, True]),
        ("scale", 0),
        ("scale", -1.0),
        ("scale", "1"),
        ("scale", 10**400),
        ("scale", 1e7),
        ("learning_rate", 10**400),
        ("base_model", "half a character: \ud800"),
        ("metrics", {"loss": 10**400}),
        ("metrics", {"\ud800": 1.0}),
        ("scale_calibrated", 1),
        ("rank", 0),
        ("rank", 129),
        ("rank", 2.0),
        ("recipe", " "),
        ("seed", -1),
        ("learning_rate", 0.0),
        ("steps", -1),
        ("data_digest", None),
        ("metrics", {"loss": "low"}),
        ("metrics", [1]),
        ("format", 2),
    ],
)
def test_a_value_out_of_range_is_refused_by_file_and_field(adapter: Path, field: str, value: object) -> None:
    edit(adapter / "manifest.json", **{field: value})
    with pytest.raises(AdapterDamaged, match=rf"manifest\.json: {field} must be") as refused:
        load_manifest(adapter)
    assert (refused.value.file, refused.value.field) == ("manifest.json", field)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_none_is_refused(adapter: Path, number: str) -> None:
    file = adapter / "manifest.json"
    file.write_text(file.read_text().replace('"scale": 2.0', f'"scale": {number}'))
    with pytest.raises(AdapterDamaged, match="scale must be a number above 0"):
        load_manifest(adapter)


def test_a_field_too_few_or_too_many_is_refused(adapter: Path) -> None:
    record = json.loads((adapter / "manifest.json").read_text())
    (adapter / "manifest.json").write_text(json.dumps(record | {"colour": "red"}))
    with pytest.raises(AdapterDamaged, match="colour is not a field"):
        load_manifest(adapter)
    del record["seed"]
    (adapter / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(AdapterDamaged, match="seed is missing"):
        load_manifest(adapter)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "\x00", "[" * 100_000])
@pytest.mark.parametrize("file", ["manifest.json", "adapter_config.json"])
def test_a_file_that_is_no_json_object_is_refused_by_name(adapter: Path, file: str, content: str) -> None:
    (adapter / file).write_text(content)
    with pytest.raises(AdapterDamaged, match="is not") as refused:
        load_manifest(adapter)
    assert refused.value.file == file


@pytest.mark.parametrize("file", ["manifest.json", "adapter_config.json", "adapter_model.safetensors"])
def test_a_missing_file_is_refused_by_name(adapter: Path, file: str) -> None:
    (adapter / file).unlink()
    with pytest.raises(AdapterDamaged) as refused:
        load_manifest(adapter)
    assert refused.value.file == file


def test_weights_that_changed_no_longer_fit_the_digest(adapter: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(AdapterDamaged, match="digest does not fit"):
        load_manifest(adapter)


def test_a_configuration_that_changed_no_longer_fits_the_digest_but_its_spacing_may(adapter: Path) -> None:
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()), indent=8))
    load_manifest(adapter)
    edit(config, lora_alpha=8)
    with pytest.raises(AdapterDamaged, match="digest does not fit"):
        load_manifest(adapter)


def test_the_rank_must_be_that_of_the_configuration(adapter: Path) -> None:
    edit(adapter / "manifest.json", rank=4)
    with pytest.raises(AdapterDamaged, match=r"rank is 4, but adapter_config\.json says r = 2"):
        load_manifest(adapter)


def test_an_adapter_under_another_name_is_refused(adapter: Path) -> None:
    moved = adapter.rename(adapter.with_name("joy"))
    with pytest.raises(AdapterDamaged, match="'balanced', but the directory is called 'joy'"):
        load_manifest(moved)


def test_every_field_has_a_range(tmp_path: Path) -> None:
    directory = peft_dir(tmp_path)
    for name in type(manifest()).__slots__:
        with pytest.raises(AdapterDamaged):
            check_manifest(directory, manifest(**({"digest": "0" * 64, "name": "n"} | {name: object()})))


@pytest.mark.parametrize("fill", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("kind", [np.float32, np.float16, np.float64])
def test_weights_that_are_not_finite_are_not_published(tmp_path: Path, fill: float, kind: type[np.floating]) -> None:
    directory = peft_dir(tmp_path / "peft")
    good, bad = np.ones((2, 4), kind), np.full((4, 2), fill, kind)
    save_file({"x.lora_A.weight": good, "x.lora_B.weight": bad}, directory / "adapter_model.safetensors")
    with pytest.raises(AdapterDamaged, match=r"x\.lora_B\.weight holds numbers that are not finite"):
        publish(directory, manifest(), tmp_path / "loras")
    assert not (tmp_path / "loras").exists()


@pytest.mark.parametrize("length", [0, 4, 8, 40, -1])
def test_weights_that_are_cut_short_are_not_published(tmp_path: Path, length: int) -> None:
    directory = peft_dir(tmp_path / "peft")
    weights = directory / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:length])
    with pytest.raises(AdapterDamaged, match="is not a whole safetensors file"):
        publish(directory, manifest(), tmp_path / "loras")


def test_weights_without_matrices_are_not_published(tmp_path: Path) -> None:
    directory = peft_dir(tmp_path / "peft")
    save_file({"x": np.ones(3, np.float32)}, directory / "adapter_model.safetensors")
    with pytest.raises(AdapterDamaged, match="holds no LoRA matrices"):
        publish(directory, manifest(), tmp_path / "loras")


def test_a_field_named_by_half_a_character_is_refused_in_words_that_can_be_sent(adapter: Path) -> None:
    edit(adapter / "manifest.json", **{"\ud800": 1})
    with pytest.raises(AdapterDamaged, match="is not a field of a manifest") as refused:
        load_manifest(adapter)
    assert str(refused.value).encode()


@pytest.mark.parametrize("alpha", ["NaN", "Infinity", "1e7", "1" + "0" * 400, '"8"', "null", "true"])
def test_an_alpha_that_cannot_be_computed_with_is_refused(adapter: Path, alpha: str) -> None:
    file = adapter / "adapter_config.json"
    file.write_text(file.read_text().replace('"lora_alpha": 4', f'"lora_alpha": {alpha}'))
    edit(adapter / "manifest.json", digest=adapter_digest(adapter))
    with pytest.raises(AdapterDamaged, match="lora_alpha must be a number of at most"):
        load_manifest(adapter)


@pytest.mark.parametrize("fill", [2.0**30, -1e38, 1e300, np.inf, np.nan])
def test_numbers_that_would_overflow_beside_others_are_refused(adapter: Path, fill: float) -> None:
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    weights = adapter / "adapter_model.safetensors"
    for kind in (np.float64,) if fill == 1e300 else (np.float32, np.float64):
        save_file(load_file(weights) | {name: np.full((4, 4), fill, kind)}, weights)
        edit(adapter / "manifest.json", digest=adapter_digest(adapter))
        with pytest.raises(AdapterDamaged, match=r"2\^30 or more|not finite") as refused:
            load_manifest(adapter)
        assert refused.value.field == name
    save_file(load_file(weights) | {name: np.full((4, 4), 2.0**29, np.float32)}, weights)
    edit(adapter / "manifest.json", digest=adapter_digest(adapter))
    assert load_manifest(adapter).name == "balanced"


@pytest.mark.parametrize("file", ["manifest.json", "adapter_config.json", "adapter_model.safetensors"])
def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(adapter: Path, file: str) -> None:
    (adapter / file).unlink()
    os.mkfifo(adapter / file)
    with pytest.raises(AdapterDamaged, match="is not a file"):
        load_manifest(adapter)
