"""A blend that moves while a reply is spoken: from the next token on, as recorded, exactly, and the same when said again."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from tiny_decoding import Said, finished, logprobs_of, spoken, text_of
from tiny_model import CONTEXT
from tiny_replies import BLENDS, BOTH, GREEDY, WILD, Stage, ask, whole
from transformers import AutoTokenizer, DynamicCache, LlamaForCausalLM

from emotional_ai_service.decoding import (
    Blend,
    BlendWeight,
    GenerationRequest,
    KvPolicy,
    KvSpan,
    RuntimeKind,
    Sampling,
    UnknownAdapter,
    Voice,
    VoiceChange,
)
from emotional_ai_service.decoding.prompt import prompt_tokens
from emotional_ai_service.decoding.scheduler import Scheduler
from emotional_ai_training.adapters import Registry

CALM, STRONG = (BlendWeight("alpha", 0.25),), (BlendWeight("alpha", -0.75), BlendWeight("beta", 1.0))
LAYERED = (BlendWeight("gamma", 0.0, (0.5, -1.0)),)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("tiny"))


def voice(blend: Blend, sampling: Sampling = WILD) -> Voice:
    return Voice(blend, sampling.temperature, sampling.top_p)


def updates(scheduler: Scheduler, at: dict[int, Voice], ticket: int = 0) -> Callable[[int, list[list[Said]]], None]:
    """Passes voices on after the steps of these numbers; step s says token s of a lone reply with a short prompt."""

    def pass_on(step: int, heard: list[list[Said]]) -> None:
        if step in at:
            scheduler.update(ticket, at[step])

    return pass_on


def changes_in(said: Sequence[Said]) -> tuple[VoiceChange, ...]:
    return tuple(event for event in said if isinstance(event, VoiceChange))


@pytest.mark.parametrize("kind", BOTH)
def test_an_update_is_taken_up_at_the_next_token_and_said(stage: Stage, kind: RuntimeKind) -> None:
    asked = ask(sampling=GREEDY, logprobs=True, blend=CALM, max_tokens=12)
    (still,) = spoken(stage.scheduler(kind), [asked])
    scheduler = stage.scheduler(kind)
    (moved,) = spoken(scheduler, [asked], updates(scheduler, {4: voice(STRONG, GREEDY)}))
    change = VoiceChange(5, voice(STRONG, GREEDY))
    assert changes_in(moved) == (change,)
    assert finished(moved).changes == (VoiceChange(0, voice(CALM, GREEDY)), change)
    assert {version.adapter for version in finished(moved).adapters} == {"alpha", "beta"}
    assert logprobs_of(moved)[:5] == pytest.approx(logprobs_of(still)[:5], abs=1e-4)
    assert abs(logprobs_of(moved)[5] - logprobs_of(still)[5]) > 1e-2


@pytest.mark.parametrize("kind", BOTH)
def test_a_voice_that_changes_nothing_is_not_said(stage: Stage, kind: RuntimeKind) -> None:
    scheduler = stage.scheduler(kind)
    same = {step: voice((BlendWeight("alpha", 0.2501), BlendWeight("beta", 0.0))) for step in (2, 3, 5)}
    (said,) = spoken(scheduler, [ask(blend=CALM)], updates(scheduler, same))
    assert changes_in(said) == ()


def test_a_voice_may_move_the_temperature_alone(stage: Stage) -> None:
    scheduler = stage.scheduler()
    (said,) = spoken(scheduler, [ask(blend=CALM)], updates(scheduler, {3: Voice(CALM, 0.0, 1.0)}))
    assert changes_in(said) == (VoiceChange(4, Voice(CALM, 0.0, 1.0)),)
    assert len(finished(said).kv) == 1


@pytest.mark.parametrize("policy", list(KvPolicy))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_reply_is_said_again_bit_for_bit_from_its_record(stage: Stage, policy: KvPolicy, seed: int) -> None:
    asked = ask(seed=seed, logprobs=True, blend=BLENDS[2], kv_policy=policy)
    moves = {
        2: voice(STRONG),
        3: Voice(LAYERED, 0.5, 0.9),
        3 + seed: Voice((), 1.0, 0.5),
        8: voice((BlendWeight("beta", 0.1234567),)),
    }
    scheduler = stage.scheduler(active=2)
    first, _ = spoken(scheduler, [asked, ask(seed=9, blend=STRONG)], updates(scheduler, moves))
    record = finished(first).changes
    assert len(record) == 5
    (again,) = spoken(stage.scheduler(), [replace(asked, blend=(), schedule=record)])
    assert text_of(again) == text_of(first)
    assert logprobs_of(again) == logprobs_of(first)
    assert (finished(again).changes, finished(again).kv) == (record, finished(first).kv)


@pytest.mark.parametrize("policy", list(KvPolicy))
def test_an_update_while_the_prompt_is_read_counts_from_the_second_token(
    stage: Stage, policy: KvPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emotional_ai_service.decoding.scheduler.LONG_PIECE", 20)
    asked = ask("x" * 70, logprobs=True, blend=CALM, kv_policy=policy)
    scheduler = stage.scheduler()
    (first,) = spoken(scheduler, [asked], updates(scheduler, {1: voice(LAYERED), 2: voice(STRONG)}))
    assert [change.token_index for change in finished(first).changes] == [0, 1]
    assert finished(first).changes[1].voice == voice(STRONG)
    (again,) = spoken(stage.scheduler(), [replace(asked, schedule=finished(first).changes)])
    assert (text_of(again), logprobs_of(again)) == (text_of(first), logprobs_of(first))


@pytest.mark.parametrize("waits", [False, True])
def test_an_update_that_comes_before_the_reply_began_is_not_lost(stage: Stage, waits: bool) -> None:
    scheduler = stage.scheduler(active=1)
    if not waits:
        scheduler.begin(0, ask(blend=CALM))
        scheduler.update(0, voice(STRONG))
        (said,) = spoken(scheduler, [])
    else:
        _, said = spoken(scheduler, [ask(), ask(blend=CALM)], updates(scheduler, {2: voice(STRONG)}, ticket=1))
    assert changes_in(said) == (VoiceChange(1, voice(STRONG)),)


def test_an_update_of_a_reply_that_has_ended_is_ignored(stage: Stage) -> None:
    scheduler = stage.scheduler()
    spoken(scheduler, [ask(max_tokens=2)])
    scheduler.update(0, voice(STRONG))
    assert not scheduler.busy()


# The cache of keys and values, against models merged and computed by transformers


def merged(stage: Stage, blend: Blend) -> LlamaForCausalLM:
    """The model with the blend added into its matrices."""
    model = LlamaForCausalLM.from_pretrained(stage.directory / "model", dtype=torch.float32)
    registry = Registry(stage.directory / "loras")
    for part in blend:
        manifest = registry.list().named(part.adapter)
        assert manifest is not None
        place = registry.loras_dir / part.adapter
        config = json.loads((place / "adapter_config.json").read_text())
        strength = manifest.scale * config["lora_alpha"] / config["r"]
        tensors = load_file(place / "adapter_model.safetensors")
        for name in [key.removesuffix(".lora_A.weight") for key in tensors if ".lora_A." in key]:
            layer = int(name.split(".layers.")[1].split(".")[0])
            weight = part.layers[layer] if part.layers else part.weight
            linear = model.get_submodule(name.removeprefix("base_model.model."))
            delta = tensors[f"{name}.lora_B.weight"] @ tensors[f"{name}.lora_A.weight"]
            linear.weight.data += weight * strength * delta
    return model


@torch.inference_mode()
def independently(
    stage: Stage, request: GenerationRequest, schedule: dict[int, Blend], *, strict: bool
) -> tuple[str, list[float]]:
    """Words and log-probabilities of the greedy reply under blends by token index, each cached entry kept unless `strict`."""
    tokenizer = AutoTokenizer.from_pretrained(stage.directory / "model")
    models = {index: merged(stage, blend) for index, blend in schedule.items()}
    tokens = prompt_tokens(tokenizer, request, CONTEXT)
    prompt, cache, logprobs = len(tokens), DynamicCache(), []
    for index in range(request.max_tokens):
        model = models[max(at for at in models if at <= index)]
        cache = DynamicCache() if strict else cache
        fresh = torch.tensor([tokens[cache.get_seq_length() :]])
        spread = model(fresh, past_key_values=cache, use_cache=True).logits[0, -1].log_softmax(-1)
        tokens.append(int(spread.argmax()))
        logprobs.append(float(spread[tokens[-1]]))
    return tokenizer.decode(tokens[prompt:], skip_special_tokens=True), logprobs


SCHEDULE: dict[int, Blend] = {0: CALM, 4: STRONG, 5: LAYERED, 9: (), 11: STRONG}


@pytest.mark.parametrize("policy", [KvPolicy.KEEP, KvPolicy.STRICT])
@pytest.mark.parametrize("kind", BOTH)
def test_keep_keeps_and_strict_recomputes_what_an_independent_computation_does(
    stage: Stage, kind: RuntimeKind, policy: KvPolicy
) -> None:
    schedule = tuple(VoiceChange(index, voice(blend, GREEDY)) for index, blend in SCHEDULE.items())
    asked = ask("x" * 40, sampling=GREEDY, max_tokens=14, logprobs=True, schedule=schedule, kv_policy=policy)
    strict = policy is KvPolicy.STRICT
    words, expected = independently(stage, asked, SCHEDULE, strict=strict)
    _, otherwise = independently(stage, asked, SCHEDULE, strict=not strict)
    said, _ = spoken(stage.scheduler(kind), [asked, ask(max_tokens=30, blend=BLENDS[2])])
    assert finished(said).completion_tokens == 14
    assert text_of(said) == words
    assert logprobs_of(said) == pytest.approx(expected, abs=1e-3)
    assert max(abs(a - b) for a, b in zip(otherwise, expected, strict=True)) > 1e-1
    begins = finished(said).prompt_tokens - 1
    spans = [KvSpan(0, CALM), *(KvSpan(begins + index, blend) for index, blend in list(SCHEDULE.items())[1:])]
    assert list(finished(said).kv) == ([KvSpan(0, STRONG)] if strict else spans)


def test_a_strict_reply_whose_voice_never_rests_still_comes_to_its_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emotional_ai_service.decoding.scheduler.PIECE", 16)
    scheduler = stage.scheduler(RuntimeKind.OPENVINO)

    def restless(step: int, heard: list[list[Said]]) -> None:
        scheduler.update(0, voice((BlendWeight("alpha", step % 50 / 64),)))

    asked = [ask("x" * 50, kv_policy=KvPolicy.STRICT, blend=CALM, max_tokens=8), ask("y", max_tokens=120)]
    strict, steady = spoken(scheduler, asked, restless)
    assert finished(strict).completion_tokens <= 8
    indices = [change.token_index for change in finished(strict).changes]
    assert indices == list(range(finished(strict).completion_tokens))
    assert finished(steady).completion_tokens > 8
    assert whole(scheduler)


# Adapters that a reply cannot have


def test_a_voice_with_an_adapter_that_is_not_there_is_not_taken_up_and_the_reply_goes_on(stage: Stage) -> None:
    scheduler = stage.scheduler()
    unknown = {3: voice((BlendWeight("nobody", 1.0),))}
    first, second = spoken(scheduler, [ask(blend=CALM), ask(seed=2)], updates(scheduler, unknown))
    (alone,) = spoken(stage.scheduler(), [ask(blend=CALM)])
    assert text_of(first) == text_of(alone)
    assert [change.token_index for change in finished(first).changes] == [0]
    assert finished(second).completion_tokens > 5
    assert whole(scheduler)


def test_a_schedule_to_an_adapter_that_is_not_there_is_refused_before_a_word(stage: Stage) -> None:
    schedule = (VoiceChange(10, voice((BlendWeight("nobody", 1.0),))),)
    ((refusal,),) = spoken(stage.scheduler(), [ask(schedule=schedule)])
    assert isinstance(refusal, UnknownAdapter)
