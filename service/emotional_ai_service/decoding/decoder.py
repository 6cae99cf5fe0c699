"""What the service asks of a language model, whatever runs it."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

from emotional_ai_service.decoding.messages import GenerationEvent, GenerationRequest, ModelDescription, Voice
from emotional_ai_service.workers import Load


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

    def load(self) -> Load:
        """Replies under way, as last heard of; costs no call."""
        ...

    def generate(
        self, request: GenerationRequest, voices: AsyncIterator[Voice] | None = None
    ) -> AsyncGenerator[GenerationEvent, None]:
        """Started, then Text and VoiceChange as they come, then Finished. Closing the generator early stops the decoding.

        Each of `voices` is taken up at the next token; one that cannot be is logged, and the reply goes on as it was. A backend
        that does not follow raises CannotFollow for them.
        Raises PromptTooLong, PromptRefused, UnknownAdapter, AdapterRefused, WrongLayers, or ModelUnavailable with a retry
        hint.
        """
        ...
