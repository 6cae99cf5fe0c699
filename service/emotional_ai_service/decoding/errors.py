"""What a decoder refuses.

ServiceError
+-- DecodingError
    +-- PromptTooLong    the prompt and max_tokens do not fit the model's context together
    +-- PromptRefused    the model's chat template cannot carry these messages
    +-- UnknownAdapter   the blend names an adapter that is not loaded
"""

from emotional_ai_service.errors import ServiceError


class DecodingError(ServiceError):
    """Base of these errors."""


class PromptTooLong(DecodingError):
    """The prompt has `tokens` tokens where `limit`, the context less max_tokens, is the most; nothing is trimmed."""

    def __init__(self, tokens: int, limit: int) -> None:
        message = (
            f"the prompt has {tokens} tokens and at most {limit} fit beside max_tokens; "
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
