"""The prompt: a system message of our own, then the conversation, through the tokenizer's chat template.

The system message always comes first, so that no template adds a persona of its own.
"""

from collections.abc import Sequence

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from emotional_ai_service.decoding.errors import PromptRefused, PromptTooLong
from emotional_ai_service.decoding.messages import GenerationRequest, Message, Role
from emotional_ai_training.conditioning import PERSONA, system_text


def chat(messages: Sequence[Message], conditioning: str) -> list[dict[str, str]]:
    """The messages in the form chat templates read, a system message first."""
    opens_with_persona = messages[0].role is Role.SYSTEM
    persona = messages[0].content if opens_with_persona else PERSONA
    said = messages[1:] if opens_with_persona else messages
    system = Message(Role.SYSTEM, system_text(persona, conditioning))
    return [{"role": message.role.value, "content": message.content} for message in (system, *said)]


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, request: GenerationRequest, context_length: int) -> list[int]:
    """Token ids of the prompt, ending where the agent is to speak.

    Raises PromptTooLong if prompt and max_tokens exceed the context, and PromptRefused if a message contains one of the
    model's control tokens, by which it could pose as another speaker, or if the template refuses the order of roles.
    """
    for position, message in enumerate(request.messages):
        for token in tokenizer.all_special_tokens:
            if token in message.content:
                raise PromptRefused(f"message {position} contains {token}, a control token of the model")
    try:
        text = tokenizer.apply_chat_template(
            chat(request.messages, request.conditioning), tokenize=False, add_generation_prompt=True
        )
    except TemplateError as error:
        raise PromptRefused(str(error)) from error
    tokens: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    limit = context_length - request.max_tokens
    if len(tokens) > limit:
        raise PromptTooLong(len(tokens), limit)
    return tokens
