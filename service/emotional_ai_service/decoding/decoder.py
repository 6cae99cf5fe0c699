"""What the service asks of a language model, whatever runs it."""

from collections.abc import AsyncGenerator
from typing import Protocol

from emotional_ai_service.decoding.messages import GenerationEvent, GenerationRequest, ModelDescription


class Decoder(Protocol):
    """A language model that answers as a stream."""

    @property
    def ready(self) -> bool:
        """Whether a request would be taken on now."""
        ...

    async def start(self) -> None:
        """Makes it ready; returns once it is. Raises when its configuration is wrong."""
        ...

    async def close(self) -> None:
        """Ends it and whatever is under way."""
        ...

    def describe(self) -> ModelDescription:
        """Which model speaks; known once `start` has returned."""
        ...

    def generate(self, request: GenerationRequest) -> AsyncGenerator[GenerationEvent, None]:
        """Started, then Text pieces, then Finished. Closing the generator early stops the decoding.

        Raises PromptTooLong, PromptRefused, UnknownAdapter, or ModelUnavailable with a retry hint.
        """
        ...
