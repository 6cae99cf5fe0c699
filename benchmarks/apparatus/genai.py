"""openvino-genai as a contender, run by the interpreter of its own environment: continuous batching over paged attention.

A batch is of one blend: given several, it computes with the first one's (2026.4). Different blends go one by one. Its
adapters' alpha is the whole factor, so alpha / rank of the file goes into it.
"""

from pathlib import Path
from time import perf_counter

import numpy as np
import openvino as ov
import openvino_genai as genai

from apparatus.turns import Kind, Measured, Player, Setting, Turn, serve, strengths

PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
CACHE_GB = 1


class GenAi:
    """One pipeline without adapters; one for each set of them, built when it is first needed."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._adapters = {
            one: genai.Adapter(str(Path(one) / "adapter_model.safetensors")) for one in setting.adapters[0]
        }
        self._base = self._pipeline()
        self._blended = self._pipeline(adapters=genai.AdapterConfig(list(self._adapters.values())))

    def play(self, turn: Turn) -> Measured:
        """One turn."""
        if turn.kind is not Kind.SPEAK:
            raise ValueError(f"{turn.kind} is not measured here")
        together = not turn.blends or all(one == turn.blends[0] for one in turn.blends)
        begun = perf_counter()
        if together:
            spoken = self._speak(turn, range(len(turn.prompts)))
        else:
            spoken = sum(self._speak(turn, [index]) for index in range(len(turn.prompts)))
        seconds = perf_counter() - begun
        if spoken != turn.tokens * len(turn.prompts):
            raise RuntimeError(f"{spoken} tokens were spoken instead of {turn.tokens * len(turn.prompts)}")
        return {"tokens": spoken, "seconds": seconds}

    def _speak(self, turn: Turn, which: "range | list[int]") -> int:
        config = genai.GenerationConfig()
        config.max_new_tokens = turn.tokens
        config.ignore_eos = True
        config.do_sample = False
        config.apply_chat_template = False
        pipeline = self._base
        if turn.blends:
            weights = zip(turn.adapters, strengths(turn.adapters), turn.blends[which[0]], strict=True)
            config.adapters = genai.AdapterConfig([(self._adapters[at], own * weight) for at, own, weight in weights])
            pipeline = self._blended
        prompts = [ov.Tensor(np.array([turn.prompts[index]], np.int64)) for index in which]
        results = pipeline.generate(prompts, [config] * len(prompts))
        return sum(len(one.m_generation_ids[0]) for one in results)

    def _pipeline(self, **more: object) -> genai.ContinuousBatchingPipeline:
        kind = PRECISIONS.get(self._setting.dtype, "f32")
        properties = {
            "INFERENCE_PRECISION_HINT": kind,
            "INFERENCE_NUM_THREADS": self._setting.threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
            **more,
        }
        if self._setting.dtype in PRECISIONS:
            properties["KV_CACHE_PRECISION"] = kind  # those of eight and four bits keep the usual u8
        scheduler = genai.SchedulerConfig()
        scheduler.cache_size = CACHE_GB
        scheduler.max_num_seqs = 16
        return genai.ContinuousBatchingPipeline(self._setting.model, scheduler, "CPU", properties)


def build(setting: Setting) -> Player:
    """Compiles both pipelines."""
    return GenAi(setting).play


if __name__ == "__main__":
    serve(build)
