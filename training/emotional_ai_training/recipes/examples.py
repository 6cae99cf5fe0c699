"""From messages to the tokens and weights a training server takes. Pure but for the tokenizer handed in.

The shift by one token is made here: a datum's inputs are tokens 0..n-2, its targets tokens 1..n-1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import tinker
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from emotional_ai_training.conditioning import PERSONA, system_text
from emotional_ai_training.recipes.errors import ExampleTooLong, TokenizerUnusable

LONGEST: Final = 1024
"""Tokens of the longest example."""

Chat = Sequence[tuple[str, str]]
"""(role, content) pairs, oldest first."""


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation as tokens; the last `trained` of them are to be learned."""

    id: str
    tokens: tuple[int, ...]
    trained: int
    weight: float = 1.0
    """Factor of its loss, >= 0."""

    def datum(self, share: float) -> tinker.Datum:
        """The example with `share` times its weight on each learned token and 0 on the others."""
        untrained = len(self.tokens) - 1 - self.trained
        return tinker.Datum(
            model_input=tinker.ModelInput.from_ints(list(self.tokens[:-1])),
            loss_fn_inputs={
                "target_tokens": whole(self.tokens[1:]),
                "weights": real([0.0] * untrained + [share * self.weight] * self.trained),
            },
        )


class ChatTokenizer:
    """The base model's tokenizer with its chat template."""

    def __init__(self, directory: Path) -> None:
        try:
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(directory, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise TokenizerUnusable(directory, str(error)) from error
        if tokenizer.chat_template is None or tokenizer.eos_token is None:
            raise TokenizerUnusable(directory, "it lacks a chat template or an end token")
        self._tokenizer = tokenizer
        self._directory = directory
        self._end_text = str(tokenizer.eos_token)
        self.end: int = tokenizer.eos_token_id

    def prompt(self, text: str, conditioning: str = "") -> list[int]:
        """Tokens up to where the agent is to answer `text`, in the state `conditioning` tells of."""
        return self.prompt_of([("system", system_text(PERSONA, conditioning)), ("user", text)])

    def begun(self, text: str, opener: str) -> list[int]:
        """Tokens of a reply to `text` up to the end of its opener, told of no state."""
        return self.encode(self._rendered([("system", PERSONA), ("user", text)], answer=True) + opener)

    def prompt_of(self, chat: Chat) -> list[int]:
        """Tokens of a conversation up to where the agent is to speak."""
        return self.encode(self._rendered(chat, answer=True))

    def example(self, row: str, chat: Chat, weight: float = 1.0) -> Example:
        """The conversation, its last message to be learned together with the end of the turn; ExampleTooLong otherwise."""
        prompt = self._rendered(chat[:-1], answer=True)
        conversation = self._rendered(chat, answer=False)
        reply, mark, _ = conversation[len(prompt) :].rpartition(self._end_text)
        if not conversation.startswith(prompt) or not mark:
            raise TokenizerUnusable(self._directory, f"its chat template does not end a turn with {self._end_text}")
        learned = [*self.encode(reply), self.end]
        tokens = (*self.encode(prompt), *learned)
        if len(tokens) > LONGEST:
            raise ExampleTooLong(row, len(tokens), LONGEST)
        return Example(row, tokens, len(learned), weight)

    def encode(self, text: str) -> list[int]:
        """Tokens of a text as it stands."""
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of sampled tokens, without control tokens."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True)).strip()

    def _rendered(self, chat: Chat, *, answer: bool) -> str:
        messages = [{"role": role, "content": content} for role, content in chat]
        return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer))


def whole(values: Sequence[int]) -> tinker.TensorData:
    """Whole numbers in the form the API takes them."""
    return tinker.TensorData.from_numpy(np.asarray(values, dtype=np.int64))


def real(values: Sequence[float]) -> tinker.TensorData:
    """Real numbers in the form the API takes them."""
    return tinker.TensorData.from_numpy(np.asarray(values, dtype=np.float32))
