"""What number formats cost: logits of blended replies in each format against the fp32 reference, on real text.

    python benchmarks/precision.py [--quick] [--json]

Text: held-out prompts answered by the grammar of the training data, under the chat template with the state told, each under
the blend of a random state. OpenVINO computes in bfloat16 where the processor multiplies it, and torch anywhere. Of each
format, over the tokens of the replies: argmax agreement with the reference, mean absolute difference of the logits, the same
as a share of what the blend itself changes, and the Kullback-Leibler divergence from the reference per token. The last line
is one JSON object.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from apparatus.adapters import LORAS, read_stack
from apparatus.outcome import Row, flags, show
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from emotional_ai_service.core.blending import blend_weights
from emotional_ai_service.decoding import GenerationRequest, Message, Precision, Role
from emotional_ai_service.decoding.batch import BLOCK, Batch, Runtime
from emotional_ai_service.decoding.llama import Checkpoint, Floats, read_shape
from emotional_ai_service.decoding.openvino_runtime import OpenVinoRuntime
from emotional_ai_service.decoding.prompt import prompt_tokens
from emotional_ai_service.decoding.stack import Stack
from emotional_ai_service.decoding.torch_runtime import TorchRuntime
from emotional_ai_training.conditioning import ADAPTERS, BASELINE, told
from emotional_ai_training.dataset.prompts import Split, held_out_prompts
from emotional_ai_training.dataset.replies import load_voices
from emotional_ai_training.models import cache_dir, cpu_description, default_model_dir, multiplies_bf16, pull

BLOCKS: Final = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply as it would be computed."""

    tokens: list[int]
    said: int
    """Index of the first token of the reply."""
    weights: tuple[float, ...]


def samples(count: int, tokenizer: PreTrainedTokenizerBase, places: dict[str, int]) -> Iterator[Sample]:
    """Held-out prompts answered in the voice of the state's strongest adapter."""
    draw = random.Random(0)
    voices = load_voices()
    for prompt in held_out_prompts(Split.TEST)[:count]:
        levels = (draw.random(), draw.random(), draw.random(), draw.random())
        blend = blend_weights(levels, BASELINE)
        state = ADAPTERS[max(range(len(blend)), key=blend.__getitem__)]
        request = GenerationRequest((Message(Role.USER, prompt.text),), seed=0, conditioning=told(levels))
        begin = prompt_tokens(tokenizer, request, 8192)
        reply = tokenizer(voices[state].reply(prompt.news, prompt.topic, draw), add_special_tokens=False)["input_ids"]
        weights = [0.0] * len(places)
        for name, weight in zip(ADAPTERS, blend, strict=True):
            weights[places[name]] = weight
        yield Sample([*begin, *reply], len(begin), tuple(weights))


def logits(runtime: Runtime, stacked: Stack, sample: Sample, *, blended: bool = True) -> Floats:
    """Logits [tokens of the reply, vocabulary] that each of its tokens is drawn from."""
    count = len(sample.tokens)
    blocks = -(-count // BLOCK)
    weights = np.tile(np.array(sample.weights, np.float32), (count, 1))
    return runtime.forward(
        Batch(
            tokens=np.array(sample.tokens, np.int32),
            past=np.zeros(1, np.int32),
            begins=np.array([0, count], np.int32),
            blocks=np.arange(blocks, dtype=np.int32),
            block_begins=np.array([0, blocks], np.int32),
            wanted=np.arange(sample.said - 1, count - 1, dtype=np.int32),
            stack=stacked,
            weights=weights if blended else np.zeros_like(weights),
        )
    )


def compared(found: list[Floats], reference: list[Floats], base: list[Floats]) -> Row:
    """The measures of one format over all tokens."""
    ours, theirs, plain = (torch.from_numpy(np.concatenate(rows)) for rows in (found, reference, base))
    error, effect = (ours - theirs).abs().mean(), (theirs - plain).abs().mean()
    exact = theirs.log_softmax(-1)
    divergence = (exact.exp() * (exact - ours.log_softmax(-1))).sum(-1).mean()
    return {
        "argmax_agreement": round(float((ours.argmax(-1) == theirs.argmax(-1)).float().mean()), 4),
        "mean_abs_error": round(float(error), 5),
        "share_of_the_blends_effect": round(float(error / effect), 4),
        "kl_per_token": round(float(divergence), 6),
        "tokens": len(ours),
    }


def main() -> None:
    """Measures and prints."""
    asked = flags(__doc__)
    cache = cache_dir(os.environ)
    pull(cache)
    directory = default_model_dir(cache)
    shape = read_shape(directory)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    stacked = read_stack(LORAS, shape)
    places = {one.name: i for i, one in enumerate(stacked.adapters)}
    chosen = list(samples(8 if asked.quick else 40, tokenizer, places))
    weights = Checkpoint(directory, shape)
    exact = TorchRuntime(shape, weights, blocks=BLOCKS)
    reference = [logits(exact, stacked, sample) for sample in chosen]
    base = [logits(exact, stacked, sample, blended=False) for sample in chosen]
    del exact
    result: dict[str, Row] = {}
    native = ["openvino bfloat16"] if multiplies_bf16(cpu_description()) else []
    for name in ("openvino float32", *native, "openvino int8", "torch bfloat16"):
        runtime: Runtime
        if name == "torch bfloat16":
            runtime = TorchRuntime(shape, weights, blocks=BLOCKS, dtype=torch.bfloat16)
        else:
            precision = Precision(name.split()[1])
            runtime = OpenVinoRuntime(
                shape, weights, precision=precision, blocks=BLOCKS, threads=torch.get_num_threads()
            )
        result[name] = compared([logits(runtime, stacked, sample) for sample in chosen], reference, base)
    show(result, only_json=asked.json)


if __name__ == "__main__":
    main()
