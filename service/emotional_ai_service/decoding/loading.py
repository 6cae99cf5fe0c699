"""Loads a checkpoint directory into the torch engine."""

import time
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaForCausalLM
from transformers.utils.logging import disable_progress_bar

from emotional_ai_service.decoding.engine import TorchEngine
from emotional_ai_service.decoding.messages import ModelDescription, Precision
from emotional_ai_training.models import NotAModel, cpu_description, model_digest, multiplies_bf16


def load(directory: Path, cache: Path, precision: Precision) -> tuple[TorchEngine, ModelDescription]:
    """The engine for a directory that passed check_model_dir, and which model it is; NotAModel without a chat template."""
    disable_progress_bar()  # type: ignore[no-untyped-call]  # standard error is the service's log
    tokenizer = AutoTokenizer.from_pretrained(directory)
    if tokenizer.chat_template is None:
        raise NotAModel(directory, "its tokenizer has no chat template; use an instruction-tuned checkpoint")
    dtype = dtype_of(precision, cpu_description())
    model = LlamaForCausalLM.from_pretrained(directory, dtype=dtype)
    engine = TorchEngine(model, tokenizer, time.monotonic)
    description = ModelDescription(
        name=directory.resolve().name,
        digest=model_digest(directory, cache),
        context_length=engine.context_length,
        backend="local",
        dtype=str(dtype).removeprefix("torch."),
    )
    return engine, description


def dtype_of(precision: Precision, description: str) -> torch.dtype:
    """The number format to compute in, given the text of /proc/cpuinfo."""
    if precision is Precision.NATIVE:
        return torch.bfloat16 if multiplies_bf16(description) else torch.float32
    return torch.bfloat16 if precision is Precision.BFLOAT16 else torch.float32
