"""A sum of adapters as one adapter: exactly the weighted sum, whatever the weights and ranks."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from emotional_ai_training.adapters import AdapterDamaged
from emotional_ai_training.adapters.concatenation import concatenate

MODULES = ("base_model.model.model.layers.0.self_attn.q_proj", "base_model.model.model.layers.1.self_attn.v_proj")


def write(directory: Path, rank: int, alpha: int, seed: int, modules: tuple[str, ...] = MODULES) -> Path:
    draw = torch.Generator().manual_seed(seed)
    directory.mkdir()
    tensors = {}
    for module in modules:
        tensors[f"{module}.lora_A.weight"] = torch.randn(rank, 6, generator=draw)
        tensors[f"{module}.lora_B.weight"] = torch.randn(5, rank, generator=draw)
    save_file(tensors, directory / "adapter_model.safetensors")
    (directory / "adapter_config.json").write_text(json.dumps({"r": rank, "lora_alpha": alpha, "peft_type": "LORA"}))
    return directory


def delta(directory: Path, module: str) -> torch.Tensor:
    config = json.loads((directory / "adapter_config.json").read_text())
    tensors = load_file(directory / "adapter_model.safetensors")
    product = tensors[f"{module}.lora_B.weight"].double() @ tensors[f"{module}.lora_A.weight"].double()
    return config["lora_alpha"] / config["r"] * product


@settings(deadline=None, max_examples=30)
@given(
    parts=st.lists(
        st.tuples(st.sampled_from([1, 2, 3, 8]), st.sampled_from([1, 16, 32]), st.floats(-2, 2, width=32)),
        min_size=1,
        max_size=5,
    )
)
def test_the_sum_is_exact_for_any_ranks_scales_and_weights(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[int, int, float]]
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    written = [write(folder / str(i), rank, alpha, i) for i, (rank, alpha, _) in enumerate(parts)]
    rank = concatenate([(path, weight) for path, (_, _, weight) in zip(written, parts, strict=True)], folder / "sum")
    assert rank & (rank - 1) == 0
    for module in MODULES:
        wanted = sum(weight * delta(path, module) for path, (_, _, weight) in zip(written, parts, strict=True))
        assert torch.allclose(delta(folder / "sum", module), torch.as_tensor(wanted), atol=1e-4)


def test_averaging_the_factors_apart_is_not_the_sum(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", 4, 4, 1), write(tmp_path / "two", 4, 4, 2)
    first, second = (load_file(path / "adapter_model.safetensors") for path in (one, two))
    down = (first[f"{MODULES[0]}.lora_A.weight"] + second[f"{MODULES[0]}.lora_A.weight"]) / 2
    up = (first[f"{MODULES[0]}.lora_B.weight"] + second[f"{MODULES[0]}.lora_B.weight"]) / 2
    wanted = (delta(one, MODULES[0]) + delta(two, MODULES[0])) / 2
    assert (up.double() @ down.double() - wanted).norm() > 0.5 * wanted.norm()


def test_adapters_of_other_layers_are_refused(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", 4, 4, 1), write(tmp_path / "two", 4, 4, 2, modules=MODULES[:1])
    with pytest.raises(AdapterDamaged, match="other layers"):
        concatenate([(one, 1.0), (two, 1.0)], tmp_path / "sum")


def test_a_sum_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        concatenate([], tmp_path / "sum")


@settings(deadline=None, max_examples=20)
@given(
    weights=st.lists(st.tuples(st.floats(-2, 2, width=32), st.floats(-2, 2, width=32)), min_size=1, max_size=3),
)
def test_weights_per_layer_weigh_each_layer_by_its_own(
    tmp_path_factory: pytest.TempPathFactory, weights: list[tuple[float, float]]
) -> None:
    folder = tmp_path_factory.mktemp("parts")
    written = [write(folder / str(i), i + 2, 16, i) for i in range(len(weights))]
    concatenate(list(zip(written, weights, strict=True)), folder / "sum")
    for layer, module in enumerate(MODULES):
        wanted = sum(weight[layer] * delta(path, module) for path, weight in zip(written, weights, strict=True))
        assert torch.allclose(delta(folder / "sum", module), torch.as_tensor(wanted), atol=1e-4)


def test_a_layer_without_a_weight_is_refused(tmp_path: Path) -> None:
    one = write(tmp_path / "one", 4, 4, 1)
    with pytest.raises(AdapterDamaged, match="none of 1 weights per layer"):
        concatenate([(one, [0.5])], tmp_path / "sum")


def test_the_rank_is_the_sum_of_ranks_where_nothing_is_filled_in(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", 3, 4, 1), write(tmp_path / "two", 2, 4, 2)
    assert concatenate([(one, 1.0), (two, -1.0)], tmp_path / "sum", filled=False) == 5
    for module in MODULES:
        assert torch.allclose(delta(tmp_path / "sum", module), delta(one, module) - delta(two, module), atol=1e-4)


def test_an_alpha_between_whole_numbers_counts_as_it_is(tmp_path: Path) -> None:
    one = write(tmp_path / "one", 4, 4, 1)
    file = one / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"lora_alpha": 0.5}))
    concatenate([(one, 1.0)], tmp_path / "sum")
    before, after = (
        load_file(one / "adapter_model.safetensors"),
        load_file(tmp_path / "sum" / "adapter_model.safetensors"),
    )
    name = f"{MODULES[0]}.lora_B.weight"
    torch.testing.assert_close(after[name], before[name] * 0.5 / 4)


@pytest.mark.parametrize("unusual", ["use_dora", "modules_to_save", "use_rslora"])
def test_what_a_sum_does_not_know_is_refused(tmp_path: Path, unusual: str) -> None:
    one = write(tmp_path / "one", 4, 4, 1)
    file = one / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {unusual: True}))
    with pytest.raises(AdapterDamaged, match=f"uses {unusual}"):
        concatenate([(one, 1.0)], tmp_path / "sum")


def test_a_sum_beyond_float32_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdapterDamaged, match="beyond float32"):
        concatenate([(write(tmp_path / "one", 4, 4, 1), 1e300)], tmp_path / "sum")
