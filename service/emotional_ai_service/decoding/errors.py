"""What a decoder refuses.

ServiceError
+-- DecodingError
    +-- PromptTooLong    the prompt and max_tokens do not fit the model's context together
    +-- PromptRefused    the model's chat template cannot carry these messages
    +-- UnknownAdapter   the blend names an adapter that is not loaded
    +-- AdapterRefused   the blend names an adapter that is there and cannot be applied
    +-- WrongLayers      weights per layer, and not one for each of the model's layers
    +-- CannotFollow     this backend speaks a whole reply under one blend
    +-- CannotBlend      this backend cannot do what was asked of the blend
    +-- DecoderUnsuited  the decoder cannot be started as asked
"""

from emotional_ai_service.errors import ServiceError


class DecodingError(ServiceError):
    """Base of these errors."""


class PromptTooLong(DecodingError):
    """The prompt has `tokens` tokens where `limit`, the context less max_tokens, is the most; nothing is trimmed."""

    def __init__(self, tokens: int, limit: int) -> None:
        message = (
            f"max_tokens alone exceeds the context by {-limit} tokens; ask for fewer"
            if limit < 0
            else f"the prompt has {tokens} tokens and at most {limit} fit beside max_tokens; "
            "send less history, or ask for fewer tokens"
        )
        super().__init__(message, tokens=str(tokens), limit=str(limit))
        self.tokens = tokens
        self.limit = limit


class PromptRefused(DecodingError):
    """The model's chat template cannot carry these messages; the message says why."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the conversation cannot be put to the model: {problem}")


class UnknownAdapter(DecodingError):
    """The blend names an adapter that is not loaded."""

    def __init__(self, adapter: str) -> None:
        super().__init__(f"no adapter {adapter!r} is loaded; ListAdapters names those that are", adapter=adapter)


class AdapterRefused(DecodingError):
    """The blend names an adapter that is there and cannot be applied; the message says why."""

    def __init__(self, adapter: str, problem: str) -> None:
        super().__init__(f"adapter {adapter!r} cannot be applied: {problem}", adapter=adapter)


class WrongLayers(DecodingError):
    """Weights per layer, and not one for each of the model's layers."""

    def __init__(self, adapter: str, given: int, layers: int) -> None:
        super().__init__(
            f"adapter {adapter!r} has {given} weights per layer, and the model has {layers} layers; "
            "send one weight for each, or none for one weight throughout",
            adapter=adapter,
            layers=str(layers),
        )


class CannotFollow(DecodingError):
    """This backend speaks a whole reply under one blend."""

    def __init__(self, backend: str) -> None:
        super().__init__(
            f"the {backend} backend speaks a whole reply under one blend; ask without a schedule", backend=backend
        )


class CannotBlend(DecodingError):
    """This backend cannot do what was asked of the blend; the message says what it can."""

    def __init__(self, backend: str, problem: str) -> None:
        super().__init__(f"the {backend} backend {problem}", backend=backend)


class DecoderUnsuited(DecodingError):
    """The decoder cannot be started as asked; the message says what to change."""
