"""Bodies without the SDK: one that does not fit takes the turn it names; whatever a client sends is the client's mistake."""

import json
from collections.abc import Iterator, Mapping

import httpx
import pytest
from tinker.proto import tinker_public_pb2 as pb
from tinker_loopback import PATIENCE, tinker_http


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with tinker_http(tmp_path_factory.mktemp("tinker")) as http:
        yield http


@pytest.fixture
def model(http: httpx.Client) -> str:
    """A live model."""
    session = http.post("create_session").json()["session_id"]
    asked = {"session_id": session, "model_seq_id": 0, "base_model": "tiny", "lora_config": {"rank": 2}}
    return str(fetched(http, http.post("create_model", json=asked))["model_id"])


@pytest.fixture
def sampler(http: httpx.Client) -> str:
    """A sampler of the base model."""
    session = http.post("create_session").json()["session_id"]
    asked = {"session_id": session, "sampling_session_seq_id": 0, "base_model": "tiny"}
    return str(http.post("create_sampling_session", json=asked).json()["sampling_session_id"])


def fetched(http: httpx.Client, promised: httpx.Response) -> Mapping[str, object]:
    """What a promised JSON answer says."""
    assert promised.status_code == 200, promised.text
    found: dict[str, object] = http.post(
        "retrieve_future", json={"request_id": promised.json()["request_id"]}, timeout=PATIENCE
    ).json()
    return found


def told(answer: httpx.Response) -> str:
    assert answer.status_code == 400, answer.text
    error: str = answer.json()["error"]
    assert "the server failed" not in error
    return error


def gradient(http: httpx.Client, model: str, number: int) -> httpx.Response:
    message = pb.ForwardBackwardRequest(model_id=model, seq_id=number, loss_fn="cross_entropy")
    datum = message.data.add()
    datum.model_input.add().encoded_text.tokens = bytes(4)
    for name, dtype in (("target_tokens", pb.DTYPE_INT32), ("weights", pb.DTYPE_FLOAT32)):
        column = datum.loss_fn_inputs[name]
        column.dtype, column.dense = dtype, bytes(4)
        column.shape.append(1)
    return http.post("forward_backward", content=message.SerializeToString())


def prompt(*tokens: int) -> dict[str, object]:
    return {"chunks": [{"tokens": list(tokens), "type": "encoded_text"}]}


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("optim_step", {"adam_params": {"beta1": None}}, "beta1"),
        ("optim_step", {}, "optim_params"),
        ("save_weights", {"path": "s", "ttl_seconds": "long"}, "ttl_seconds"),
        ("save_weights", {"path": "s", "nonsense": 1}, "nonsense"),
        ("load_weights", {"optimizer": True}, "path"),
        ("save_weights_for_sampler", {"kind": "nonsense"}, "kind"),
        ("save_weights_external", {}, "path"),
    ],
)
def test_a_body_that_does_not_fit_takes_its_turn_and_what_follows_goes_on(
    http: httpx.Client, model: str, route: str, body: dict[str, object], field: str
) -> None:
    refused = http.post(route, json={"model_id": model, "seq_id": 1, **body})
    saved = http.post("save_weights", json={"model_id": model, "seq_id": 2, "path": "after"})
    assert fetched(http, saved)["path"] == f"tinker://{model}/weights/after"
    reply = fetched(http, refused)
    assert reply["category"] == "user"
    assert field in str(reply["error"])


@pytest.mark.parametrize("numbers", [(2, 3), (None, None)], ids=["numbered", "in the order they come"])
def test_a_step_that_does_not_fit_forgets_its_gradient(
    http: httpx.Client, model: str, numbers: tuple[int | None, ...]
) -> None:
    gradient(http, model, 1)
    refused, taken = (
        http.post("optim_step", json={"model_id": model, "seq_id": number, "adam_params": {"learning_rate": rate}})
        for number, rate in zip(numbers, (None, 0.1), strict=True)
    )
    assert "learning_rate" in str(fetched(http, refused)["error"])
    assert "no gradient since the last step" in str(fetched(http, taken)["error"])


@pytest.mark.parametrize("address", [{}, {"seq_id": 1}, {"model_id": "x", "seq_id": 1}, {"model_id": 5, "seq_id": 1}])
def test_a_body_that_does_not_fit_and_names_no_turn_is_refused_at_once(
    http: httpx.Client, address: dict[str, object]
) -> None:
    assert "OptimStepRequest" in told(http.post("optim_step", json={**address, "adam_params": {"eps": None}}))


def test_a_number_no_model_can_have_is_refused_at_once(http: httpx.Client, model: str) -> None:
    assert "seq_id" in told(http.post("optim_step", json={"model_id": model, "seq_id": "first", "adam_params": {}}))


def test_prompts_without_a_number_are_requests_of_their_own(http: httpx.Client, sampler: str) -> None:
    asked = {"sampling_session_id": sampler, "sampling_params": {"max_tokens": 2}, "prompt_logprobs": True}
    promised = [http.post("asample", json={**asked, "prompt": prompt(*tokens)}) for tokens in ((1, 2, 3), (7, 8))]
    scored = []
    for one in promised:
        reply = http.post("retrieve_future", json={"request_id": one.json()["request_id"]})
        scored.append(len(pb.SampleResponse.FromString(reply.content).prompt_logprobs) // 4)
    assert scored == [3, 2]


def test_a_numbered_prompt_sent_again_is_one_request(http: httpx.Client, sampler: str) -> None:
    asked = {"sampling_session_id": sampler, "seq_id": 4, "sampling_params": {"max_tokens": 2}, "prompt": prompt(1, 2)}
    assert len({http.post("asample", json=asked).json()["request_id"] for _ in range(2)}) == 1


@pytest.mark.parametrize(
    "targets",
    [
        {"data": [1, 2], "shape": [3, 2]},
        {"data": [2**70], "shape": [1, 1]},
        {"data": [1], "shape": [-5]},
        {"data": [], "shape": [0, -1]},
    ],
)
def test_targets_that_are_no_tensor_are_the_callers_mistake(
    http: httpx.Client, sampler: str, targets: dict[str, object]
) -> None:
    asked = {"sampling_session_id": sampler, "sampling_params": {"max_tokens": 1}, "prompt": prompt(1, 2)}
    answer = http.post("asample", json={**asked, "target_prompt_logprobs": {"dtype": "int64", **targets}})
    assert "target_prompt_logprobs is no tensor of shape" in told(answer)


def test_half_a_character_as_it_is_is_no_json(http: httpx.Client, sampler: str) -> None:
    asked = {"sampling_session_id": sampler, "sampling_params": {"stop": "HALF"}, "prompt": prompt(1, 2)}
    answer = http.post("asample", content=json.dumps(asked).encode().replace(b"HALF", b"\xed\xa0\x80"))
    assert "no JSON" in told(answer)
