"""Adapters as they come, change and go; what cannot be applied is refused by name while others speak on."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny_adapters import manifest
from tiny_decoding import Said, finished, publish_tiny_adapter, spoken, text_of, tiny_speaker
from tiny_replies import BOTH, GREEDY, Stage, ask, whole

from emotional_ai_service.decoding import (
    AdapterRefused,
    Blend,
    BlendWeight,
    CannotBlend,
    RuntimeKind,
    UnknownAdapter,
    Voice,
    WrongLayers,
)
from emotional_ai_service.decoding.adapters import LoadedAdapter
from emotional_ai_service.decoding.bank import Bank
from emotional_ai_training.adapters import Registry, publish

GOOD: Blend = (BlendWeight("beta", 0.5),)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    publish_tiny_adapter(tmp_path, "calm", rank=2, seed=1)
    return tmp_path


def bank_of(directory: Path) -> tuple[Bank, list[LoadedAdapter]]:
    """A bank that has looked once, and what it has let go of so far."""
    speaker = tiny_speaker(directory)
    gone: list[LoadedAdapter] = []
    bank = Bank(Registry(directory / "loras"), speaker.shape, speaker.description.digest, gone.append)
    bank.refresh()
    return bank, gone


def test_one_content_is_read_once_and_let_go_of_when_it_is_replaced(directory: Path) -> None:
    bank, gone = bank_of(directory)
    first = bank.named("calm")
    bank.refresh()
    assert bank.named("calm") is first
    replaced = publish_tiny_adapter(directory, "calm", rank=4, seed=2)
    assert bank.holds(first)
    bank.refresh()
    assert gone == [first]
    assert not bank.holds(first)
    assert bank.named("calm").digest == replaced.digest != first.digest


def test_an_adapter_first_named_long_after_the_last_look_is_read_as_it_is_now(directory: Path) -> None:
    bank, _ = bank_of(directory)
    replaced = publish_tiny_adapter(directory, "calm", rank=4, seed=2)
    publish_tiny_adapter(directory, "new", rank=1, seed=3)
    assert bank.named("calm").digest == replaced.digest
    assert bank.named("new").rows["down"] == 1


def test_an_adapter_that_went_is_unknown_until_it_returns(directory: Path) -> None:
    publish_tiny_adapter(directory, "wild", seed=4)
    bank, gone = bank_of(directory)
    bank.named("calm")
    shutil.rmtree(directory / "loras" / "calm")
    bank.refresh()
    assert [adapter.name for adapter in gone] == ["calm"]
    with pytest.raises(UnknownAdapter, match="calm"):
        bank.named("calm")
    publish_tiny_adapter(directory, "calm", seed=5)
    bank.refresh()
    assert bank.named("calm").name == "calm"


def test_a_directory_that_cannot_be_read_refuses_with_the_reason_and_is_looked_at_again(directory: Path) -> None:
    bank, _ = bank_of(directory)
    aside = directory / "aside"
    (directory / "loras").rename(aside)
    (directory / "loras").write_text("not a directory")
    bank.refresh()
    with pytest.raises(AdapterRefused, match="cannot be read"):
        bank.named("calm")
    (directory / "loras").unlink()
    aside.rename(directory / "loras")
    bank.refresh()
    assert bank.named("calm").name == "calm"


# What a scheduler refuses, each beside a reply that speaks on


def beside_another(stage: Stage, kind: RuntimeKind, blend: Blend) -> list[Said]:
    """What a reply of this blend hears, spoken beside another whose words must be those it says alone."""
    scheduler = stage.scheduler(kind)
    other = ask("the sky", sampling=GREEDY, blend=GOOD)
    said, beside = spoken(scheduler, [ask(blend=blend), other])
    (after,) = spoken(scheduler, [other])
    (alone,) = spoken(stage.scheduler(), [other])
    assert text_of(beside) == text_of(after) == text_of(alone)
    assert whole(scheduler)
    return said


def spoiled(stage: Stage, name: str, tensor: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> None:
    """Publishes an adapter one of whose matrices is another."""
    publish_tiny_adapter(stage.directory, name, seed=8)
    source = stage.directory / "peft" / f"{name}-8"
    tensors = load_file(source / "adapter_model.safetensors")
    assert tensor in tensors
    save_file({**tensors, tensor: values}, source / "adapter_model.safetensors")
    digest = stage.speaker(RuntimeKind.TORCH).description.digest
    publish(source, manifest(name, base_model_digest=digest, rank=4), stage.directory / "loras")


@pytest.mark.parametrize("kind", BOTH)
def test_a_damaged_file_is_refused_by_its_name(stage: Stage, kind: RuntimeKind) -> None:
    publish_tiny_adapter(stage.directory, "damaged", seed=6)
    weights = stage.directory / "loras" / "damaged" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    (refusal,) = beside_another(stage, kind, (BlendWeight("damaged", 1.0),))
    assert isinstance(refusal, AdapterRefused)
    assert "adapter_model.safetensors" in str(refusal)


def test_an_adapter_of_other_widths_is_refused_by_the_tensor_that_does_not_fit(stage: Stage) -> None:
    tensor = "base_model.model.model.layers.1.mlp.up_proj.lora_A.weight"
    spoiled(stage, "wide", tensor, np.ones((4, 5), np.float32))
    (refusal,) = beside_another(stage, RuntimeKind.TORCH, (BlendWeight("wide", 1.0),))
    assert isinstance(refusal, AdapterRefused)
    assert tensor in str(refusal)


def test_an_adapter_of_another_model_is_refused_and_says_which(stage: Stage) -> None:
    publish_tiny_adapter(stage.directory, "foreign", seed=7)
    loras = stage.directory / "loras"
    publish(loras / "foreign", manifest("foreign", base_model="other", rank=4), loras)
    (refusal,) = beside_another(stage, RuntimeKind.TORCH, (BlendWeight("foreign", 1.0),))
    assert isinstance(refusal, AdapterRefused)
    assert "it was trained on other" in str(refusal)


@pytest.mark.parametrize(
    ("blend", "refused"),
    [
        ((BlendWeight("nobody", 1.0),), UnknownAdapter),
        ((BlendWeight("alpha", 0.0, (1.0, 0.5, 0.5)),), WrongLayers),
        ((BlendWeight("alpha", 1e308),), CannotBlend),
        ((BlendWeight("alpha", 0.0, (1e308, 0.0)),), CannotBlend),
    ],
)
def test_a_blend_that_cannot_be_computed_is_refused_before_a_word(
    stage: Stage, blend: Blend, refused: type[Exception]
) -> None:
    (refusal,) = beside_another(stage, RuntimeKind.TORCH, blend)
    assert isinstance(refusal, refused)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_a_weight_that_overflows_ends_that_reply_and_leaves_no_trace_in_the_cache(
    stage: Stage, kind: RuntimeKind
) -> None:
    said = beside_another(stage, kind, (BlendWeight("alpha", 1e30),))
    assert isinstance(said[-1], CannotBlend)
    assert "nearer to 0" in str(said[-1])


@pytest.mark.parametrize("kind", BOTH)
def test_an_adapter_published_while_others_speak_is_spoken_with_at_the_next_request(
    stage: Stage, kind: RuntimeKind
) -> None:
    scheduler = stage.scheduler(kind)
    name = f"late-{kind.value}"

    def appear(step: int, heard: list[list[Said]]) -> None:
        if step == 3:
            publish_tiny_adapter(stage.directory, name, rank=5, seed=9)
            scheduler.begin(1, ask(blend=(BlendWeight(name, 1.0),)))
        if step == 6:
            scheduler.update(0, Voice((BlendWeight(name, 0.5),), 0.5, 1.0))

    first, second = spoken(scheduler, [ask(blend=GOOD)], appear)
    assert [version.adapter for version in finished(first).adapters] == ["beta", name]
    assert [version.adapter for version in finished(second).adapters] == [name]
