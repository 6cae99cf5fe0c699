"""The frozen language model, and the one adapter it wears at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Cache,
    DynamicCache,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from emotional_ai_training.models import multiplies_bf16
from emotional_ai_training.tinker_server.engine.adapter import Adapter, LoraLinear, install
from emotional_ai_training.tinker_server.errors import InvalidRequest


class BaseModel:
    """A causal language model from a local directory; used by one thread only."""

    def __init__(
        self, name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, alias: str | None = None
    ) -> None:
        self.name = name
        self.names = frozenset({name, alias or name})
        """What clients may call it."""
        model.eval()  # type: ignore[no-untyped-call]
        self.model = model.requires_grad_(False)
        self.tokenizer = tokenizer
        self.layers = install(model)
        self.device = torch.device(model.device)
        self.architecture = str(model.config.model_type)
        self.vocabulary = int(model.config.vocab_size)
        self.context_length = int(model.config.max_position_embeddings)
        self.ends = end_tokens(model, tokenizer)
        self._body = model.get_decoder()  # type: ignore[no-untyped-call]
        self._head = model.get_output_embeddings()  # type: ignore[no-untyped-call]

    def body(self, tokens: Tensor, cache: DynamicCache | None = None) -> Tensor:
        """Hidden states [rows, length, width] behind the last layer of causally read `tokens` [rows, length].

        Keys and values join an empty `cache` where one is given.
        """
        hidden: Tensor = self._body(
            input_ids=tokens.to(self.device), past_key_values=cache, use_cache=cache is not None
        ).last_hidden_state
        return hidden

    def step(self, tokens: Tensor, cache: Cache, positions: Tensor, mask: Tensor | None) -> Tensor:
        """Hidden states [rows, width] behind one more token in each row; `tokens` and `positions` [rows, 1]."""
        hidden: Tensor = self._body(
            input_ids=tokens.to(self.device),
            past_key_values=cache,
            position_ids=positions,
            attention_mask=mask,
            use_cache=True,
        ).last_hidden_state
        return hidden[:, -1]

    def check_name(self, name: str) -> None:
        """Raises InvalidRequest unless that is what this model is called."""
        if name not in self.names:
            raise InvalidRequest(f"base model {name[:200]!r} is not served here; served: {self.name}")

    def check_tokens(self, least: int, greatest: int) -> None:
        """Raises InvalidRequest where token ids between these are not all the model's."""
        if least < 0 or greatest >= self.vocabulary:
            raise InvalidRequest(f"token ids must be 0 to {self.vocabulary - 1}, got {least} to {greatest}")

    def text(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`, special ones included, as stop strings are looked for in it."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def logits(self, hidden: Tensor) -> Tensor:
        """[rows, vocabulary] in fp32 for hidden states [rows, width]."""
        logits: Tensor = self._head(hidden).float()
        return logits

    @contextmanager
    def wearing(self, adapter: Adapter | None) -> Iterator[None]:
        """The model with `adapter` on, or bare."""
        worn: list[LoraLinear] = []
        if adapter is not None:
            for name, pair in adapter.pairs.items():
                layer = self.layers[name]
                layer.pair, layer.scale = pair, adapter.settings.scale
                worn.append(layer)
        try:
            yield
        finally:
            for layer in worn:
                layer.pair = None


def load_base(directory: Path, device: torch.device, dtype: torch.dtype) -> BaseModel:
    """The checkpoint in `directory`, from local files only; it is named after the directory, behind a link too."""
    disable_progress_bar()  # type: ignore[no-untyped-call]  # standard error is the server's log
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(directory, dtype=dtype, local_files_only=True)
    model.to(device)  # type: ignore[arg-type]
    return BaseModel(directory.resolve().name, model, tokenizer, directory.absolute().name)


def native_dtype(device: torch.device, description: str) -> torch.dtype:
    """bf16 where the device multiplies in it, else fp32; `description` is the text of /proc/cpuinfo."""
    return torch.bfloat16 if device.type == "cuda" or multiplies_bf16(description) else torch.float32


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens that end a turn, by the model's generation settings, its configuration and its tokenizer."""
    generation = None if model.generation_config is None else model.generation_config.eos_token_id
    ends: set[int] = set()
    for value in (generation, model.config.eos_token_id, tokenizer.eos_token_id):
        if value is not None:
            ends.update([value] if isinstance(value, int) else value)
    return frozenset(ends)
