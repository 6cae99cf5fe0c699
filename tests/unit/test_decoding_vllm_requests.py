"""A request in vLLM's terms, and what is written for its blend."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_adapters import published
from vllm_loopback import MODEL

from emotional_ai_service.decoding import BlendWeight, GenerationRequest, Message, Role, Sampling
from emotional_ai_service.decoding.ends import end_tokens
from emotional_ai_service.decoding.errors import AdapterRefused, CannotBlend, CannotFollow
from emotional_ai_service.decoding.messages import DEFAULT_MIN_P, Voice, VoiceChange
from emotional_ai_service.decoding.vllm import VllmSettings, server_command
from emotional_ai_service.decoding.vllm.asking import check_request, completion, spoken_temperature
from emotional_ai_service.decoding.vllm.errors import AdapterChanged
from emotional_ai_service.decoding.vllm.preparation import write_blend
from emotional_ai_service.decoding.vllm.recipes import Recipe, recipe_for
from emotional_ai_training.adapters import Registry


def ask(**fields: object) -> GenerationRequest:
    given = {"messages": (Message(Role.USER, "the sea"),), "seed": 5, "sampling": Sampling()} | fields
    return GenerationRequest(**given)  # type: ignore[arg-type]


def body_of(request: GenerationRequest, *, penalises: bool = True) -> dict[str, object]:
    return completion(request, MODEL, (1, 2), (0,), penalises=penalises)


def test_everything_is_said_outright() -> None:
    body = body_of(ask(sampling=Sampling(0.7, 5, 0.8, repetition_penalty=1.2, min_p=0.3), max_tokens=9))
    assert body["prompt"] == [1, 2]
    assert (body["temperature"], body["top_k"], body["top_p"], body["max_tokens"]) == (0.7, 5, 0.8, 9)
    assert body["min_p"] == 0.3
    assert body_of(ask())["min_p"] == DEFAULT_MIN_P
    assert body["repetition_penalty"] == 1.0
    assert body["vllm_xargs"] == {"reply_penalty": 1.2}
    assert body["stop_token_ids"] == [0]
    assert "logprobs" not in body
    assert body_of(ask(logprobs=True))["logprobs"] == 0
    assert "vllm_xargs" not in body_of(ask(sampling=Sampling(repetition_penalty=1)), penalises=False)


def test_the_server_finds_prefixes_again_for_the_tenant_that_asked_alone() -> None:
    assert "cache_salt" not in body_of(ask())
    assert {body_of(ask(tenant=name))["cache_salt"] for name in ("acme", "zeta")} == {"tenant:acme", "tenant:zeta"}


@pytest.mark.parametrize("seed", [0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_every_seed_is_one_that_repeats(seed: int) -> None:
    sent = body_of(ask(seed=seed))["seed"]
    assert isinstance(sent, int)
    assert 0 <= sent < 1 << 63  # vLLM takes -1 for no seed at all


def test_the_voice_of_the_first_token_is_the_voice_of_the_reply() -> None:
    voice = Voice((BlendWeight("one", 1.0),), 0.4, 0.6)
    request = ask(schedule=(VoiceChange(0, voice),), sampling=Sampling(1.5))
    check_request(request, penalises=True)
    assert (body_of(request)["temperature"], body_of(request)["top_p"]) == (0.4, 0.6)


def test_a_temperature_vllm_raises_is_raised_here() -> None:
    assert [spoken_temperature(Voice((), t, 1.0)) for t in (0.0, 0.001, 0.01, 1.0)] == [0.0, 0.01, 0.01, 1.0]


def test_a_later_change_cannot_be_followed() -> None:
    with pytest.raises(CannotFollow):
        check_request(ask(schedule=(VoiceChange(3, Voice((), 1.0, 1.0)),)), penalises=True)


def test_a_penalty_the_server_would_count_otherwise_is_refused() -> None:
    with pytest.raises(CannotBlend, match="reply_penalty:ReplyPenalty"):
        check_request(ask(), penalises=False)
    check_request(ask(sampling=Sampling(repetition_penalty=1)), penalises=False)


def recipe(loras: Path, *blend: BlendWeight) -> Recipe:
    listing = Registry(loras).list()
    return recipe_for(blend, listing, loras, listing.adapters[0].base_model_digest, layers=1)


def test_the_adapter_written_is_the_weighted_sum_at_calibrated_scales(tmp_path: Path) -> None:
    loras = tmp_path / "loras"
    published(loras, "one", fill=0.5)
    published(loras, "two", fill=1.0, scale=0.5)
    made = recipe(loras, BlendWeight("one", 0.25), BlendWeight("two", -1.0))
    into = tmp_path / "blends" / made.name
    assert write_blend(made, into) == made.rank == 4
    config = json.loads((into / "adapter_config.json").read_text())
    assert config["r"] == config["lora_alpha"] == 4
    tensors = load_file(into / "adapter_model.safetensors")
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    product = tensors[f"{layer}.lora_B.weight"] @ tensors[f"{layer}.lora_A.weight"]
    # Each is alpha / r = 2 times a product of all fill * fill * 2: once by .25 * 2, once by -1 * .5.
    assert torch.allclose(product, torch.full((4, 4), 0.25 * 2 * 2 * 0.5 - 0.5 * 2 * 2.0))
    assert [entry.name for entry in into.parent.iterdir()] == [made.name]


def test_a_blend_that_is_there_is_left_alone(tmp_path: Path) -> None:
    published(tmp_path / "loras", "one")
    made = recipe(tmp_path / "loras", BlendWeight("one", 1.0))
    write_blend(made, tmp_path / made.name)
    before = (tmp_path / made.name / "adapter_model.safetensors").stat().st_mtime_ns
    assert write_blend(made, tmp_path / made.name) == made.rank
    assert (tmp_path / made.name / "adapter_model.safetensors").stat().st_mtime_ns == before


def test_an_adapter_that_goes_meanwhile_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    published(tmp_path / "loras", "one")
    made = recipe(tmp_path / "loras", BlendWeight("one", 1.0))
    (tmp_path / "loras" / "one" / "adapter_model.safetensors").unlink()
    with pytest.raises(AdapterRefused, match="'one'"):
        write_blend(made, tmp_path / "blends" / made.name)
    assert list((tmp_path / "blends").iterdir()) == []


def test_an_adapter_replaced_since_the_blend_was_planned_is_not_written_under_its_name(tmp_path: Path) -> None:
    published(tmp_path / "loras", "one", fill=0.5)
    made = recipe(tmp_path / "loras", BlendWeight("one", 1.0))
    published(tmp_path / "loras", "one", fill=0.25)
    with pytest.raises(AdapterChanged, match="'one' was replaced") as refusal:
        write_blend(made, tmp_path / "blends" / made.name)
    assert refusal.value.retry_seconds > 0
    assert list((tmp_path / "blends").iterdir()) == []
    anew = recipe(tmp_path / "loras", BlendWeight("one", 1.0))
    assert write_blend(anew, tmp_path / "blends" / anew.name) == anew.rank


def test_every_token_that_ends_a_turn_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": 7}))
    assert end_tokens(tmp_path, None) == (7,)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [9, 8]}))
    assert end_tokens(tmp_path, 2) == (2, 7, 8, 9)


def settings(tmp_path: Path, **fields: object) -> VllmSettings:
    given = {
        "base_url": "http://127.0.0.1:8000",
        "model": MODEL,
        "model_dir": tmp_path / "my model",
        "cache_dir": tmp_path,
        "registry": Registry(tmp_path),
        "blends_dir": tmp_path,
    }
    return VllmSettings(**(given | fields))  # type: ignore[arg-type]


def test_the_command_is_one_a_shell_can_run(tmp_path: Path) -> None:
    command = server_command(settings(tmp_path, max_rank=128)).replace(
        "python -m vllm.entrypoints.openai.api_server", "env"
    )
    shown = subprocess.run(["sh", "-c", f"{command.split(' env ')[0]} env"], capture_output=True, text=True, check=True)
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True" in shown.stdout.splitlines()
    assert "--max-lora-rank 128" in command
    assert f"'{tmp_path}/my model'" in command


@pytest.mark.parametrize(
    "wrong",
    [
        {"blends": 0},
        {"tolerance": -1},
        {"base_url": "localhost:80"},
        {"silence_seconds": 0},
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        settings(tmp_path, **wrong)


def test_the_key_of_the_server_is_not_shown(tmp_path: Path) -> None:
    assert "secret" not in repr(settings(tmp_path, api_key="secret"))


def test_the_parent_imports_no_torch() -> None:
    program = "import sys, emotional_ai_service.decoding.vllm; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, env=dict(os.environ)).returncode == 0
