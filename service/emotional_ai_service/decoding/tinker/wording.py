"""From a request to the model's tokens, and from its tokens to text."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from emotional_ai_service.decoding.messages import FinishReason, GenerationRequest, Text
from emotional_ai_service.decoding.prompt import prompt_tokens
from emotional_ai_service.decoding.streaming import TextStream
from emotional_ai_service.decoding.tinker.connection import Draft
from emotional_ai_service.decoding.tinker.errors import TinkerStartFailed

GENERATION: Final = "generation_config.json"


class Wording:
    """The tokenizer and chat template in a directory. Threads may share it; they take turns."""

    def __init__(self, model_dir: Path) -> None:
        """Reads them from the disk alone. Raises TinkerStartFailed."""
        disable_progress_bar()  # type: ignore[no-untyped-call]  # standard error is the service's log
        try:
            tokenizer = AutoTokenizer.from_pretrained(model_dir, local_files_only=True)
        except (OSError, ValueError) as error:
            raise TinkerStartFailed(f"model_dir: no tokenizer can be read from {model_dir}: {error}") from error
        if tokenizer.chat_template is None:
            raise TinkerStartFailed(
                f"model_dir: the tokenizer in {model_dir} has no chat template; use an instruction-tuned one"
            )
        self._tokenizer: PreTrainedTokenizerBase = tokenizer
        self._ends = _ends(tokenizer, model_dir / GENERATION)
        self._turn = threading.Lock()  # the tokenizer refuses a thread that comes while another encodes

    def prompt(self, request: GenerationRequest, context_length: int) -> list[int]:
        """As prompt_tokens."""
        with self._turn:
            return prompt_tokens(self._tokenizer, request, context_length)

    def text(
        self, draft: Draft, stop: Sequence[str], logprobs: Sequence[float] | None
    ) -> tuple[Text | None, FinishReason]:
        """What of a draft is said, in one piece, and why it ended: whole characters, up to its end or a stop string.

        `logprobs`, one for each token, go along if given.
        """
        stream = TextStream(self._decode, stop, logprobs is not None)
        pieces: list[Text] = []
        reason = FinishReason.STOP if draft.stopped else FinishReason.LENGTH
        for token, logprob in zip(draft.tokens, logprobs or [0.0] * len(draft.tokens), strict=True):
            if token in self._ends:
                reason = FinishReason.STOP
                break
            if (piece := stream.push(token, logprob)) is not None:
                pieces.append(piece)
            if stream.stopped:
                reason = FinishReason.STOP
                break
        if (rest := stream.finish()) is not None:
            pieces.append(rest)
        return _joined(pieces), reason

    def _decode(self, tokens: Sequence[int]) -> str:
        with self._turn:
            return str(
                self._tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
            )


def _joined(pieces: Sequence[Text]) -> Text | None:
    if not pieces:
        return None
    return Text(
        "".join(piece.text for piece in pieces),
        0,
        sum(piece.token_count for piece in pieces),
        tuple(value for piece in pieces for value in piece.logprobs),
    )


def _ends(tokenizer: PreTrainedTokenizerBase, generation: Path) -> frozenset[int]:
    """Tokens that end a turn, by the tokenizer and, where the directory has them, the model's generation settings."""
    named: list[object] = [tokenizer.eos_token_id]
    if generation.is_file():
        try:
            more = json.loads(generation.read_text(encoding="utf-8")).get("eos_token_id")
        except (OSError, ValueError, AttributeError) as error:
            raise TinkerStartFailed(f"model_dir: {generation} cannot be read: {error}") from error
        named += more if isinstance(more, list) else [more]
    return frozenset(token for token in named if isinstance(token, int))
