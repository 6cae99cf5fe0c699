"""Speed of the decode loop against transformers' generate, time to the first token, and recovery from kill -9.

    python benchmarks/decoding.py [--quick] [--json] [--threads N]

Both loops run greedily on the same loaded model in the same process, taking turns, so that the ratio holds on a busy
machine. The kill is measured through the real worker process. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import time
from contextlib import aclosing
from dataclasses import asdict, dataclass

from emotional_ai_service.decoding import (
    GenerationRequest,
    LocalDecoder,
    LocalModel,
    Message,
    Precision,
    Role,
    Sampling,
    Text,
)
from emotional_ai_service.workers import WorkerUnavailable
from emotional_ai_training.models import cache_dir, default_model_dir, pull

GREEDY = Sampling(temperature=0, top_p=1, repetition_penalty=1)
USUAL = Sampling()


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; speeds in tokens per second, times in seconds, all medians but the last three."""

    dtype: str
    threads: int
    tokens: int
    rounds: int
    generate_greedy: float
    ours_greedy: float
    ratio: float
    """Median of the rounds' own ratios, ours over generate."""
    ours_sampled: float
    prompt_tokens: int
    first_token: float
    killed_requests_failed_after: float
    killed_ready_again_after: float
    restarted_reply_is_the_same: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and tokens")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    parser.add_argument("--threads", type=int, default=1, help="torch threads of both loops and of the worker")
    arguments = parser.parse_args()
    rounds, tokens = (3, 48) if arguments.quick else (7, 128)
    cache = cache_dir(os.environ)
    pull(cache)
    model = LocalModel(default_model_dir(cache), cache)
    speed = measure_speed(model, rounds, tokens, arguments.threads)
    recovery = asyncio.run(measure_recovery(model, arguments.threads))
    figures = asdict(Figures(**speed, **recovery))  # type: ignore[arg-type]
    if not arguments.json:
        for name, value in figures.items():
            print(f"{name:32} {value:.3f}" if isinstance(value, float) else f"{name:32} {value}")
    print(json.dumps(figures))


def measure_speed(model: LocalModel, rounds: int, tokens: int, threads: int) -> dict[str, float | int | str]:
    """Rounds of generate, ours greedy, ours sampled, and the first token after a prompt of 200 tokens."""
    import torch
    from transformers import AutoTokenizer, LlamaForCausalLM

    from emotional_ai_service.decoding.loading import load
    from emotional_ai_service.decoding.prompt import prompt_tokens

    torch.set_num_threads(threads)
    engine, description = load(model.directory, model.cache, Precision.NATIVE)
    tokenizer = AutoTokenizer.from_pretrained(model.directory)
    reference = LlamaForCausalLM.from_pretrained(model.directory, dtype=getattr(torch, description.dtype)).eval()
    question = (Message(Role.USER, "Tell me a long story about a lighthouse keeper and the sea."),)

    def request(rule: Sampling, most: int = tokens) -> GenerationRequest:
        return GenerationRequest(question, seed=7, sampling=rule, max_tokens=most)

    prompt = torch.tensor([prompt_tokens(tokenizer, request(GREEDY), description.context_length)])

    def theirs() -> float:
        began = time.perf_counter()
        output = reference.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=tokens, do_sample=False, pad_token_id=0
        )
        return (output.shape[1] - prompt.shape[1]) / (time.perf_counter() - began)

    def ours(rule: Sampling) -> float:
        began = time.perf_counter()
        finished = list(engine.generate(request(rule)))[-1]
        return finished.completion_tokens / (time.perf_counter() - began)  # type: ignore[union-attr]

    long_request, prompt_length = _prompt_of(200, tokenizer, description.context_length)

    def first() -> float:
        return list(engine.generate(long_request))[-1].first_token_seconds  # type: ignore[union-attr]

    theirs(), ours(GREEDY), ours(USUAL), first()
    measured = [(theirs(), ours(GREEDY), ours(USUAL), first()) for _ in range(rounds)]
    generate, greedy, sampled, first_token = (statistics.median(column) for column in zip(*measured, strict=True))
    return {
        "dtype": description.dtype,
        "threads": threads,
        "tokens": tokens,
        "rounds": rounds,
        "generate_greedy": generate,
        "ours_greedy": greedy,
        "ratio": statistics.median(row[1] / row[0] for row in measured),
        "ours_sampled": sampled,
        "prompt_tokens": prompt_length,
        "first_token": first_token,
    }


def _prompt_of(length: int, tokenizer: object, context: int) -> tuple[GenerationRequest, int]:
    """A request for one token whose prompt has at least `length` tokens, and how many it has."""
    from emotional_ai_service.decoding.prompt import prompt_tokens

    words = 1
    while True:
        content = "and then it rained " * words
        request = GenerationRequest((Message(Role.USER, content),), seed=7, sampling=GREEDY, max_tokens=1)
        size = len(prompt_tokens(tokenizer, request, context))  # type: ignore[arg-type]
        if size >= length:
            return request, size
        words += 1


async def measure_recovery(model: LocalModel, threads: int) -> dict[str, float | bool]:
    """Kills the decoder process in the middle of a reply."""
    decoder = LocalDecoder(model, threads=threads)
    await decoder.start()
    try:
        request = GenerationRequest((Message(Role.USER, "Say something kind."),), seed=11, max_tokens=24)
        before = await _reply(decoder, request)
        endless = GenerationRequest((Message(Role.USER, "Count as far as you can."),), seed=11, max_tokens=4000)
        killed = 0.0
        try:
            async with aclosing(decoder.generate(endless)) as events:
                async for event in events:
                    if isinstance(event, Text) and not killed and decoder.pid is not None:
                        killed = time.perf_counter()
                        os.kill(decoder.pid, signal.SIGKILL)
            raise RuntimeError("the killed decoder finished its reply")
        except WorkerUnavailable:
            failed = time.perf_counter() - killed
        async with asyncio.timeout(120):
            while not decoder.ready:  # noqa: ASYNC110  # another process, which sets no event
                await asyncio.sleep(0.01)
        ready = time.perf_counter() - killed
        after = await _reply(decoder, request)
    finally:
        await decoder.close()
    return {
        "killed_requests_failed_after": failed,
        "killed_ready_again_after": ready,
        "restarted_reply_is_the_same": before == after,
    }


async def _reply(decoder: LocalDecoder, request: GenerationRequest) -> str:
    async with aclosing(decoder.generate(request)) as events:
        return "".join([event.text async for event in events if isinstance(event, Text)])


if __name__ == "__main__":
    main()
