"""vLLM as a contender, run by the interpreter of its own environment: its engine in this process, one adapter for all.

vLLM knows no blends; it is given the first adapter of the turn, unblended, at its best.
"""

import os
from pathlib import Path
from time import perf_counter

from apparatus.turns import Kind, Measured, Player, Setting, Turn, serve

os.environ |= {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
}
LONGEST = 512
"""Tokens of prompt and reply."""
RANK = 16


def build(setting: Setting) -> Player:
    """Loads the model."""
    from vllm import LLM, SamplingParams, TokensPrompt
    from vllm.lora.request import LoRARequest

    engine = LLM(
        setting.model,
        dtype=setting.dtype,
        enforce_eager=True,
        enable_lora=True,
        max_lora_rank=RANK,
        max_loras=1,
        max_model_len=LONGEST,
        max_num_seqs=16,
        enable_prefix_caching=False,
    )

    def play(turn: Turn) -> Measured:
        if turn.kind is not Kind.SPEAK:
            raise ValueError(f"{turn.kind} is not measured here")
        rule = SamplingParams(temperature=0, max_tokens=turn.tokens, ignore_eos=True, detokenize=True)
        prompts = [TokensPrompt(prompt_token_ids=list(prompt)) for prompt in turn.prompts]
        lora = LoRARequest(Path(turn.adapters[0]).name, 1, turn.adapters[0]) if turn.adapters else None
        begun = perf_counter()
        outputs = engine.generate(prompts, rule, use_tqdm=False, lora_request=lora)
        seconds = perf_counter() - begun
        return {"tokens": sum(len(one.outputs[0].token_ids) for one in outputs), "seconds": seconds}

    return play


if __name__ == "__main__":
    serve(build)
