"""Runs in the vLLM server: a repetition penalty on the reply alone.

vLLM's own repetition_penalty counts the prompt too, by which the agent would avoid the person's words and its persona's.
Start the server with this directory in PYTHONPATH and `--logits-processors reply_penalty:ReplyPenalty`; requests ask for it
with `vllm_xargs: {"reply_penalty": 1.1}`.
"""

import torch
from vllm import SamplingParams  # type: ignore[import-not-found]  # vLLM lives in the server's environment
from vllm.v1.sample.logits_processor import AdapterLogitsProcessor  # type: ignore[import-not-found]

ARGUMENT = "reply_penalty"


class Penalty:
    """Logits of tokens already generated, divided by `factor` if positive, multiplied if negative (CTRL, arXiv:1909.05858)."""

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def __call__(self, generated: list[int], logits: torch.Tensor) -> torch.Tensor:
        """Changes `logits` [vocabulary] in place."""
        if generated:
            seen = torch.tensor(sorted(set(generated)), device=logits.device)
            values = logits[seen]
            logits[seen] = torch.where(values > 0, values / self._factor, values * self._factor)
        return logits


class ReplyPenalty(AdapterLogitsProcessor):  # type: ignore[misc]  # as above
    """Applies the penalty a request asks for."""

    @classmethod
    def validate_params(cls, sampling_params: SamplingParams) -> None:
        """Raises ValueError, which the server answers with 400, for anything but a number of at least 1."""
        factor = (sampling_params.extra_args or {}).get(ARGUMENT, 1)
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 1 <= factor < float("inf"):
            raise ValueError(f"{ARGUMENT} must be a number of at least 1, got {factor!r}")

    def is_argmax_invariant(self) -> bool:
        return False

    def new_req_logits_processor(self, params: SamplingParams) -> Penalty | None:
        factor = float((params.extra_args or {}).get(ARGUMENT, 1))
        return Penalty(factor) if factor > 1 else None
