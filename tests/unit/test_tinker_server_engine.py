"""The engine against plain torch and PEFT, which compute the same thing another way."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from safetensors.torch import save_file
from tinker_loopback import base_model, sequences
from tiny_model import write_tiny_model
from transformers import LlamaForCausalLM

from emotional_ai_training.tinker_server.engine import (
    ALPHA,
    AdamParams,
    BaseModel,
    Checkpoint,
    Datum,
    LoraSettings,
    PassResult,
    Run,
    adapter_config,
    load_base,
    loss_named,
)
from emotional_ai_training.tinker_server.engine.optimizer import Adam
from emotional_ai_training.tinker_server.errors import InvalidRequest
from emotional_ai_training.tinker_server.names import CheckpointPath, Kind

CROSS_ENTROPY = loss_named("cross_entropy")
SETTINGS = LoraSettings(rank=4)
LENGTHS = (9, 30, 5, 17, 17, 1)

# PEFT asks transformers for a name that is being retired, and warns of any adapter on an output layer tied to the
# embeddings, because it might be merged; it is not.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Model .*tie:UserWarning"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def base(directory: Path) -> BaseModel:
    return base_model(directory)


def data_of(weights_of: str = "ones", seed: int = 0) -> list[Datum]:
    draw = np.random.default_rng(seed)
    data = []
    for tokens in sequences(LENGTHS, seed=seed):
        count = len(tokens) - 1
        weights = {
            "ones": np.ones(count),
            "mixed": draw.normal(size=count) * (draw.random(count) < 0.5),
        }[weights_of]
        data.append(Datum(tokens[:-1], torch.tensor(tokens[1:]), {"weights": torch.tensor(weights).float()}))
    return data


def moved_run(base: BaseModel, settings: LoraSettings = SETTINGS, steps: int = 2) -> Run:
    """A run whose factors are both away from zero."""
    run = Run("r", base, settings)
    run.adapter.initialise(7)
    for _ in range(steps):
        run.forward_backward(data_of(), CROSS_ENTROPY)
        run.optim_step(AdamParams(learning_rate=1e-2))
    return run


def peft_twin(directory: Path, run: Run) -> PeftModel:
    """The same adapter on the same model, by PEFT."""
    config = LoraConfig(
        r=run.settings.rank, lora_alpha=ALPHA, target_modules=list(run.settings.targets), task_type="CAUSAL_LM"
    )
    model = get_peft_model(LlamaForCausalLM.from_pretrained(directory), config)
    outcome = set_peft_model_state_dict(model, run.adapter.named())
    assert not outcome.unexpected_keys
    return model


def plain_loss(model: torch.nn.Module, data: list[Datum]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The summed loss and the log-probabilities, one sequence at a time."""
    total, found = torch.tensor(0.0), []
    for datum in data:
        logits = model(input_ids=torch.tensor([list(datum.tokens)])).logits[0]
        logprobs = torch.log_softmax(logits, -1)[torch.arange(len(datum.tokens)), datum.targets]
        total = total - (datum.columns["weights"] * logprobs).sum()
        found.append(logprobs)
    return total, found


@pytest.mark.parametrize("weights", ["ones", "mixed"])
@pytest.mark.parametrize(
    "settings",
    [SETTINGS, LoraSettings(8, train_mlp=False, train_unembed=False), LoraSettings(1, False, False, True)],
    ids=["all", "attention", "unembed"],
)
def test_losses_and_logprobs_equal_plain_torch_and_peft(
    base: BaseModel, directory: Path, settings: LoraSettings, weights: str
) -> None:
    run = moved_run(base, settings)
    data = data_of(weights, seed=3)
    loss, logprobs = plain_loss(peft_twin(directory, run), data)
    expected = loss.detach()
    for result in (run.forward(data, CROSS_ENTROPY), run.forward_backward(data, CROSS_ENTROPY)):
        assert result.loss == pytest.approx(float(expected), abs=1e-4, rel=1e-5)
        for ours, theirs in zip(result.logprobs, logprobs, strict=True):
            torch.testing.assert_close(ours, theirs.detach(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("weights", ["ones", "mixed"])
def test_gradients_equal_those_of_plain_torch_and_peft(base: BaseModel, directory: Path, weights: str) -> None:
    run = moved_run(base)
    data = data_of(weights, seed=4)
    model = peft_twin(directory, run)
    plain_loss(model, data)[0].backward()
    run.forward_backward(data, CROSS_ENTROPY)
    theirs = {name.replace(".default", ""): parameter for name, parameter in model.named_parameters()}
    for name, pair in run.adapter.pairs.items():
        for side, tensor in (("A", pair.a), ("B", pair.b)):
            expected = theirs[f"base_model.model.{name}.lora_{side}.weight"].grad
            torch.testing.assert_close(tensor.grad, expected, atol=1e-3, rtol=1e-3)


def test_steps_equal_torch_adamw_with_clipping_and_decay() -> None:
    draw = torch.Generator().manual_seed(0)
    ours = torch.randn(50, generator=draw)
    theirs = torch.nn.Parameter(ours.clone())
    optimizer = torch.optim.AdamW([theirs], lr=1e-2, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    adam = Adam(ours)
    for _ in range(5):
        gradient = torch.randn(50, generator=draw) * 3
        theirs.grad = gradient.clone()
        expected = torch.nn.utils.clip_grad_norm_([theirs], 2.0)
        optimizer.step()
        assert adam.step(gradient, AdamParams(1e-2, 0.9, 0.95, 1e-8, 0.1, 2.0)) == pytest.approx(float(expected))
        torch.testing.assert_close(ours, theirs.detach(), atol=1e-6, rtol=1e-5)


def test_gradients_add_up_over_passes(base: BaseModel) -> None:
    data = data_of()
    together, apart = moved_run(base), moved_run(base)
    together.forward_backward(data, CROSS_ENTROPY)
    for datum in data:
        apart.forward_backward([datum], CROSS_ENTROPY)
    assert apart.optim_step(AdamParams()) == pytest.approx(together.optim_step(AdamParams()), rel=1e-5)


def test_the_same_requests_give_the_same_bits(base: BaseModel) -> None:
    first, second = moved_run(base, steps=5), moved_run(base, steps=5)
    assert torch.equal(first.adapter.flat, second.adapter.flat)


def test_a_run_restored_with_its_optimizer_goes_on_bit_for_bit(base: BaseModel) -> None:
    kept = moved_run(base)
    resumed, fresh = Run("s", base, SETTINGS), Run("t", base, SETTINGS)
    moments = tuple(part.clone() if isinstance(part, torch.Tensor) else part for part in kept.moments())
    resumed.restore(kept.adapter.named(), moments)  # type: ignore[arg-type]
    fresh.restore(kept.adapter.named(), None)
    for run in (kept, resumed, fresh):
        for seed in (1, 2):
            run.forward_backward(data_of(seed=seed), CROSS_ENTROPY)
            run.optim_step(AdamParams(learning_rate=1e-3))
    assert torch.equal(kept.adapter.flat, resumed.adapter.flat)
    assert not torch.equal(kept.adapter.flat, fresh.adapter.flat)


def test_an_exported_adapter_loads_in_peft_as_it_is(base: BaseModel, directory: Path, tmp_path: Path) -> None:
    run = moved_run(base)
    path = CheckpointPath("s:train:0", Kind.EXTERNAL, "e")
    checkpoint = Checkpoint(path, base.name, run.settings, datetime.now(UTC), 0, 2, {})
    save_file(run.adapter.named(), tmp_path / "adapter_model.safetensors", metadata={"format": "pt"})
    (tmp_path / "adapter_config.json").write_text(json.dumps(adapter_config(checkpoint)), encoding="utf-8")
    model = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(directory), tmp_path)
    data = data_of(seed=9)
    expected = run.forward(data, CROSS_ENTROPY).loss
    assert float(plain_loss(model, data)[0].detach()) == pytest.approx(expected, abs=1e-3)


def test_several_targets_at_a_token_are_a_weighted_sum(base: BaseModel) -> None:
    run = moved_run(base)
    tokens = sequences([12])[0]
    targets = torch.tensor([[token, (token + 1) % 250] for token in tokens[1:]])
    weights = torch.tensor([[0.7, 0.3]] * 12)
    soft = run.forward([Datum(tokens[:-1], targets, {"weights": weights})], CROSS_ENTROPY)
    parts: list[PassResult] = [
        run.forward([Datum(tokens[:-1], targets[:, column], {"weights": weights[:, column]})], CROSS_ENTROPY)
        for column in (0, 1)
    ]
    assert soft.loss == pytest.approx(sum(part.loss for part in parts), rel=1e-5)
    torch.testing.assert_close(soft.logprobs[0], torch.stack([part.logprobs[0] for part in parts], 1))


def test_a_loss_without_weight_moves_nothing_but_counts_as_a_gradient(base: BaseModel) -> None:
    run = moved_run(base, steps=0)
    still = [Datum(d.tokens, d.targets, {"weights": torch.zeros(len(d.tokens))}) for d in data_of()]
    assert run.forward_backward(still, CROSS_ENTROPY).loss == 0
    assert run.optim_step(AdamParams()) == 0


def test_no_step_is_taken_without_its_gradient(base: BaseModel) -> None:
    run = moved_run(base)
    before = run.adapter.flat.clone()
    with pytest.raises(InvalidRequest, match="no gradient"):
        run.optim_step(AdamParams())
    run.forward_backward(data_of(), CROSS_ENTROPY)
    bad = [Datum([1, 2], torch.tensor([2, 999]), {"weights": torch.ones(2)})]
    with pytest.raises(InvalidRequest, match="datum 0: token ids"):
        run.forward_backward(bad, CROSS_ENTROPY)
    run.forward_backward(data_of(), CROSS_ENTROPY)
    with pytest.raises(InvalidRequest, match="failed"):
        run.optim_step(AdamParams())
    assert torch.equal(run.adapter.flat, before)
    run.forward_backward(data_of(), CROSS_ENTROPY)
    run.optim_step(AdamParams())
    assert not torch.equal(run.adapter.flat, before)


def test_tokens_without_a_target_are_refused(base: BaseModel) -> None:
    none = Datum([1, 2, 3], torch.zeros(3, 0, dtype=torch.int64), {"weights": torch.zeros(3, 0)})
    with pytest.raises(InvalidRequest, match=r"datum 0: target_tokens has shape \[3, 0\]; each token needs 1 target"):
        moved_run(base, steps=0).forward([none], CROSS_ENTROPY)


def test_a_loss_that_is_not_finite_is_refused_and_never_stepped_on(base: BaseModel) -> None:
    run = moved_run(base)
    before = run.adapter.flat.clone()
    data = [Datum([1, 2], torch.tensor([2, 3]), {"weights": torch.tensor([1.0, float("inf")])})]
    with pytest.raises(InvalidRequest, match="the cross_entropy loss is inf"):
        run.forward_backward(data, CROSS_ENTROPY)
    with pytest.raises(InvalidRequest, match="failed"):
        run.optim_step(AdamParams())
    assert torch.equal(run.adapter.flat, before)


def test_runs_on_one_model_do_not_touch_each_other(base: BaseModel) -> None:
    alone = moved_run(base)
    first, second = Run("a", base, SETTINGS), Run("b", base, LoraSettings(2))
    first.adapter.initialise(7)
    second.adapter.initialise(8)
    for _ in range(2):
        for run in (first, second):
            run.forward_backward(data_of(), CROSS_ENTROPY)
        for run in (second, first):
            run.optim_step(AdamParams(learning_rate=1e-2))
    assert torch.equal(first.adapter.flat, alone.adapter.flat)


def test_frozen_weights_in_bf16_give_nearly_the_same_loss_and_train(directory: Path, base: BaseModel) -> None:
    half = load_base(directory, torch.device("cpu"), torch.bfloat16)
    run, exact = moved_run(half, steps=0), moved_run(base, steps=0)
    losses = [run.forward_backward(data_of(), CROSS_ENTROPY).loss]
    assert losses[0] == pytest.approx(exact.forward(data_of(), CROSS_ENTROPY).loss, rel=0.02)
    for _ in range(3):
        run.optim_step(AdamParams(learning_rate=1e-2))
        losses.append(run.forward_backward(data_of(), CROSS_ENTROPY).loss)
    assert losses == sorted(losses, reverse=True)


def test_a_model_behind_a_link_goes_by_both_names(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(directory)
    linked = load_base(tmp_path / "link", torch.device("cpu"), torch.float32)
    linked.check_name("link")
    linked.check_name("tiny")
    with pytest.raises(InvalidRequest, match="served: tiny"):
        linked.check_name("other")


@pytest.mark.parametrize("rank", [0, 3, 6, 129, 256, -4])
def test_a_rank_that_is_no_power_of_two_is_refused(rank: int) -> None:
    with pytest.raises(InvalidRequest, match="power of two from 1 to 128"):
        LoraSettings(rank)


def test_an_adapter_of_no_layer_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="nothing to train"):
        LoraSettings(4, False, False, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("learning_rate", float("nan")), ("beta1", 1.0), ("beta2", -0.1), ("eps", 0.0), ("grad_clip_norm", -1.0)],
)
def test_optimizer_settings_outside_their_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InvalidRequest, match=name):
        AdamParams(**{name: value})
