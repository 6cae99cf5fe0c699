"""A request in vLLM's terms. What cannot be said in them is refused here, not approximated.

    temperature, top_p         the same; vLLM raises a temperature in (0, 0.01) to 0.01, and so do we, to report it
    top_k                      the same, 0 keeps all
    min_p                      the same; vLLM applies it before top_k, which leaves the same tokens: both keep the likeliest
    repetition_penalty         ours counts the reply alone, vLLM's the prompt too: asked of our own processor in the server
    seed                       63 bits; the top bit of ours is left out, since vLLM reads -1 as none
    logprobs                   of the model before any sampling rule, as ours are (the server's --logprobs-mode raw_logprobs)
    stop                       looked for by us, as the text appears, and the request is ended

Everything is said outright, since the server otherwise takes the defaults of the checkpoint's generation_config.json.
"""

from collections.abc import Sequence
from typing import Final

from emotional_ai_service.decoding.errors import CannotBlend, CannotFollow
from emotional_ai_service.decoding.messages import GenerationRequest, Voice
from emotional_ai_service.decoding.vllm.launch import PROCESSOR
from emotional_ai_service.decoding.vllm.recipes import BACKEND

COLDEST: Final = 0.01
"""The lowest temperature above 0 that vLLM computes with."""
_SEED_BITS: Final = (1 << 63) - 1


def check_request(request: GenerationRequest, *, penalises: bool) -> None:
    """Raises CannotFollow for a schedule beyond the first token, CannotBlend for a penalty the server does not know.

    `penalises`: whether the server was started with our processor.
    """
    if any(change.token_index for change in request.schedule):
        raise CannotFollow(BACKEND)
    if request.sampling.repetition_penalty != 1 and not penalises:
        raise CannotBlend(
            BACKEND,
            "counts the prompt in its repetition_penalty, which ours does not; ask with repetition_penalty 1, or start "
            f"the server with --logits-processors {PROCESSOR}",
        )


def spoken_temperature(voice: Voice) -> float:
    """The temperature vLLM will compute with."""
    return max(voice.temperature, COLDEST) if voice.temperature else 0.0


def completion(
    request: GenerationRequest, model: str, prompt: Sequence[int], ends: Sequence[int], *, penalises: bool
) -> dict[str, object]:
    """The body of POST /v1/completions for a checked request, `model` being the served name of the base or of a blend."""
    voice = request.voice
    body: dict[str, object] = {
        "model": model,
        "prompt": list(prompt),
        "max_tokens": request.max_tokens,
        "stream": True,
        "return_token_ids": True,
        "seed": request.seed & _SEED_BITS,
        "temperature": spoken_temperature(voice),
        "top_p": voice.top_p,
        "top_k": request.sampling.top_k,
        "min_p": request.sampling.min_p,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "stop_token_ids": list(ends),
    }
    if request.tenant:
        body["cache_salt"] = f"tenant:{request.tenant}"  # prefixes are found again by prompts of the same salt alone
    if request.logprobs:
        body["logprobs"] = 0
    if penalises:
        body["vllm_xargs"] = {"reply_penalty": request.sampling.repetition_penalty}
    return body
