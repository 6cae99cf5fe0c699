"""Whether a conversation can be put to the model at all, asked before seconds are spent on hearing it."""

from contextlib import suppress
from typing import Final

from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai_service.decoding import GenerationRequest, Message, Sampling
from emotional_ai_service.errors import ModelUnavailable
from emotional_ai_service.language import Language
from emotional_ai_service.servicers.speech import most_tokens

BARE: Final = Sampling(repetition_penalty=1, min_p=0)
"""What every backend can do."""


async def check_length(language: Language, messages: tuple[Message, ...], sampling: pb.Sampling) -> None:
    """Raises PromptTooLong or PromptRefused for a conversation that the model could take in no state.

    Only one with more characters than the model has room for tokens is looked at: a shorter one is soon heard.
    """
    if sum(len(message.content) for message in messages) <= language.decoder.describe().context_length:
        return
    with suppress(ModelUnavailable):  # said later: a model that is away is no reason not to hear
        await language.admit(GenerationRequest(messages, seed=0, sampling=BARE, max_tokens=most_tokens(sampling)))
