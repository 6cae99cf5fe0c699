"""A scheduler on the tiny model, in this process, with adapters of mixed ranks that fit it.

Under one directory: `model`, `loras` and `cache`, made as they are first needed.
"""

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from safetensors.numpy import save_file
from tiny_adapters import manifest
from tiny_model import write_tiny_model
from transformers import AutoTokenizer

from emotional_ai_service.decoding import (
    BlendMode,
    Finished,
    GenerationEvent,
    GenerationRequest,
    LocalModel,
    ModelDescription,
    Precision,
    RuntimeKind,
    Text,
)
from emotional_ai_service.decoding.batch import BLOCK, Runtime
from emotional_ai_service.decoding.ends import end_tokens
from emotional_ai_service.decoding.llama import MODULES, Checkpoint, LlamaShape, read_shape
from emotional_ai_service.decoding.openvino_runtime import OpenVinoRuntime
from emotional_ai_service.decoding.scheduler import Scheduler, Speaker
from emotional_ai_service.decoding.torch_runtime import TorchRuntime
from emotional_ai_service.workers.messages import Event, Raised
from emotional_ai_training.adapters import Manifest, Registry, publish
from emotional_ai_training.models import model_digest

ALL_MODULES: Final = tuple(module for group in MODULES.values() for module in group)
MOST_STEPS: Final = 20_000
"""A scheduler that is still busy after so many steps is stuck."""

Said: TypeAlias = GenerationEvent | Exception
"""What a request hears; an error comes last."""


def tiny_local_model(directory: Path, runtime: RuntimeKind = RuntimeKind.TORCH, **settings: Any) -> LocalModel:
    """What a decoder process is told, so that it loads the same."""
    model = directory / "model"
    if not model.exists():
        write_tiny_model(model)
    return LocalModel(
        model, directory / "cache", directory / "loras", runtime, **{"precision": Precision.FLOAT32, **settings}
    )


def tiny_speaker(
    directory: Path, *, runtime: RuntimeKind = RuntimeKind.TORCH, active: int = 4, kv_bytes: int = 1 << 20
) -> Speaker:
    """What `tiny_scheduler` speaks with, in fp32; its clock counts. 8,192 of `kv_bytes` are one block."""
    model = tiny_local_model(directory, runtime, active=active, kv_bytes=kv_bytes)
    shape = read_shape(model.directory)
    blocks = model.blocks(shape.layers * shape.kv_heads * shape.head_dim, Precision.FLOAT32, shape.context)
    computed = _runtime(runtime, shape, Checkpoint(model.directory, shape), blocks)
    tokenizer = AutoTokenizer.from_pretrained(model.directory)
    ticks = itertools.count()
    return Speaker(
        description=ModelDescription(
            name="tiny",
            digest=model_digest(model.directory, model.cache),
            context_length=min(shape.context, blocks * BLOCK),
            backend="local",
            dtype=computed.dtype,
            modes=(BlendMode.EXACT,),
            follows=True,
            layers=shape.layers,
        ),
        shape=shape,
        runtime=computed,
        tokenizer=tokenizer,
        ends=frozenset(end_tokens(model.directory, tokenizer.eos_token_id)),
        registry=Registry(model.loras_dir),
        blocks=blocks,
        active=active,
        clock=lambda: float(next(ticks)),
    )


def tiny_scheduler(
    directory: Path, *, runtime: RuntimeKind = RuntimeKind.TORCH, active: int = 4, kv_bytes: int = 1 << 20
) -> Scheduler:
    """A scheduler with nothing under way; it sees the adapters in `directory / "loras"`."""
    return Scheduler(tiny_speaker(directory, runtime=runtime, active=active, kv_bytes=kv_bytes))


def publish_tiny_adapter(
    directory: Path,
    name: str,
    *,
    rank: int = 4,
    seed: int = 0,
    modules: Sequence[str] = ALL_MODULES,
    scale: float = 0.75,
    **changes: Any,
) -> Manifest:
    """Publishes random factors for the tiny model in `directory / "loras"`; another seed is another content.

    Strong enough that one at weight 1 changes what the model says. lora_alpha is twice the rank, and `scale` differs from
    1, so that whoever forgets either computes something else.
    """
    model = tiny_local_model(directory)
    written = directory / "peft" / f"{name}-{seed}"
    _write_peft(written, read_shape(model.directory), rank, seed, modules)
    described = manifest(
        name, base_model_digest=model_digest(model.directory, model.cache), rank=rank, scale=scale, **changes
    )
    return publish(written, described, model.loras_dir)


def publish_tiny_adapters(directory: Path) -> tuple[str, ...]:
    """Three adapters of ranks 2, 4 and 3, the last of which adapts two kinds of layers only; their names."""
    publish_tiny_adapter(directory, "alpha", rank=2, seed=1)
    publish_tiny_adapter(directory, "beta", rank=4, seed=2)
    publish_tiny_adapter(directory, "gamma", rank=3, seed=3, modules=("self_attn.v_proj", "mlp.down_proj"))
    return ("alpha", "beta", "gamma")


def spoken(
    scheduler: Scheduler,
    requests: Sequence[GenerationRequest],
    on_step: Callable[[int, list[list[Said]]], None] | None = None,
) -> list[list[Said]]:
    """Puts `requests` under tickets 0, 1, ... and steps until nothing is under way; what each of them heard.

    `on_step` is called after every step with its number, from 0, and what was heard so far. It may begin, update and
    cancel; tickets of its own are heard under their numbers, which must go on from the last.
    """
    for ticket, request in enumerate(requests):
        scheduler.begin(ticket, request)
    heard: list[list[Said]] = [[] for _ in requests]
    for step in range(MOST_STEPS):
        if not scheduler.busy():
            return heard
        for outcome in scheduler.step():
            while outcome.ticket >= len(heard):
                heard.append([])
            if isinstance(outcome, Event):
                heard[outcome.ticket].append(outcome.value)  # type: ignore[arg-type]  # what a scheduler says
            elif isinstance(outcome, Raised):
                heard[outcome.ticket].append(outcome.error)
        if on_step is not None:
            on_step(step, heard)
    raise AssertionError(f"the scheduler is still busy after {MOST_STEPS} steps")


def text_of(said: Sequence[Said]) -> str:
    """The words of one reply."""
    return "".join(event.text for event in said if isinstance(event, Text))


def logprobs_of(said: Sequence[Said]) -> list[float]:
    """The log-probability of each token of one reply that asked for them."""
    return [value for event in said if isinstance(event, Text) for value in event.logprobs]


def finished(said: Sequence[Said]) -> Finished:
    """The end of one reply, which must have come to one."""
    assert isinstance(said[-1], Finished), said[-1]
    return said[-1]


def _runtime(kind: RuntimeKind, shape: LlamaShape, weights: Checkpoint, blocks: int) -> Runtime:
    if kind is RuntimeKind.OPENVINO:
        return OpenVinoRuntime(shape, weights, precision=Precision.FLOAT32, blocks=blocks, threads=1)
    assert kind is RuntimeKind.TORCH
    return TorchRuntime(shape, weights, blocks=blocks, dtype=torch.float32)


def _write_peft(directory: Path, shape: LlamaShape, rank: int, seed: int, modules: Sequence[str]) -> None:
    """Factors as PEFT writes them."""
    draw = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray[Any, np.dtype[np.float32]]] = {}
    for layer, module in itertools.product(range(shape.layers), modules):
        inputs, outputs = shape.widths(module)
        key = f"base_model.model.model.layers.{layer}.{module}"
        tensors[f"{key}.lora_A.weight"] = (draw.standard_normal((rank, inputs)) / inputs**0.5).astype(np.float32)
        tensors[f"{key}.lora_B.weight"] = draw.standard_normal((outputs, rank)).astype(np.float32)
    directory.mkdir(parents=True, exist_ok=True)
    save_file(tensors, directory / "adapter_model.safetensors")
    (directory / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank}), encoding="utf-8"
    )
