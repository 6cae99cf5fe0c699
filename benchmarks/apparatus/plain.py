"""transformers' generate as a contender: the bare base model, and PEFT's adapters, which hold one blend at a time."""

from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from apparatus.turns import Kind, Measured, Player, Setting, Turn, serve
from emotional_ai_training.adapters import load_manifest

BLEND = "blend"
CAT = "cat"
"""The weighted sum made one adapter by add_weighted_adapter(combination_type="cat")."""
SCALES = "scales"
"""All adapters active, each layer's set_scale called for each."""


class Plain:
    """The base model by itself, and a second copy that holds the adapters."""

    def __init__(self, setting: Setting) -> None:
        torch.set_num_threads(setting.threads)
        self._base = _model(setting)
        self._scales: dict[str, float] = {}
        directories = [Path(one) for one in setting.adapters[0]]
        first = directories[0]
        self._peft = PeftModel.from_pretrained(_model(setting), first, adapter_name=first.name)
        for directory in directories[1:]:
            self._peft.load_adapter(directory, adapter_name=directory.name)
        self._scales = {one.name: load_manifest(one).scale for one in directories}
        self._layers = [one for one in self._peft.modules() if isinstance(one, LoraLayer)]

    def play(self, turn: Turn) -> Measured:
        """One turn: replies one after the other, each under its own blend if there are any."""
        if turn.kind is Kind.SWITCH:
            return self._switch(turn)
        if turn.kind is not Kind.SPEAK:
            raise ValueError(f"{turn.kind} is not measured here")
        begun = perf_counter()
        for index, prompt in enumerate(turn.prompts):
            if turn.blends:
                self._take(turn, turn.blends[index])
            self._generate(self._peft if turn.blends else self._base, prompt, turn.tokens)
        return {"tokens": turn.tokens * len(turn.prompts), "seconds": perf_counter() - begun}

    def _switch(self, turn: Turn) -> Measured:
        seconds = []
        for weights in turn.blends:
            begun = perf_counter()
            self._take(turn, weights)
            seconds.append(perf_counter() - begun)
        return {"seconds": median(seconds)}

    def _take(self, turn: Turn, weights: tuple[float, ...]) -> None:
        """Makes a blend the model's."""
        names = [Path(one).name for one in turn.adapters]
        strengths = [self._scales[name] * weight for name, weight in zip(names, weights, strict=True)]
        if turn.way == CAT:
            if BLEND in self._peft.peft_config:
                self._peft.delete_adapter(BLEND)
            self._peft.add_weighted_adapter(names, strengths, BLEND, combination_type="cat")
            self._peft.set_adapter(BLEND)
            return
        if list(self._peft.active_adapters) != names:
            self._peft.base_model.set_adapter(names, inference_mode=True)
        for layer in self._layers:
            for name, strength in zip(names, strengths, strict=True):
                layer.set_scale(name, strength)

    @staticmethod
    @torch.inference_mode()
    def _generate(model: LlamaForCausalLM | PeftModel, prompt: tuple[int, ...], tokens: int) -> None:
        ids = torch.tensor([prompt])
        output = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False
        )
        if output.shape[1] != len(prompt) + tokens:
            raise RuntimeError(f"{output.shape[1] - len(prompt)} tokens were spoken instead of {tokens}")


def _model(setting: Setting) -> LlamaForCausalLM:
    model = AutoModelForCausalLM.from_pretrained(setting.model, dtype=getattr(torch, setting.dtype)).eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model


def build(setting: Setting) -> Player:
    """Loads both copies."""
    return Plain(setting).play


if __name__ == "__main__":
    serve(build)
