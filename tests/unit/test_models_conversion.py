"""GGUF to checkpoint: a tiny Llama written as GGUF comes back with the same weights and the same answers."""

import itertools
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from tiny_model import tiny_llama
from transformers import AutoTokenizer, LlamaForCausalLM

from emotional_ai_training.models import CorruptDownload, check_model_dir
from emotional_ai_training.models.conversion import convert

VOCABULARY = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"0123456789abcdeht", "th", "the", "Ġ"]
NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    model = tiny_llama(len(VOCABULARY), end=2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(torch.bfloat16))  # so that the conversion, which stores bf16, loses nothing
    return model


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head in GGUF's order: the first of either half, the second of either half, and so on."""
    halves = weight.reshape(heads, 2, -1, weight.shape[1])
    rows = [halves[head, half, at] for head in range(heads) for at in range(halves.shape[2]) for half in (0, 1)]
    return np.stack(rows)


def write_gguf(path: Path, model: LlamaForCausalLM, *, architecture: str = "llama", pre: str = "smollm") -> Path:
    config = model.config
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(VOCABULARY)
    writer.add_token_types([3, 3, 3, *itertools.repeat(1, len(VOCABULARY) - 3)])
    writer.add_token_merges(["t h", "th e"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template("{{ messages[0]['content'] }}")
    for name, tensor in model.state_dict().items():
        weight = tensor.numpy()
        if name == "model.embed_tokens.weight":
            writer.add_tensor("token_embd.weight", weight)
        elif name == "model.norm.weight":
            writer.add_tensor("output_norm.weight", weight)
        elif name.startswith("model.layers."):
            _, _, layer, part = name.split(".", 3)
            part = part.removesuffix(".weight")
            if part in ("self_attn.q_proj", "self_attn.k_proj"):
                heads = config.num_attention_heads if "q" in part.split(".")[1] else config.num_key_value_heads
                weight = interleaved(weight, heads)
            writer.add_tensor(f"blk.{layer}.{NAMES[part]}.weight", weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_weights_and_answers_survive_the_conversion(model: LlamaForCausalLM, tmp_path: Path) -> None:
    into = tmp_path / "checkpoint"
    into.mkdir()
    heard: list[float] = []
    convert(write_gguf(tmp_path / "tiny.gguf", model), into, heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    converted = LlamaForCausalLM.from_pretrained(check_model_dir(into), dtype=torch.float32)
    for name, weight in model.state_dict().items():
        assert torch.equal(converted.state_dict()[name], weight), name
    tokens = torch.tensor([[5, 9, 1, 12, 3]])
    with torch.inference_mode():
        assert torch.allclose(converted(tokens).logits, model(tokens).logits, atol=1e-5)


def test_the_tokenizer_splits_digits_merges_words_and_knows_its_special_tokens(
    model: LlamaForCausalLM, tmp_path: Path
) -> None:
    convert(write_gguf(tmp_path / "tiny.gguf", model), tmp_path, lambda _: None)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.tokenize("<|im_start|>the 12<|im_end|>") == ["<|im_start|>", "the", "Ġ", "1", "2", "<|im_end|>"]
    assert tokenizer.decode(tokenizer("the 12")["input_ids"]) == "the 12"
    assert (tokenizer.eos_token, tokenizer.bos_token) == ("<|im_end|>", "<|im_start|>")
    said = [{"role": "user", "content": "hi"}]
    assert tokenizer.apply_chat_template(said, tokenize=False) == "hi"


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"not a model" * 100)
    with pytest.raises(CorruptDownload, match="is not a GGUF file"):
        convert(tmp_path / "tiny.gguf", tmp_path, lambda _: None)


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        ({"architecture": "gpt2"}, "architecture gpt2, not llama"),
        ({"pre": "llama-bpe"}, "not byte-level BPE as SmolLM"),
    ],
)
def test_another_architecture_or_tokenizer_is_refused(
    model: LlamaForCausalLM, tmp_path: Path, other: dict[str, str], problem: str
) -> None:
    with pytest.raises(CorruptDownload, match=problem):
        convert(write_gguf(tmp_path / "tiny.gguf", model, **other), tmp_path, lambda _: None)
