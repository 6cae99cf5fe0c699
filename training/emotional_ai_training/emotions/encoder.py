"""Sentence embeddings by a BERT encoder from a local directory, its token states averaged (mean pooling)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModel, AutoTokenizer

from emotional_ai_training.emotions.errors import EncoderUnusable

_FILES: Final = ("config.json", "model.safetensors", "tokenizer.json")
_BATCH: Final = 32


class SentenceEncoder:
    """Turns texts into embeddings of unit length; texts longer than `max_tokens` must be cut into windows first.

    Deterministic on one machine. Sentences of about the same length share a batch, so padding costs little.
    Raises EncoderUnusable if the directory lacks a file or holds another kind of model.
    """

    max_tokens: Final = 256

    def __init__(self, directory: Path) -> None:
        missing = [name for name in _FILES if not (directory / name).is_file()]
        if missing:
            raise EncoderUnusable(directory, f"it lacks {', '.join(missing)}")
        try:
            self._check_kind(directory)
            self._tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
            self._model = AutoModel.from_pretrained(directory, local_files_only=True, dtype=torch.float32).eval()
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise EncoderUnusable(directory, str(error)) from error
        self.dimension = int(self._model.config.hidden_size)

    def encode(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> NDArray[np.float32]:
        """Returns embeddings of shape (texts, dimension), rows of unit length; `progress` hears how many are done."""
        tokens = [self._tokenizer(text, truncation=True, max_length=self.max_tokens)["input_ids"] for text in texts]
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        embeddings = np.zeros((len(tokens), self.dimension), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            embeddings[batch] = self._embed([tokens[i] for i in batch])
            if progress is not None:
                progress(min(start + _BATCH, len(order)))
        return embeddings

    @torch.inference_mode()
    def _embed(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        batch = self._tokenizer.pad({"input_ids": tokens}, return_tensors="pt")
        states = self._model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(dim=1) / mask.sum(dim=1)
        unit: NDArray[np.float32] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return unit

    @staticmethod
    def _check_kind(directory: Path) -> None:
        config: Any = AutoConfig.from_pretrained(directory, local_files_only=True)
        if config.model_type != "bert":
            raise EncoderUnusable(directory, f"its model type is {config.model_type!r}, not 'bert'")
