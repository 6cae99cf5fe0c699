"""What the local Tinker server refuses, as the SDK shows it: at once, with the reason, and never by hanging."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import tinker
from tinker_loopback import KEY, LEFT_OPEN, PATIENCE, Loopback, base_model, sequences, tinker_service, training_data
from tiny_model import write_tiny_model

from emotional_ai_training.tinker_server.engine import BaseModel

pytestmark = pytest.mark.filterwarnings(LEFT_OPEN)
ADAM = tinker.AdamParams(learning_rate=1e-2)


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINKER_TELEMETRY", "0")
        yield


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return base_model(write_tiny_model(tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture(scope="module")
def server(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with tinker_service(base, tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Loopback) -> Iterator[tinker.ServiceClient]:
    with server.client() as client:
        yield client


@pytest.fixture
def trainer(client: tinker.ServiceClient) -> tinker.TrainingClient:
    return client.create_lora_training_client("tiny", rank=4, seed=1).result(PATIENCE)


def post(server: Loopback, path: str, body: object, key: str | None = KEY) -> tuple[int, dict[str, object]]:
    """Status and JSON of a request without the SDK."""
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"X-API-Key": key})
    request = urllib.request.Request(
        f"{server.base_url}/api/v1/{path}", data=json.dumps(body).encode(), headers=headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def datum(tokens: list[int], **inputs: list[float] | list[int]) -> tinker.Datum:
    return tinker.Datum(model_input=tinker.ModelInput.from_ints(tokens), loss_fn_inputs=dict(inputs))


@pytest.mark.parametrize("key", ["tml-wrong", "tml-loopbac", "tml-loopback2"])
def test_another_key_is_refused(server: Loopback, key: str) -> None:
    with pytest.raises(tinker.AuthenticationError, match="not this server's key"):
        server.client(key).create_lora_training_client("tiny").result(PATIENCE)


def test_without_a_key_only_health_is_told(server: Loopback) -> None:
    assert post(server, "create_session", {}, key=None)[0] == 401
    assert post(server, "no_such_call", {}, key=None)[0] == 401
    with urllib.request.urlopen(f"{server.base_url}/api/v1/healthz", timeout=PATIENCE) as answer:
        assert json.loads(answer.read()) == {"status": "ok"}


def test_an_unknown_base_model_is_refused_with_the_one_served(client: tinker.ServiceClient) -> None:
    with pytest.raises(tinker.BadRequestError, match="'huge' is not served here; served: tiny"):
        client.create_lora_training_client("huge").result(PATIENCE)
    with pytest.raises(tinker.BadRequestError, match="served: tiny"):
        client.create_sampling_client(base_model="huge").result(PATIENCE)


@pytest.mark.parametrize("rank", [0, 3, 256])
def test_a_rank_that_is_no_power_of_two_is_refused(client: tinker.ServiceClient, rank: int) -> None:
    with pytest.raises(tinker.BadRequestError, match="power of two"):
        client.create_lora_training_client("tiny", rank=rank).result(PATIENCE)


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".x", "a" * 200])
def test_a_checkpoint_name_that_could_be_a_path_is_refused(trainer: tinker.TrainingClient, name: str) -> None:
    for save in (trainer.save_state, trainer.save_weights_for_sampler, trainer.save_weights_external):
        with pytest.raises(tinker.RequestFailedError, match="checkpoint name") as refused:
            save(name).result(PATIENCE)
        assert refused.value.category == "user"


def test_a_refusal_takes_its_turn_and_what_follows_goes_on(trainer: tinker.TrainingClient) -> None:
    refused = trainer.save_weights_external("e", age_encryption_recipients=["age1x"])
    passed = trainer.forward_backward(training_data(), "cross_entropy")
    with pytest.raises(tinker.RequestFailedError, match="age_encryption_recipients are not served"):
        refused.result(PATIENCE)
    assert passed.result(PATIENCE).metrics["loss:sum"] > 0


def test_a_time_to_live_of_a_minute_is_refused(trainer: tinker.TrainingClient) -> None:
    with pytest.raises(tinker.RequestFailedError, match="ttl_seconds must be from 3600"):
        trainer.save_state("s", ttl_seconds=60).result(PATIENCE)


def test_an_unknown_checkpoint_is_refused(client: tinker.ServiceClient, server: Loopback) -> None:
    missing = f"tinker://{'0' * 32}:train:0"
    with pytest.raises(tinker.NotFoundError, match="there is no checkpoint"):
        client.create_training_client_from_state(f"{missing}/weights/none").result(PATIENCE)
    with pytest.raises(tinker.NotFoundError, match="there is no checkpoint"):
        client.create_sampling_client(model_path=f"{missing}/sampler_weights/none").result(PATIENCE)
    with pytest.raises(tinker.NotFoundError, match="there is no training run"):
        server.rest().get_training_run(f"{'0' * 32}:train:0").result(PATIENCE)
    with pytest.raises(tinker.BadRequestError, match="not the id of a training run"):
        server.rest().get_training_run("nonsense").result(PATIENCE)


def test_each_kind_of_checkpoint_is_for_its_own_use(
    client: tinker.ServiceClient, server: Loopback, trainer: tinker.TrainingClient
) -> None:
    state = trainer.save_state("a").result(PATIENCE).path
    sampler = trainer.save_weights_for_sampler("a").result(PATIENCE).path
    with pytest.raises(tinker.RequestFailedError, match="cannot be trained on"):
        client.create_training_client_from_state(sampler).result(PATIENCE)
    with pytest.raises(tinker.BadRequestError, match="cannot be sampled"):
        client.create_sampling_client(model_path=state).result(PATIENCE)


@pytest.mark.parametrize(
    ("data", "loss", "reason"),
    [
        ([datum([1, 2], target_tokens=[2, 3], weights=[1.0])], "cross_entropy", "datum 0: weights has shape"),
        ([datum([1, 2], target_tokens=[2], weights=[1.0])], "cross_entropy", "datum 0: target_tokens has shape"),
        ([datum([1, 2], target_tokens=[2, 3])], "cross_entropy", "datum 0: cross_entropy needs loss_fn_inputs weights"),
        ([datum([1], weights=[1.0])], "cross_entropy", "datum 0: loss_fn_inputs lacks target_tokens"),
        ([datum([], target_tokens=[], weights=[])], "cross_entropy", "datum 0: model_input is empty"),
        (
            [*training_data([4]), datum([1, 2], target_tokens=[2, 3000], weights=[1.0, 1.0])],
            "cross_entropy",
            "datum 1: token ids must be 0 to 27",
        ),
        ([datum([-5, 2], target_tokens=[2, 3], weights=[1.0, 1.0])], "cross_entropy", "datum 0: token ids must be 0"),
        (training_data([300]), "cross_entropy", "datum 0: 300 tokens exceed the model's 256"),
        (training_data([4]), "cispo", "served: cross_entropy, importance_sampling, ppo"),
        (training_data([4]), "ppo", "datum 0: ppo needs loss_fn_inputs advantages, logprobs"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused_and_its_step_is_not_taken(
    trainer: tinker.TrainingClient, data: list[tinker.Datum], loss: tinker.types.LossFnType, reason: str
) -> None:
    good = training_data()
    before = trainer.forward(good, "cross_entropy").result(PATIENCE).metrics["loss:sum"]
    passed, stepped = trainer.forward_backward(data, loss), trainer.optim_step(ADAM)
    with pytest.raises(tinker.RequestFailedError, match=reason) as refused:
        passed.result(PATIENCE)
    assert refused.value.category == "user"
    with pytest.raises(tinker.RequestFailedError, match="no gradient since the last step"):
        stepped.result(PATIENCE)
    assert trainer.forward(good, "cross_entropy").result(PATIENCE).metrics["loss:sum"] == before


def test_a_step_without_a_gradient_is_refused(trainer: tinker.TrainingClient) -> None:
    with pytest.raises(tinker.RequestFailedError, match="no gradient since the last step"):
        trainer.optim_step(ADAM).result(PATIENCE)
    trainer.forward(training_data(), "cross_entropy")
    with pytest.raises(tinker.RequestFailedError, match="send forward_backward before"):
        trainer.optim_step(ADAM).result(PATIENCE)


@pytest.mark.parametrize("params", [{"learning_rate": -1.0}, {"beta1": 1.5}, {"eps": 0.0}])
def test_optimizer_settings_that_make_no_sense_are_refused(
    trainer: tinker.TrainingClient, params: dict[str, float]
) -> None:
    trainer.forward_backward(training_data(), "cross_entropy")
    with pytest.raises(tinker.RequestFailedError, match=next(iter(params))):
        trainer.optim_step(tinker.AdamParams(**params)).result(PATIENCE)
    with pytest.raises(tinker.RequestFailedError, match="no gradient since the last step"):
        trainer.optim_step(ADAM).result(PATIENCE)


@pytest.mark.parametrize(
    ("tokens", "params", "reason"),
    [
        ([], {"max_tokens": 3}, "the prompt is empty"),
        ([9999], {"max_tokens": 3}, "token ids must be"),
        ([1] * 250, {"max_tokens": 20}, "exceed the model's 256"),
        ([1], {"max_tokens": 0}, "max_tokens must be 1 or more"),
        ([1], {"max_tokens": 3, "temperature": -1.0}, "temperature"),
        ([1], {"max_tokens": 3, "top_p": 0.0}, "top_p"),
        ([1], {"max_tokens": 3, "top_k": 0}, "top_k"),
        ([1], {"max_tokens": 3, "stop": [""]}, "stop string"),
    ],
)
def test_sampling_that_cannot_be_done_is_refused(
    client: tinker.ServiceClient, tokens: list[int], params: dict[str, float], reason: str
) -> None:
    sampler = client.create_sampling_client(base_model="tiny").result(PATIENCE)
    with pytest.raises(tinker.BadRequestError, match=reason):
        sampler.sample(
            tinker.ModelInput.from_ints(tokens),
            1,
            tinker.SamplingParams(**params),  # type: ignore[arg-type]
        ).result(PATIENCE)


def test_what_the_sdk_can_ask_but_the_server_cannot_do_is_said(client: tinker.ServiceClient) -> None:
    sampler = client.create_sampling_client(base_model="tiny").result(PATIENCE)
    with pytest.raises(tinker.BadRequestError, match="prompt_alt_tokens_k is not served"):
        sampler.sample(
            tinker.ModelInput.from_ints([1, 2]), 1, tinker.SamplingParams(max_tokens=1), prompt_alt_tokens_k=2
        ).result(PATIENCE)
    dimuon = tinker.types.optimizer.DimuonOptimizerConfig()
    with pytest.raises(tinker.BadRequestError, match="served: adamw"):
        client.create_lora_training_client("tiny", optimizer=dimuon).result(PATIENCE)


def test_more_models_than_allowed_are_refused_until_a_session_ends(base: BaseModel, tmp_path: Path) -> None:
    with tinker_service(base, tmp_path, max_runs=1) as server, server.client() as second:
        first = server.client()
        first.create_lora_training_client("tiny", rank=1).result(PATIENCE)
        with pytest.raises(tinker.BadRequestError, match="1 models are live already"):
            second.create_lora_training_client("tiny", rank=1).result(PATIENCE)
        first.close("success").result(PATIENCE)
        second.create_lora_training_client("tiny", rank=1).result(PATIENCE)


def test_a_full_queue_says_so_and_the_sdk_gets_through_in_the_end(base: BaseModel, tmp_path: Path) -> None:
    with tinker_service(base, tmp_path, max_queue=1) as server, server.client() as client:
        trainer = client.create_lora_training_client("tiny", rank=1, seed=1).result(PATIENCE)
        # One after the other they take longer than the SDK takes to send the next.
        waiting = [trainer.forward_backward(training_data([200] * 40), "cross_entropy") for _ in range(3)]
        sampling = {"base_model": "tiny", "prompt": {"chunks": [{"tokens": [1], "type": "encoded_text"}]}}
        refused = [
            body
            for status, body in (post(server, "asample", {**sampling, "sampling_params": {}}) for _ in range(4))
            if status == 429
        ]
        assert refused
        assert "1 requests are waiting already" in str(refused[0]["error"])
        assert all(future.result(PATIENCE).metrics["loss:sum"] > 0 for future in waiting)


def test_garbage_is_answered_with_the_field_that_is_wrong(server: Loopback) -> None:
    assert post(server, "create_model", {"session_id": 1})[0] == 400
    status, body = post(server, "optim_step", {"model_id": "x"})
    assert status == 400
    assert "adam_params" in str(body) or "optim_params" in str(body)
    assert post(server, "asample", [1, 2])[0] == 400
    assert post(server, "weights_info", {"tinker_path": "tinker://../../x"})[0] == 400
    assert post(server, "no_such_call", {}) == (404, {"error": "POST /api/v1/no_such_call is not served here"})


def test_an_unknown_promise_is_a_failure_and_not_an_endless_wait(server: Loopback) -> None:
    status, body = post(server, "retrieve_future", {"request_id": "nobody"})
    assert status == 200
    assert body["category"] == "server"
    assert "restarted" in body["error"]


def test_the_same_request_twice_is_done_once(server: Loopback, trainer: tinker.TrainingClient) -> None:
    """The SDK sends a request again when the answer was lost on the way."""
    trainer.forward_backward(training_data(), "cross_entropy").result(PATIENCE)
    step = {"model_id": trainer.model_id, "seq_id": 2, "adam_params": {"learning_rate": 0.01}}
    promised = [post(server, "optim_step", step)[1]["request_id"] for _ in range(3)]
    assert len(set(promised)) == 1
    answers = [post(server, "retrieve_future", {"request_id": promised[0]})[1] for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["metrics"]["optimizer_steps"] == 1  # type: ignore[index]


def test_a_model_of_a_finished_session_is_named_with_the_states_to_go_on_from(server: Loopback) -> None:
    client = server.client()
    trainer = client.create_lora_training_client("tiny", rank=4).result(PATIENCE)
    path = trainer.save_state("last").result(PATIENCE).path
    client.close("success").result(PATIENCE)
    step = {"model_id": trainer.model_id, "seq_id": 2, "adam_params": {}}
    status, body = post(server, "optim_step", step)
    assert status == 404
    assert path in str(body["error"])


def test_prompts_reach_the_model_only_as_tokens(client: tinker.ServiceClient) -> None:
    sampler = client.create_sampling_client(base_model="tiny").result(PATIENCE)
    image = tinker.types.ImageChunk(data=b"x", format="png", expected_tokens=1)
    with pytest.raises(tinker.BadRequestError, match="only text"):
        sampler.sample(
            tinker.ModelInput(chunks=[image, tinker.EncodedTextChunk(tokens=sequences([3])[0])]),
            1,
            tinker.SamplingParams(max_tokens=1),
        ).result(PATIENCE)
