"""One reply on a connection, as planned."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from emotional_ai_service.decoding.messages import BlendMode, GenerationRequest
from emotional_ai_service.decoding.tinker.planning import Plan
from emotional_ai_service.decoding.tinker.rescoring import resampled, resampling

if TYPE_CHECKING:
    from emotional_ai_service.decoding.tinker.connection import Connection, Draft


@dataclass(frozen=True, slots=True)
class Spoken:
    """The draft that is spoken."""

    draft: "Draft"
    logprobs: tuple[float, ...] | None
    """Natural logarithm of each token's probability under the speaker, if asked for."""


async def spoken(
    connection: "Connection", plan: Plan, prompt: Sequence[int], request: GenerationRequest, draw: Random
) -> Spoken:
    """Draws the reply, or drafts of which it takes one. Raises as Connection."""
    drafts = await connection.sample(plan.speaker, prompt, request, draw.getrandbits(31), plan.drafts)
    chosen = drafts[0]
    if plan.mode is BlendMode.RESCORED:
        probabilities = await weighed(connection, plan, prompt, drafts, request.voice.temperature)
        chosen = drafts[resampled(probabilities, draw)]
    if not request.logprobs:
        return Spoken(chosen, None)
    return Spoken(chosen, await connection.logprobs(plan.speaker, prompt, chosen.tokens))


async def weighed(
    connection: "Connection", plan: Plan, prompt: Sequence[int], drafts: Sequence["Draft"], temperature: float
) -> tuple[float, ...]:
    """The probability with which each draft is to be taken, see rescoring; every text is scored once by every model."""
    texts = list(dict.fromkeys(draft.tokens for draft in drafts))
    models = list(dict.fromkeys((plan.speaker, *plan.exponents)))
    try:
        async with asyncio.TaskGroup() as group:
            asked = {
                (model, text): group.create_task(connection.logprobs(model, prompt, text))
                for model in models
                for text in texts
            }
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    scores: Mapping[str, list[float]] = {
        model: [math.fsum(asked[model, draft.tokens].result()) for draft in drafts] for model in models
    }
    return resampling(plan.exponents, scores, plan.speaker, temperature)
