"""Puts a checkpoint directory and a runtime together, for the decoder process."""

import time
from typing import Final

import torch
from transformers import AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from emotional_ai_service.decoding.batch import BLOCK, Runtime
from emotional_ai_service.decoding.ends import end_tokens
from emotional_ai_service.decoding.errors import DecoderUnsuited
from emotional_ai_service.decoding.llama import Checkpoint, LlamaShape, read_shape
from emotional_ai_service.decoding.memory import available, check_fits, graphs_beside, needed
from emotional_ai_service.decoding.messages import BlendMode, ModelDescription, Precision
from emotional_ai_service.decoding.model import LocalModel, RuntimeKind
from emotional_ai_service.decoding.scheduler import Scheduler, Speaker
from emotional_ai_service.decoding.torch_runtime import TorchRuntime
from emotional_ai_service.decoding.warming import warm
from emotional_ai_training.adapters import Registry
from emotional_ai_training.models import NotAModel, cpu_description, model_digest, multiplies_bf16

_FORMATS: Final = {Precision.FLOAT32: torch.float32, Precision.BFLOAT16: torch.bfloat16}


def load(model: LocalModel) -> Scheduler:
    """A scheduler that is warm, for a directory that passed check_model_dir.

    Raises NotAModel for a checkpoint without a chat template or of a kind that is not computed here, DecoderUnsuited where
    the cache cannot hold a reply or the runtime cannot compute as asked.
    """
    disable_progress_bar()  # type: ignore[no-untyped-call]  # standard error is the service's log
    directory = model.directory
    tokenizer = AutoTokenizer.from_pretrained(directory)
    if tokenizer.chat_template is None:
        raise NotAModel(directory, "its tokenizer has no chat template; use an instruction-tuned checkpoint")
    shape = read_shape(directory)
    precision = precision_of(model.precision, model.runtime, cpu_description())
    blocks = model.blocks(shape.layers * shape.kv_heads * shape.head_dim, precision, shape.context)
    runtime = _runtime(model, shape, precision, blocks)
    speaker = Speaker(
        description=ModelDescription(
            name=directory.resolve().name,
            digest=model_digest(directory, model.cache),
            context_length=min(shape.context, blocks * BLOCK),
            backend="local",
            dtype=runtime.dtype,
            modes=(BlendMode.EXACT,),
            follows=True,
            layers=shape.layers,
        ),
        shape=shape,
        runtime=runtime,
        tokenizer=tokenizer,
        ends=frozenset(end_tokens(directory, tokenizer.eos_token_id)),
        registry=Registry(model.loras_dir),
        blocks=blocks,
        active=model.active,
        clock=time.monotonic,
    )
    if not runtime.repeatable:
        warm(runtime, shape, model.active, blocks)
    return Scheduler(speaker)


def _runtime(model: LocalModel, shape: LlamaShape, precision: Precision, blocks: int) -> Runtime:
    weights = Checkpoint(model.directory, shape)
    wanted = needed(shape, model.runtime, precision, blocks)
    if model.runtime is not RuntimeKind.CUDA:
        check_fits(model.directory.resolve().name, wanted, available())
    if model.runtime is RuntimeKind.OPENVINO:
        from emotional_ai_service.decoding.openvino_runtime import OpenVinoRuntime

        threads = torch.get_num_threads()  # what the process was given
        torch.set_num_threads(1)  # torch only converts adapters here; its threads would wait for those of the runtime
        fixed = graphs_beside(shape, precision, available() - wanted)
        return OpenVinoRuntime(shape, weights, precision=precision, blocks=blocks, threads=threads, fixed=fixed)
    dtype = _FORMATS.get(precision)
    if dtype is None:
        raise DecoderUnsuited(
            f"the {model.runtime.value} runtime computes float32 and bfloat16; choose one with --precision"
        )
    if model.runtime is RuntimeKind.TORCH:
        return TorchRuntime(shape, weights, blocks=blocks, dtype=dtype)
    if not torch.cuda.is_available():
        raise DecoderUnsuited(
            "torch sees no GPU here; install a build of torch for yours, or choose --runtime openvino"
        )
    return TorchRuntime(shape, weights, blocks=blocks, dtype=dtype, device="cuda", together=True)


def precision_of(precision: Precision, runtime: RuntimeKind, description: str) -> Precision:
    """The number format to compute in, given the text of /proc/cpuinfo; the reference is fp32 unless told otherwise."""
    if precision is not Precision.NATIVE:
        return precision
    narrow = {
        RuntimeKind.OPENVINO: multiplies_bf16(description),
        RuntimeKind.TORCH: False,
        RuntimeKind.CUDA: torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
    }
    return Precision.BFLOAT16 if narrow[runtime] else Precision.FLOAT32
