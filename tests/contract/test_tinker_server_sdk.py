"""The unmodified tinker SDK through every call that the local server serves."""

import json
import runpy
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tinker
import torch
from peft import PeftModel
from tinker_loopback import (
    KEY,
    LEFT_OPEN,
    PATIENCE,
    Loopback,
    base_model,
    policy_data,
    sequences,
    tinker_service,
    training_data,
)
from tiny_model import write_tiny_model
from tiny_training import roomy_model
from transformers import LlamaForCausalLM

# PEFT asks transformers for a name that is being retired, and warns of any adapter on an output layer tied to the
# embeddings, because it might be merged; it is not.
pytestmark = [
    pytest.mark.filterwarnings(LEFT_OPEN),
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Model .*tie:UserWarning"),
]
ADAM = tinker.AdamParams(learning_rate=1e-2, eps=1e-8)
EXAMPLE = Path(__file__).parents[2] / "examples" / "tinker_usage.py"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def server(directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINKER_TELEMETRY", "0")
        with tinker_service(base_model(directory), tmp_path_factory.mktemp("state")) as running:
            yield running


@pytest.fixture(scope="module")
def client(server: Loopback) -> Iterator[tinker.ServiceClient]:
    with server.client() as client:
        yield client


@pytest.fixture
def trainer(client: tinker.ServiceClient) -> tinker.TrainingClient:
    return client.create_lora_training_client("tiny", rank=4, seed=1).result(PATIENCE)


def step(trainer: tinker.TrainingClient, data: list[tinker.Datum]) -> float:
    """One step as recipes send it: both requests before waiting; the loss before the step."""
    passed = trainer.forward_backward(data, "cross_entropy")
    stepped = trainer.optim_step(ADAM)
    stepped.result(PATIENCE)
    return passed.result(PATIENCE).metrics["loss:sum"]


def logprobs_of(out: tinker.ForwardBackwardOutput) -> list[np.ndarray]:
    return [np.asarray(one["logprobs"].to_numpy()) for one in out.loss_fn_outputs]


def prompt(tokens: list[int]) -> tinker.ModelInput:
    return tinker.ModelInput.from_ints(tokens)


def test_the_server_says_what_it_serves(server: Loopback) -> None:
    (model,) = server.rest().get_server_capabilities().result(PATIENCE).supported_models
    assert (model.model_name, model.max_context_length, model.trainable, model.sampleable) == ("tiny", 256, True, True)


def test_training_lowers_the_loss_and_tells_the_norm_of_the_gradient(trainer: tinker.TrainingClient) -> None:
    losses = [step(trainer, training_data()) for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    trainer.forward_backward(training_data(), "cross_entropy")
    metrics = trainer.optim_step(ADAM).result(PATIENCE).metrics
    assert metrics is not None
    assert metrics["grad_norm"] > 0
    assert metrics["optimizer_steps"] == 5


def test_a_trainer_knows_its_model(trainer: tinker.TrainingClient) -> None:
    info = trainer.get_info()
    assert (info.model_data.model_name, info.lora_rank, info.is_lora) == ("tiny", 4, True)


def test_default_settings_train_all_layers(client: tinker.ServiceClient) -> None:
    trainer = client.create_lora_training_client("tiny").result(PATIENCE)
    assert step(trainer, training_data()) > 0
    assert trainer.get_info().lora_rank == 32


def test_the_loss_is_the_weighted_sum_of_the_logprobs_returned(trainer: tinker.TrainingClient) -> None:
    data = training_data()
    out = trainer.forward(data, "cross_entropy").result(PATIENCE)
    expected = -sum(
        float(np.dot(datum.loss_fn_inputs["weights"].to_numpy(), logprobs))
        for datum, logprobs in zip(data, logprobs_of(out), strict=True)
    )
    assert out.metrics["loss:sum"] == pytest.approx(expected, rel=1e-5)
    assert [len(logprobs) for logprobs in logprobs_of(out)] == [datum.model_input.length for datum in data]


@pytest.mark.parametrize(
    ("loss", "config"),
    [
        ("importance_sampling", None),
        ("ppo", None),
        ("ppo", {"clip_low_threshold": 0.5, "clip_high_threshold": 1.01}),
    ],
)
def test_policy_losses_follow_from_the_logprobs_returned(
    trainer: tinker.TrainingClient, loss: tinker.types.LossFnType, config: dict[str, float | str] | None
) -> None:
    data = policy_data()
    out = trainer.forward_backward(data, loss, config).result(PATIENCE)
    low, high = (0.8, 1.2) if config is None else (0.5, 1.01)
    total = 0.0
    for datum, now in zip(data, logprobs_of(out), strict=True):
        advantage = datum.loss_fn_inputs["advantages"].to_numpy()
        ratio = np.exp(now - datum.loss_fn_inputs["logprobs"].to_numpy())
        clipped = np.clip(ratio, low, high) if loss == "ppo" else ratio
        total -= float(np.minimum(ratio * advantage, clipped * advantage).sum())
    assert out.metrics["loss:sum"] == pytest.approx(total, rel=1e-4)
    assert trainer.optim_step(ADAM).result(PATIENCE).metrics["grad_norm"] > 0  # type: ignore[index]


def test_a_policy_gradient_equals_its_surrogate(client: tinker.ServiceClient) -> None:
    """The gradient of -exp(lp - q) A is that of cross_entropy with the weight exp(lp - q) A."""
    first, second = (client.create_lora_training_client("tiny", rank=4, seed=5).result(PATIENCE) for _ in range(2))
    data = policy_data()
    now = logprobs_of(first.forward_backward(data, "importance_sampling").result(PATIENCE))
    surrogate = [
        tinker.Datum(
            model_input=datum.model_input,
            loss_fn_inputs={
                "target_tokens": datum.loss_fn_inputs["target_tokens"],
                "weights": (
                    np.exp(logprobs - datum.loss_fn_inputs["logprobs"].to_numpy())
                    * datum.loss_fn_inputs["advantages"].to_numpy()
                ).astype(np.float32),
            },
        )
        for datum, logprobs in zip(data, now, strict=True)
    ]
    second.forward_backward(surrogate, "cross_entropy")
    for trainer in (first, second):
        trainer.optim_step(tinker.AdamParams(learning_rate=1e-3, eps=1e-3)).result(PATIENCE)
    for one, other in zip(
        *(logprobs_of(trainer.forward(data, "importance_sampling").result(PATIENCE)) for trainer in (first, second)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-3)


def test_a_loss_of_the_clients_own_trains_like_the_one_it_spells(client: tinker.ServiceClient) -> None:
    own, served = (client.create_lora_training_client("tiny", rank=4, seed=6).result(PATIENCE) for _ in range(2))
    data = training_data()

    def spelled(data: list[tinker.Datum], logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
        parts = [
            -(datum.loss_fn_inputs["weights"].to_torch() * found).sum()
            for datum, found in zip(data, logprobs, strict=True)
        ]
        return torch.stack(parts).sum(), {"mine": 1.0}

    out = own.forward_backward_custom(data, spelled).result(PATIENCE)
    assert out.metrics["mine"] == 1.0
    loss = served.forward_backward(data, "cross_entropy").result(PATIENCE).metrics["loss:sum"]
    assert out.metrics["loss:sum"] == pytest.approx(loss, rel=1e-5)
    for trainer in (own, served):
        trainer.optim_step(ADAM).result(PATIENCE)
    after = [trainer.forward(data, "cross_entropy").result(PATIENCE).metrics["loss:sum"] for trainer in (own, served)]
    assert after[0] == pytest.approx(after[1], rel=1e-5)
    assert after[0] < loss


def test_more_data_than_one_request_holds_is_one_gradient(trainer: tinker.TrainingClient) -> None:
    data = training_data([3 + place % 3 for place in range(1100)])
    passed = trainer.forward_backward(data, "cross_entropy")
    stepped = trainer.optim_step(ADAM)
    out = passed.result(PATIENCE)
    assert len(out.loss_fn_outputs) == 1100
    assert [len(found) for found in logprobs_of(out)] == [datum.model_input.length for datum in data]
    assert stepped.result(PATIENCE).metrics["grad_norm"] > 0  # type: ignore[index]


def test_steps_sent_ahead_run_in_order(client: tinker.ServiceClient) -> None:
    ahead, waiting = (client.create_lora_training_client("tiny", rank=4, seed=8).result(PATIENCE) for _ in range(2))
    batches = [training_data(seed=seed) for seed in range(5)]
    one_by_one = [step(waiting, batch) for batch in batches]
    sent = [(ahead.forward_backward(batch, "cross_entropy"), ahead.optim_step(ADAM)) for batch in batches]
    assert [passed.result(PATIENCE).metrics["loss:sum"] for passed, _ in sent] == one_by_one


@pytest.mark.parametrize("name", ["learning_rate", "beta1", "beta2", "eps", "weight_decay", "grad_clip_norm"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_step_with_a_setting_that_is_no_number_is_refused_in_its_turn(
    trainer: tinker.TrainingClient, name: str, value: float
) -> None:
    before = trainer.forward_backward(training_data(), "cross_entropy")
    refused = trainer.optim_step(tinker.AdamParams(**{name: value}))  # the SDK sends null
    again, after = trainer.optim_step(ADAM), trainer.forward(training_data(), "cross_entropy")
    with pytest.raises(tinker.RequestFailedError, match=f"{name}: Input should be a valid number") as told:
        refused.result(PATIENCE)
    assert told.value.category == "user"
    with pytest.raises(tinker.RequestFailedError, match="no gradient since the last step"):
        again.result(PATIENCE)
    assert after.result(PATIENCE).metrics["loss:sum"] == before.result(PATIENCE).metrics["loss:sum"]


def test_tokens_without_a_target_are_the_callers_mistake(trainer: tinker.TrainingClient) -> None:
    none = tinker.Datum(
        model_input=prompt([1, 2, 3]),
        loss_fn_inputs={"target_tokens": np.zeros((3, 0), np.int64), "weights": np.zeros((3, 0), np.float32)},
    )
    with pytest.raises(tinker.RequestFailedError, match=r"datum 0: target_tokens has shape \[3, 0\]") as told:
        trainer.forward_backward([none], "cross_entropy").result(PATIENCE)
    assert told.value.category == "user"
    with pytest.raises(tinker.RequestFailedError, match="no gradient since the last step"):
        trainer.optim_step(ADAM).result(PATIENCE)


def test_a_state_saved_with_its_optimizer_goes_on_bit_for_bit(
    client: tinker.ServiceClient, trainer: tinker.TrainingClient
) -> None:
    for seed in range(3):
        trainer.forward_backward(training_data(seed=seed), "cross_entropy")
        trainer.optim_step(ADAM)
    path = trainer.save_state("three").result(PATIENCE).path
    resumed = client.create_training_client_from_state_with_optimizer(path).result(PATIENCE)
    fresh = client.create_training_client_from_state(path).result(PATIENCE)
    after = [[step(one, training_data(seed=seed)) for seed in (3, 4, 5)] for one in (trainer, resumed, fresh)]
    assert after[1] == after[0]
    assert after[2][0] == after[0][0]
    assert after[2][1:] != after[0][1:]
    assert resumed.get_info().lora_rank == 4


def test_a_state_may_be_overwritten_and_carries_metadata(server: Loopback, trainer: tinker.TrainingClient) -> None:
    first = trainer.save_state("s", user_metadata={"step": "1"}).result(PATIENCE).path
    assert trainer.save_state("s", overwrite=True, user_metadata={"step": "2"}).result(PATIENCE).path == first
    (found,) = server.rest().list_checkpoints(trainer.model_id).result(PATIENCE).checkpoints
    assert found.user_metadata == {"step": "2"}
    with pytest.raises(tinker.RequestFailedError, match="exists") as refused:
        trainer.save_state("s").result(PATIENCE)
    assert refused.value.category == "user"


def test_an_adapter_is_downloaded_and_loads_in_peft_as_it_is(
    server: Loopback, trainer: tinker.TrainingClient, directory: Path, tmp_path: Path
) -> None:
    data = training_data()
    step(trainer, data)
    path = trainer.save_weights_external("adapter", ttl_seconds=3600).result(PATIENCE).path
    links = server.rest().get_external_weights_urls(path).result(PATIENCE)
    for name, url in links.urls.items():
        with urllib.request.urlopen(url, timeout=PATIENCE) as file:
            (tmp_path / name).write_bytes(file.read())
    assert json.loads((tmp_path / "adapter_config.json").read_text())["r"] == 4
    model = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(directory), tmp_path)
    total = 0.0
    with torch.no_grad():
        for datum in data:
            targets = datum.loss_fn_inputs["target_tokens"].to_torch()
            logits = model(input_ids=torch.tensor([datum.model_input.to_ints()])).logits[0]
            found = torch.log_softmax(logits, -1)[torch.arange(len(targets)), targets]
            total -= float((found * datum.loss_fn_inputs["weights"].to_torch()).sum())
    loss = trainer.forward(data, "cross_entropy").result(PATIENCE).metrics["loss:sum"]
    assert total == pytest.approx(loss, abs=1e-3)


def test_links_are_good_for_one_file_and_unforged(server: Loopback, trainer: tinker.TrainingClient) -> None:
    path = trainer.save_weights_external("link").result(PATIENCE).path
    url = server.rest().get_external_weights_urls(path).result(PATIENCE).urls["adapter_config.json"]
    for forged in (
        url.replace("adapter_config.json", "adapter_model.safetensors"),
        url.replace("expires=", "expires=9"),
        url.partition("?")[0],
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(forged, timeout=PATIENCE)
        assert refused.value.code == 401


def test_runs_and_checkpoints_are_listed_and_deleted(server: Loopback, trainer: tinker.TrainingClient) -> None:
    rest, run = server.rest(), trainer.model_id
    saved = [
        trainer.save_state("a").result(PATIENCE).path,
        trainer.save_weights_for_sampler("b").result(PATIENCE).path,
        trainer.save_weights_external("c").result(PATIENCE).path,
    ]
    found = rest.list_checkpoints(run).result(PATIENCE).checkpoints
    assert {one.tinker_path for one in found} == set(saved)
    assert {one.checkpoint_type for one in found} == {"training", "sampler", "external"}
    assert all(one.size_bytes and one.size_bytes > 1000 for one in found)
    described = rest.get_training_run(run).result(PATIENCE)
    assert described.last_checkpoint is not None
    assert described.last_checkpoint.tinker_path == saved[0]
    assert run in {one.training_run_id for one in rest.list_training_runs(limit=100).result(PATIENCE).training_runs}
    listed = rest.list_user_checkpoints(limit=3).result(PATIENCE)
    assert {one.tinker_path for one in listed.checkpoints} == set(saved)
    info = rest.get_weights_info_by_tinker_path(saved[0]).result(PATIENCE)
    assert (info.base_model, info.lora_rank, info.train_unembed) == ("tiny", 4, True)
    rest.set_checkpoint_ttl_from_tinker_path(saved[1], 7200).result(PATIENCE)
    rest.delete_checkpoint_from_tinker_path(saved[0]).result(PATIENCE)
    left = rest.list_checkpoints(run).result(PATIENCE).checkpoints
    assert {one.tinker_path: one.expires_at is not None for one in left} == {saved[1]: True, saved[2]: False}
    with pytest.raises(tinker.NotFoundError, match="there is no checkpoint"):
        rest.delete_checkpoint_from_tinker_path(saved[0]).result(PATIENCE)


def test_samples_are_what_compute_logprobs_says_of_them(trainer: tinker.TrainingClient) -> None:
    step(trainer, training_data())
    sampler = trainer.save_weights_and_get_sampling_client().result(PATIENCE)
    tokens = sequences([9])[0]
    params = tinker.SamplingParams(max_tokens=12, temperature=0.7, top_k=50, seed=3, stop=[])
    sampled = sampler.sample(prompt(tokens), 3, params).result(PATIENCE)
    assert len({sequence.sequence_id for sequence in sampled.sequences}) == 3
    for sequence in sampled.sequences:
        assert sequence.stop_reason == "length"
        scored = sampler.compute_logprobs(prompt(tokens + sequence.tokens)).result(PATIENCE)
        assert scored[0] is None
        assert sequence.logprobs == pytest.approx(scored[len(tokens) :], abs=1e-4)
    assert sampler.sample(prompt(tokens), 3, params).result(PATIENCE).sequences[2].tokens == sampled.sequences[2].tokens


def test_greedy_samples_equal_those_of_transformers(client: tinker.ServiceClient, directory: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(directory)
    sampler = client.create_sampling_client(base_model="tiny").result(PATIENCE)
    params = tinker.SamplingParams(max_tokens=20, temperature=0)
    prompts = sequences([4, 11, 25, 7], seed=2)
    waiting = [sampler.sample(prompt(tokens), 1, params) for tokens in prompts]
    for tokens, future in zip(prompts, waiting, strict=True):
        (sequence,) = future.result(PATIENCE).sequences
        expected = model.generate(
            torch.tensor([tokens]), attention_mask=torch.ones(1, len(tokens)), do_sample=False, max_new_tokens=20
        )
        assert sequence.tokens == expected[0, len(tokens) :].tolist()


def test_neighbours_change_no_sample(client: tinker.ServiceClient) -> None:
    sampler = client.create_sampling_client(base_model="tiny").result(PATIENCE)
    tokens = sequences([9])[0]
    params = tinker.SamplingParams(max_tokens=16, seed=11, stop=[])
    alone = sampler.sample(prompt(tokens), 1, params).result(PATIENCE).sequences[0]
    crowd = [
        sampler.sample(prompt(other), 4, tinker.SamplingParams(max_tokens=5 + place, seed=place))
        for place, other in enumerate(sequences([3, 40, 12, 9]))
    ]
    among = sampler.sample(prompt(tokens), 1, params).result(PATIENCE).sequences[0]
    assert among.tokens == alone.tokens
    assert among.logprobs == pytest.approx(alone.logprobs, abs=1e-4)
    assert [len(future.result(PATIENCE).sequences) for future in crowd] == [4] * 4


def test_a_named_sampler_keeps_its_weights_while_training_goes_on(
    client: tinker.ServiceClient, trainer: tinker.TrainingClient
) -> None:
    path = trainer.save_weights_for_sampler("before").result(PATIENCE).path
    text = prompt(sequences([12])[0])
    sampler = client.create_sampling_client(model_path=path).result(PATIENCE)
    before = sampler.compute_logprobs(text).result(PATIENCE)
    step(trainer, training_data())
    assert sampler.compute_logprobs(text).result(PATIENCE) == before
    moved = trainer.save_weights_and_get_sampling_client().result(PATIENCE)
    assert moved.compute_logprobs(text).result(PATIENCE) != before
    assert sampler.get_base_model() == "tiny"


def test_a_sampler_in_flight_follows_the_weights(trainer: tinker.TrainingClient) -> None:
    text = prompt(sequences([12])[0])
    sampler = trainer.save_weights_and_get_sampling_client(kind="inflight").result(PATIENCE)
    before = sampler.compute_logprobs(text).result(PATIENCE)
    step(trainer, training_data())
    trainer.save_weights_and_get_sampling_client(kind="inflight").result(PATIENCE)
    assert sampler.compute_logprobs(text).result(PATIENCE) != before


def test_replies_end_at_stop_tokens_and_stop_strings(client: tinker.ServiceClient, server: Loopback) -> None:
    sampler = client.create_sampling_client(base_model="tiny").result(PATIENCE)
    text = prompt(sequences([6])[0])

    def ask(stop: str | list[str] | list[int] | None) -> tinker.SampledSequence:
        params = tinker.SamplingParams(max_tokens=30, seed=4, stop=stop)
        return sampler.sample(text, 1, params).result(PATIENCE).sequences[0]

    free = ask([])
    assert (len(free.tokens), free.stop_reason) == (30, "length")
    token = free.tokens[10]
    at_token = ask([token])
    assert at_token.tokens == free.tokens[: free.tokens.index(token) + 1]
    assert at_token.stop_reason == "stop"
    # A stop string needs text that decodes: two neighbouring tokens of plain letters.
    base = server.engine.base
    plain = next(
        place
        for place in range(29)
        if base.text(free.tokens[place : place + 2]).isascii() and base.text(free.tokens[place : place + 2]).strip()
    )
    wanted = base.text(free.tokens[plain : plain + 2])
    at_text = ask(["never said", wanted])
    assert at_text.stop_reason == "stop"
    assert wanted in base.text(at_text.tokens)
    assert wanted not in base.text(at_text.tokens[:-1])


def test_prompts_are_scored_as_asked(client: tinker.ServiceClient) -> None:
    sampler = client.create_sampling_client(base_model="tiny").result(PATIENCE)
    tokens = sequences([14])[0]
    whole = sampler.compute_logprobs(prompt(tokens)).result(PATIENCE)
    last = sampler.compute_logprobs(prompt(tokens), prompt_logprobs_last_n=4).result(PATIENCE)
    assert last[:-4] == [None] * (len(tokens) - 4)
    assert last[-4:] == pytest.approx(whole[-4:], abs=1e-5)
    targets = np.array([[token, -1] for token in tokens[1:]])
    scored = sampler.sample(
        prompt(tokens),
        1,
        tinker.SamplingParams(max_tokens=2, seed=0),
        include_prompt_logprobs=True,
        topk_prompt_logprobs=3,
        topk_sample_logprobs=2,
        target_prompt_logprobs=tinker.TensorData.from_numpy(targets),
    ).result(PATIENCE)
    assert scored.topk_prompt_logprobs is not None
    assert scored.topk_prompt_logprobs[0] is None
    for place, likeliest in enumerate(scored.topk_prompt_logprobs[1:], start=1):
        assert likeliest is not None
        assert [value for _, value in likeliest] == sorted((value for _, value in likeliest), reverse=True)
        assert likeliest[0][1] >= whole[place]  # type: ignore[operator]
    assert scored.target_prompt_logprobs is not None
    found = scored.target_prompt_logprobs.to_numpy()
    assert found[:, 0] == pytest.approx(np.array(whole[1:], dtype=float), abs=1e-5)
    assert (found[:, 1] == 0).all()
    assert scored.sequences[0].topk_logprobs is not None
    assert len(scored.sequences[0].topk_logprobs[0] or []) == 2


def test_a_prompt_may_be_scored_up_to_one_token_less_than_the_context(client: tinker.ServiceClient) -> None:
    sampler = client.create_sampling_client(base_model="tiny").result(PATIENCE)
    assert len(sampler.compute_logprobs(prompt([1] * 255)).result(PATIENCE)) == 255
    with pytest.raises(tinker.BadRequestError, match=r"256 prompt tokens leave no room .* a prompt may have 255"):
        sampler.compute_logprobs(prompt([1] * 256)).result(PATIENCE)


def test_another_process_may_use_a_sampler_by_its_handle(client: tinker.ServiceClient) -> None:
    sampler = client.create_sampling_client(base_model="tiny").result(PATIENCE)
    other = tinker.SamplingClient.from_sampler_handle(sampler.get_sampler_handle(), api_key=KEY)
    text = prompt(sequences([8])[0])
    assert other.compute_logprobs(text).result(PATIENCE) == sampler.compute_logprobs(text).result(PATIENCE)


def test_two_clients_train_at_once_and_do_not_meet(server: Loopback) -> None:
    def losses(trainer: tinker.TrainingClient) -> list[float]:
        sent = [
            (trainer.forward_backward(training_data(seed=seed), "cross_entropy"), trainer.optim_step(ADAM))
            for seed in range(4)
        ]
        return [passed.result(PATIENCE).metrics["loss:sum"] for passed, _ in sent]

    with server.client() as one, server.client() as other:
        first = one.create_lora_training_client("tiny", rank=4, seed=1).result(PATIENCE)
        second = other.create_lora_training_client("tiny", rank=2, seed=2).result(PATIENCE)
        twin = one.create_lora_training_client("tiny", rank=4, seed=1).result(PATIENCE)
        sent = []
        for seed in range(4):
            for trainer in (first, second):
                sent.append(trainer.forward_backward(training_data(seed=seed), "cross_entropy"))
                trainer.optim_step(ADAM)
        interleaved = [future.result(PATIENCE).metrics["loss:sum"] for future in sent]
        assert interleaved[::2] == losses(twin)


def test_a_finished_session_drops_its_models_and_keeps_its_checkpoints(server: Loopback) -> None:
    client = server.client()
    trainer = client.create_lora_training_client("tiny", rank=4).result(PATIENCE)
    path = trainer.save_state("kept").result(PATIENCE).path
    client.close("success").result(PATIENCE)
    with server.client() as again:
        resumed = again.create_training_client_from_state(path).result(PATIENCE)
        assert step(resumed, training_data()) > 0


def test_the_example_of_each_primitive_warns_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = roomy_model(tmp_path / "tiny")
    with tinker_service(base_model(model), tmp_path / "state") as server:
        monkeypatch.setenv("TINKER_TELEMETRY", "0")
        monkeypatch.setenv("TINKER_BASE_URL", server.base_url)
        monkeypatch.setenv("TINKER_API_KEY", KEY)
        monkeypatch.setenv("MODEL_TOKENIZER", str(model))
        monkeypatch.delenv("MODEL_NAME", raising=False)
        runpy.run_path(str(EXAMPLE))["main"]()
