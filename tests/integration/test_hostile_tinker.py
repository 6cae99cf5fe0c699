"""Bodies that broke the local Tinker-compatible server once, or filled its memory: each is refused as the caller's mistake."""

import json
import resource
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import zstandard
from tinker.proto import tinker_public_pb2 as pb
from tinker_loopback import tinker_http


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with tinker_http(tmp_path_factory.mktemp("tinker")) as http:
        yield http


def told(answer: httpx.Response) -> str:
    assert answer.status_code == 400, answer.text
    error: str = answer.json()["error"]
    assert "the server failed" not in error
    return error


@pytest.mark.parametrize("route", ["retrieve_future", "weights_info", "create_model"])
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[" * 200_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b'{"request_id": "\\ud800", "tinker_path": "\\udfff"}', "surrogates"),
        (b'{"ttl_seconds": NaN}', "NaN"),
        (b'{"ttl_seconds": -Infinity}', "-Infinity"),
        (b"9" * 5000, "no JSON"),
        (b"\xff", "no JSON"),
    ],
    ids=["lists", "objects", "half a character", "no number", "no end", "a long number", "no text"],
)
def test_what_is_no_json_is_told_to_be_none(http: httpx.Client, route: str, body: bytes, why: str) -> None:
    assert why in told(http.post(route, content=body))


def frame(size: int, *, says: bool) -> bytes:
    """Zeros, a thousandth as large; one that says how large it is, or not."""
    packing = zstandard.ZstdCompressor(write_content_size=says).compressobj(size if says else -1)
    parts = [packing.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    return b"".join([*parts, packing.flush()])


@pytest.mark.parametrize("says", [True, False])
def test_a_body_that_unpacks_to_gigabytes_is_refused_and_takes_no_such_memory(http: httpx.Client, says: bool) -> None:
    body = frame(2 << 30, says=says)
    assert len(body) < 1 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "more than" in told(http.post("retrieve_future", content=body, headers={"content-encoding": "zstd"}))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 << 10  # KiB


def test_a_body_that_only_says_it_is_large_takes_no_memory_for_it(http: httpx.Client) -> None:
    body = b"\x28\xb5\x2f\xfd\xe0" + (2**40).to_bytes(8, "little") + b"\x01\x00\x00"
    assert "too much memory" in told(http.post("retrieve_future", content=body, headers={"content-encoding": "zstd"}))


def live_model(http: httpx.Client) -> str:
    session = http.post("create_session").json()["session_id"]
    base = http.get("get_server_capabilities").json()["supported_models"][0]["model_name"]
    asked = {"session_id": session, "model_seq_id": 0, "base_model": base, "lora_config": {"rank": 2}}
    made = http.post("create_model", json=asked).json()
    return str(fetched(http, made)["model_id"])


def fetched(http: httpx.Client, promised: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = json.loads(
        http.post("retrieve_future", json={"request_id": promised["request_id"]}).content
    )
    return found


@pytest.mark.parametrize("number", [-1, 10**9, 10**400])
def test_a_model_of_a_number_no_file_can_have_is_refused(http: httpx.Client, number: int) -> None:
    session = http.post("create_session").json()["session_id"]
    base = http.get("get_server_capabilities").json()["supported_models"][0]["model_name"]
    asked = {"session_id": session, "model_seq_id": number, "base_model": base, "lora_config": {"rank": 2}}
    assert "training run" in told(http.post("create_model", json=asked))


def test_tensors_that_cannot_be_are_the_callers_mistake(http: httpx.Client) -> None:
    model = live_model(http)
    ragged = pb.ForwardBackwardRequest(model_id=model, loss_fn="cross_entropy", forward_only=True)
    ragged.data.add().model_input.add().encoded_text.tokens = b"\x01\x00\x00\x00\x02"
    vast = pb.ForwardBackwardRequest(model_id=model, loss_fn="cross_entropy", forward_only=True)
    datum = vast.data.add()
    datum.model_input.add().encoded_text.tokens = bytes(4)
    targets = datum.loss_fn_inputs["target_tokens"]
    targets.dtype = pb.DTYPE_INT64
    targets.shape.extend([2**30, 2**30])
    targets.sparse_csr.crow_indices = bytes(16)
    for message, why in ((ragged, "four bytes"), (vast, "no tensor of shape")):
        reply = fetched(http, http.post("forward_backward", content=message.SerializeToString()).json())
        assert reply["category"] == "user"
        assert why in reply["error"]


def test_names_that_lead_elsewhere_find_nothing(http: httpx.Client, tmp_path: Path) -> None:
    model = live_model(http)
    for name in ("..", "../../x", "%2e%2e", "..%2f..%2fetc%2fpasswd", "a%00b", "a" * 300, "\uff0e\uff0e", "CON/../x"):
        for path in (
            f"training_runs/{model}/checkpoints/weights/{name}/ttl",
            f"training_runs/{name}",
            f"samplers/{name}",
        ):
            assert http.put(path, json={"ttl_seconds": 1}).status_code in {400, 404, 405}
        asked = {"model_id": model, "path": name}
        assert fetched(http, http.post("save_weights", json=asked).json()).get("category") == "user" or name == "a%00b"
