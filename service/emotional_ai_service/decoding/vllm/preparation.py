"""What is computed on our side, in a worker process: the prompt as tokens, and a blend as one adapter on the disk.

`build` runs in the child; nothing else here may import torch, since the parent imports this module.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from emotional_ai_service.decoding.ends import end_tokens
from emotional_ai_service.decoding.messages import GenerationRequest
from emotional_ai_service.decoding.vllm.errors import AdapterChanged
from emotional_ai_service.decoding.vllm.recipes import Recipe
from emotional_ai_service.workers import RoundRobin, Target
from emotional_ai_training.models import NotAModel, check_model_dir, model_digest


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the child loads."""

    directory: Path
    cache: Path


@dataclass(frozen=True, slots=True)
class Prepared:
    """What there is to know of the checkpoint."""

    digest: str
    layers: int
    context_length: int
    tokenizer: str
    """In the JSON of the tokenizers library."""
    ends: tuple[int, ...]
    """Tokens that end a turn, ascending."""


@dataclass(frozen=True, slots=True)
class PromptJob:
    """Asks for the tokens of a prompt, a tuple of numbers; PromptTooLong or PromptRefused."""

    request: GenerationRequest
    context_length: int


@dataclass(frozen=True, slots=True)
class BlendJob:
    """Asks for a blend as a PEFT adapter in the directory `into`; answers with its rank. AdapterRefused or AdapterChanged."""

    recipe: Recipe
    into: Path


Job: TypeAlias = PromptJob | BlendJob
Answer: TypeAlias = tuple[int, ...] | int


def build(checkpoint: Checkpoint) -> Target[Job]:
    """Loads the tokenizer in the child. Raises NotAModel, also for a checkpoint without a chat template."""
    check_model_dir(checkpoint.directory)
    from transformers import AutoTokenizer

    from emotional_ai_service.decoding.prompt import prompt_tokens

    tokenizer = AutoTokenizer.from_pretrained(checkpoint.directory)
    if tokenizer.chat_template is None:
        raise NotAModel(checkpoint.directory, "its tokenizer has no chat template; use an instruction-tuned checkpoint")

    def handle(job: Job) -> Iterator[Answer]:
        if isinstance(job, BlendJob):
            yield write_blend(job.recipe, job.into)
        else:
            yield tuple(prompt_tokens(tokenizer, job.request, job.context_length))

    config = json.loads((checkpoint.directory / "config.json").read_text(encoding="utf-8"))
    prepared = Prepared(
        digest=model_digest(checkpoint.directory, checkpoint.cache),
        layers=int(config["num_hidden_layers"]),
        context_length=int(config["max_position_embeddings"]),
        tokenizer=tokenizer.backend_tokenizer.to_str(),
        ends=end_tokens(checkpoint.directory, tokenizer.eos_token_id),
    )
    return RoundRobin(handle, description=prepared)


def write_blend(recipe: Recipe, into: Path) -> int:
    """Writes the one adapter that is the blend, whole or not at all; what is there already is of the same content.

    Returns its rank. Raises AdapterRefused if an adapter cannot be read or does not fit the others, AdapterChanged if one
    is no longer what the recipe names.
    """
    from emotional_ai_service.decoding.errors import AdapterRefused
    from emotional_ai_training.adapters import AdapterDamaged, adapter_digest
    from emotional_ai_training.adapters.concatenation import concatenate

    if into.is_dir():
        return recipe.rank
    parts = [(part.directory, part.factors[0] if len(part.factors) == 1 else part.factors) for part in recipe.parts]
    into.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".writing-", dir=into.parent))
    try:
        rank = concatenate(parts, staged, filled=False)
        for part in recipe.parts:  # after they were read, so that what was read is what the name says
            if adapter_digest(part.directory) != part.digest:
                raise AdapterChanged(part.adapter)
        staged.chmod(0o755)  # mkdtemp makes it ours alone, and the server may run as another user
        os.rename(staged, into)
    except AdapterDamaged as error:
        name = next(
            (part.adapter for part in recipe.parts if part.directory == error.directory), recipe.parts[0].adapter
        )
        raise AdapterRefused(name, str(error)) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return rank
