"""From a GGUF file to a plain Llama checkpoint directory: bf16 safetensors, configuration, tokenizer.

GGUF stores the rows of the query and key projections interleaved for its rotary embedding; they are put back into halves.
Weights are dequantised once, here; what is lost by quantisation stays lost.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from emotional_ai_training.models.errors import CorruptDownload

_OUTER: Final = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_INNER: Final = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_CONTROL: Final = 3
"""GGUF's token type of special tokens."""


class _Fields:
    """The metadata of a GGUF file, by key."""

    def __init__(self, reader: GGUFReader, path: Path) -> None:
        self._reader = reader
        self._path = path

    def integer(self, key: str) -> int:
        return int(self._value(key))

    def number(self, key: str) -> float:
        return float(self._value(key))

    def text(self, key: str) -> str:
        return str(self._value(key))

    def texts(self, key: str) -> list[str]:
        return [str(item) for item in self._value(key)]

    def integers(self, key: str) -> list[int]:
        return [int(item) for item in self._value(key)]

    def _value(self, key: str):  # type: ignore[no-untyped-def]  # a scalar or a list, as the key says
        field = self._reader.get_field(key)
        if field is None:
            raise CorruptDownload(f"{self._path} lacks {key}")
        return field.contents()


def convert(gguf: Path, into: Path, fraction: Callable[[float], None]) -> None:
    """Writes the checkpoint into the existing directory `into`; `fraction` hears 0..1.

    Raises CorruptDownload when the file is not a Llama model with a byte-level BPE tokenizer.
    """
    try:
        reader = GGUFReader(gguf)
    except (ValueError, OSError, IndexError) as error:
        raise CorruptDownload(f"{gguf} is not a GGUF file: {error}") from error
    fields = _Fields(reader, gguf)
    if (found := fields.text("general.architecture")) != "llama":
        raise CorruptDownload(f"{gguf} holds the architecture {found}, not llama")
    _write_tokenizer(fields, into)
    heads = fields.integer("llama.attention.head_count"), fields.integer("llama.attention.head_count_kv")
    tensors: dict[str, torch.Tensor] = {}
    for done, (name, tensor) in enumerate(_tensors(reader, heads), start=1):
        tensors[name] = tensor
        fraction(done / (len(reader.tensors) + 1))
    _write_config(fields, tied="lm_head.weight" not in tensors, into=into)
    save_file(tensors, into / "model.safetensors", metadata={"format": "pt"})
    fraction(1.0)


def _tensors(reader: GGUFReader, heads: tuple[int, int]) -> Iterator[tuple[str, torch.Tensor]]:
    for tensor in reader.tensors:
        weight = dequantize(tensor.data, tensor.tensor_type)
        if ".attn_q." in tensor.name:
            weight = _rows_in_halves(weight, heads[0])
        elif ".attn_k." in tensor.name:
            weight = _rows_in_halves(weight, heads[1])
        yield _name(tensor.name), torch.from_numpy(np.array(weight)).to(torch.bfloat16)


def _name(gguf_name: str) -> str:
    if gguf_name in _OUTER:
        return _OUTER[gguf_name]
    _, layer, part, kind = gguf_name.split(".")
    return f"model.layers.{layer}.{_INNER[part]}.{kind}"


def _rows_in_halves(weight: np.ndarray, heads: int) -> np.ndarray:
    """[heads * head_dim, hidden] with rows (0, half), (1, half + 1), ... of each head, back to (0, 1, ..., half, ...)."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _write_config(fields: _Fields, *, tied: bool, into: Path) -> None:
    heads = fields.integer("llama.attention.head_count")
    hidden = fields.integer("llama.embedding_length")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": fields.integer("llama.feed_forward_length"),
        "num_hidden_layers": fields.integer("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": fields.integer("llama.attention.head_count_kv"),
        "head_dim": hidden // heads,
        "hidden_act": "silu",
        "rms_norm_eps": fields.number("llama.attention.layer_norm_rms_epsilon"),
        "rope_parameters": {"rope_type": "default", "rope_theta": fields.number("llama.rope.freq_base")},
        "max_position_embeddings": fields.integer("llama.context_length"),
        "vocab_size": fields.integer("llama.vocab_size"),
        "bos_token_id": fields.integer("tokenizer.ggml.bos_token_id"),
        "eos_token_id": fields.integer("tokenizer.ggml.eos_token_id"),
        "pad_token_id": fields.integer("tokenizer.ggml.padding_token_id"),
        "tie_word_embeddings": tied,
        "dtype": "bfloat16",
    }
    (into / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _write_tokenizer(fields: _Fields, into: Path) -> None:
    if (kind := fields.text("tokenizer.ggml.model"), fields.text("tokenizer.ggml.pre")) != ("gpt2", "smollm"):
        raise CorruptDownload(f"the tokenizer is {kind}, not byte-level BPE as SmolLM has it")
    tokens = fields.texts("tokenizer.ggml.tokens")
    merges = [(left, right) for left, right in (merge.split(" ") for merge in fields.texts("tokenizer.ggml.merges"))]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    types = fields.integers("tokenizer.ggml.token_type")
    special = [token for token, kind in zip(tokens, types, strict=True) if kind == _CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.save(str(into / "tokenizer.json"))
    described = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[fields.integer("tokenizer.ggml.bos_token_id")],
        "eos_token": tokens[fields.integer("tokenizer.ggml.eos_token_id")],
        "unk_token": tokens[fields.integer("tokenizer.ggml.unknown_token_id")],
        "pad_token": tokens[fields.integer("tokenizer.ggml.padding_token_id")],
        "chat_template": fields.text("tokenizer.chat_template"),
        "model_max_length": fields.integer("llama.context_length"),
        "clean_up_tokenization_spaces": False,
    }
    (into / "tokenizer_config.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
