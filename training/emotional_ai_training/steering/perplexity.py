"""What adapters cost: neutral text under them, and the replies under the base model. Needs the base model on this machine."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from emotional_ai_training.adapters import load_manifest
from emotional_ai_training.evaluation.before_after import neutral_passages
from emotional_ai_training.evaluation.scale import adapted, base_model, loss, scaled
from emotional_ai_training.recipes.examples import ChatTokenizer


class BaseModel:
    """The base model, read once. Raises what transformers raises for a directory that holds no model."""

    def __init__(self, directory: Path) -> None:
        self._tokenizer = ChatTokenizer(directory)
        self._model = base_model(directory)
        tokens = [self._tokenizer.encode(text) for text in neutral_passages()]
        self._neutral = [(one, len(one) - 1) for one in tokens]

    def replies(self, said: Sequence[tuple[str, str]]) -> float:
        """Perplexity of replies to prompts, as (prompt, reply) pairs; empty replies are left out. nan if all are empty."""
        scored = []
        for prompt, reply in said:
            tokens = self._tokenizer.encode(reply)
            if tokens:
                scored.append(([*self._tokenizer.prompt(prompt), *tokens], len(tokens)))
        return math.exp(loss(self._model, scored)) if scored else math.nan

    def neutral_ratios(self, adapters: Sequence[Path]) -> Mapping[str, float]:
        """By adapter, perplexity of neutral text under it at its calibrated scale, as a multiple of the base model's."""
        plain = loss(self._model, self._neutral)
        found = {}
        for directory in adapters:
            manifest = load_manifest(directory)
            model = adapted(self._model, directory)
            try:
                with scaled(model, manifest.scale):
                    found[manifest.name] = math.exp(loss(model, self._neutral) - plain)
            finally:
                self._model = model.unload()
        return found
