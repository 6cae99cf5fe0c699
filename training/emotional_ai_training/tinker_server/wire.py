"""Protobuf and JSON of the SDK to the engine's values, and back."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tinker import types
from tinker.proto import tinker_public_pb2 as pb
from tinker.types._pydantic_types.tensor_data import TensorData
from torch import Tensor

from emotional_ai_training.tinker_server.engine import (
    Choice,
    Datum,
    Loss,
    PassResult,
    SampleRequest,
    SampleResult,
    Scoring,
    StopReason,
    Stops,
)
from emotional_ai_training.tinker_server.errors import InvalidRequest
from emotional_ai_training.tinker_server.replies import PROTOBUF, Reply

GREATEST_DENSE: Final = 2**24
"""Numbers a sparse tensor may stand for: as many as a body of the greatest size holds."""
_DTYPES: Mapping[int, "np.dtype[np.generic]"] = {
    pb.DTYPE_FLOAT32: np.dtype(np.float32),
    pb.DTYPE_INT64: np.dtype(np.int64),
    pb.DTYPE_INT32: np.dtype(np.int32),
}
_STOPS: Mapping[StopReason, "pb.StopReason.ValueType"] = {
    StopReason.STOP: pb.STOP_REASON_STOP,
    StopReason.LENGTH: pb.STOP_REASON_LENGTH,
}


def pass_request(body: bytes) -> pb.ForwardBackwardRequest:
    """The message of a forward or forward_backward request; InvalidRequest where it is none."""
    message = pb.ForwardBackwardRequest()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise InvalidRequest(f"the body is no ForwardBackwardRequest: {error}") from error
    return message


def loss_config(message: pb.ForwardBackwardRequest) -> dict[str, float]:
    """Numbers of the loss; InvalidRequest for a setting that is none."""
    config = dict(message.loss_fn_config)
    for name, value in message.loss_fn_config_v2.items():
        if value.HasField("text"):
            raise InvalidRequest(f"loss_fn_config {name} must be a number, got {value.text[:200]!r}")
        config[name] = value.number
    return config


def data_of(message: pb.ForwardBackwardRequest, loss: Loss) -> list[Datum]:
    """The sequences of a request, each with the columns its loss reads; InvalidRequest names the first bad one."""
    if not message.data:
        raise InvalidRequest("the request holds no data")
    config = loss_config(message)
    data = []
    for place, datum in enumerate(message.data):
        try:
            data.append(_datum(datum, loss, config))
        except InvalidRequest as error:
            raise InvalidRequest(f"datum {place}: {error}") from error
    widths = {datum.targets.shape[1:] for datum in data}
    if len(widths) > 1:
        raise InvalidRequest("all data of a request must have the same number of targets at each token")
    return data


def pass_reply(result: PassResult) -> Reply:
    """The loss and the log-probabilities of a pass."""
    message = pb.ForwardBackwardOutput(loss_fn_output_type="ArrayRecord")
    message.metrics["loss:sum"] = result.loss
    record = message.loss_fn_outputs.add(type_tag="ArrayRecord", num_datums=len(result.logprobs))
    column = record.fields["logprobs"]
    column.dtype = pb.DTYPE_FLOAT32
    column.data = b"".join(_floats(values) for values in result.logprobs)
    sizes = [4 * values.numel() for values in result.logprobs]
    column.offsets = np.cumsum([0, *sizes], dtype=np.int64).tobytes()
    column.trailing_shape.extend(result.logprobs[0].shape[1:])
    return Reply(message.SerializeToString(), PROTOBUF)


def sample_request(request: types.SampleRequest, ends: frozenset[int], room: int, seed: int) -> SampleRequest:
    """What is asked of the sampler; `room` is the model's context length, `seed` stands in where none is given."""
    if request.prompt_alt_tokens_k:
        raise InvalidRequest("prompt_alt_tokens_k is not served here")
    if request.record_stability_info:
        raise InvalidRequest("record_stability_info is not served here")
    if any(not isinstance(chunk, types.EncodedTextChunk) for chunk in request.prompt.chunks):
        raise InvalidRequest("only text prompts are served here")
    prompt = tuple(request.prompt.to_ints())
    params = request.sampling_params
    limit = max(room - len(prompt), 1) if params.max_tokens is None else params.max_tokens
    targets = request.target_prompt_logprobs
    return SampleRequest(
        prompt=prompt,
        samples=request.num_samples,
        choice=Choice(limit, params.temperature, params.top_k, params.top_p),
        stops=_stops(params.stop, ends),
        seed=seed if params.seed is None else params.seed,
        scoring=Scoring(
            logprobs=bool(request.prompt_logprobs),
            topk=request.topk_prompt_logprobs,
            last=request.prompt_logprobs_last_n,
            targets=None if targets is None else _json_tensor(targets),
        ),
        topk=request.topk_sample_logprobs,
    )


def sample_reply(result: SampleResult) -> Reply:
    """Sequences and prompt scores."""
    message = pb.SampleResponse()
    for sequence in result.sequences:
        if sequence.reason is None:
            raise AssertionError("a sequence that has not ended was answered")
        sent = message.sequences.add(
            stop_reason=_STOPS[sequence.reason],
            tokens=np.asarray(sequence.tokens, dtype=np.int32).tobytes(),
            logprobs=np.asarray(sequence.logprobs, dtype=np.float32).tobytes(),
        )
        if sequence.topk:
            tokens, values = (torch.stack(part) for part in zip(*sequence.topk, strict=True))
            _topk(sent.topk_sampled_logprobs, tokens, values)
    if result.scores.logprobs is not None:
        message.prompt_logprobs = _floats(result.scores.logprobs)
    if result.scores.topk is not None:
        _topk(message.topk_prompt_logprobs, *result.scores.topk)
    if result.scores.targets is not None:
        target = message.target_prompt_logprobs
        target.dtype = pb.DTYPE_FLOAT32
        target.shape.extend(result.scores.targets.shape)
        target.dense = _floats(result.scores.targets)
    return Reply(message.SerializeToString(), PROTOBUF)


def _datum(datum: pb.Datum, loss: Loss, config: Mapping[str, float]) -> Datum:
    chunks = []
    for chunk in datum.model_input:
        if not chunk.HasField("encoded_text"):
            raise InvalidRequest("only text is served here")
        if len(chunk.encoded_text.tokens) % 4:
            raise InvalidRequest("the tokens of model_input are no whole numbers of four bytes")
        chunks.append(np.frombuffer(chunk.encoded_text.tokens, dtype=np.int32))
    tokens = np.concatenate(chunks).tolist() if chunks else []
    columns = {name: _tensor(name, tensor) for name, tensor in datum.loss_fn_inputs.items()}
    if (targets := columns.pop("target_tokens", None)) is None:
        raise InvalidRequest("loss_fn_inputs lacks target_tokens")
    loss.check(frozenset(columns), config)
    for name in loss.settings:
        columns.setdefault(name, torch.full(targets.shape, config.get(name, loss.settings[name])))
    if not tokens:
        raise InvalidRequest("model_input is empty")
    for name, column in {"target_tokens": targets, **columns}.items():
        if column.ndim not in {1, 2} or len(column) != len(tokens) or column.shape != targets.shape:
            raise InvalidRequest(f"{name} has shape {list(column.shape)} beside {len(tokens)} tokens of input")
    return Datum(tokens, targets.long(), {name: column.float() for name, column in columns.items()})


def _tensor(name: str, tensor: pb.Tensor) -> Tensor:
    if tensor.dtype not in _DTYPES:
        raise InvalidRequest(f"{name} has a number format that is not served here")
    dtype = _DTYPES[tensor.dtype]
    try:
        if tensor.HasField("sparse_csr"):
            return _sparse(tensor, dtype)
        values = np.frombuffer(tensor.dense, dtype=dtype)
        return torch.from_numpy(values.reshape(list(tensor.shape) or [-1]).copy())
    except (ValueError, RuntimeError, IndexError) as error:
        raise InvalidRequest(f"{name} is no tensor of shape {list(tensor.shape)}: {error}") from error


def _sparse(tensor: pb.Tensor, dtype: "np.dtype[np.generic]") -> Tensor:
    rows, columns, values = (
        np.frombuffer(part, dtype=kind)
        for part, kind in (
            (tensor.sparse_csr.crow_indices, np.dtype(np.int64)),
            (tensor.sparse_csr.col_indices, np.dtype(np.int64)),
            (tensor.sparse_csr.values, dtype),
        )
    )
    return _dense(rows, columns, values, list(tensor.shape))


def _dense(
    rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.generic], shape: list[int]
) -> Tensor:
    if math.prod(shape) > GREATEST_DENSE:
        raise ValueError(f"more than {GREATEST_DENSE} numbers")
    dense = np.zeros(shape, dtype=values.dtype)
    dense[np.repeat(np.arange(len(rows) - 1), np.diff(rows)), columns] = values
    return torch.from_numpy(dense)


def _json_tensor(tensor: TensorData) -> Tensor:
    if tensor.sparse_crow_indices is not None:
        raise InvalidRequest("sparse target_prompt_logprobs are not served here")
    shape = list(tensor.shape or [-1])
    try:
        return torch.tensor(tensor.data, dtype=torch.int64).reshape(shape)
    except (ValueError, RuntimeError) as error:
        raise InvalidRequest(f"target_prompt_logprobs is no tensor of shape {shape}: {error}") from error


def _stops(stop: str | Sequence[str] | Sequence[int] | None, ends: frozenset[int]) -> Stops:
    """None keeps the model's own ends; an empty list disables them too."""
    match stop:
        case None:
            return Stops(ends)
        case str():
            return Stops(ends, (stop,))
        case []:
            return Stops(frozenset())
    strings = tuple(item for item in stop if isinstance(item, str))
    tokens = frozenset(item for item in stop if isinstance(item, int))
    if len(strings) == len(stop):
        return Stops(ends, strings)
    if strings:
        raise InvalidRequest("stop must be a string, a list of strings or a list of token ids, not a mixture")
    return Stops(tokens)


def _topk(message: pb.TopkLogprobs, tokens: Tensor, values: Tensor) -> None:
    message.length, message.k = tokens.shape
    message.token_ids = tokens.to(torch.int32).numpy().tobytes()
    message.logprobs = _floats(values)


def _floats(values: Tensor) -> bytes:
    return values.detach().to(torch.float32).contiguous().numpy().tobytes()
