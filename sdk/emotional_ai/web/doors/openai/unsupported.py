"""Parameters of OpenAI's that have no meaning here.

Those that would change the answer are refused by name, unless their value asks for nothing. Those that only help OpenAI keep
house are taken and change nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from emotional_ai.web.doors.openai.given import Given, shown
from emotional_ai.web.doors.openai.refusals import Refused


@dataclass(frozen=True, slots=True)
class Without:
    """A parameter there is not: why, and the values of it that ask for nothing."""

    why: str
    nothing: tuple[object, ...] = ()


NO_TOOLS: Final = "the agent calls no tools"
TEXT_ALONE: Final = "the agent speaks text alone"

UNSUPPORTED: Final[Mapping[str, Without]] = {
    "tools": Without(NO_TOOLS, ([],)),
    "tool_choice": Without(NO_TOOLS, ("none", "auto")),
    "parallel_tool_calls": Without(NO_TOOLS, (True, False)),
    "functions": Without(NO_TOOLS, ([],)),
    "function_call": Without(NO_TOOLS, ("none", "auto")),
    "response_format": Without("a reply is text, and its form cannot be prescribed", ({"type": "text"},)),
    "n": Without("there is one reply to a turn, since a turn moves the state", (1,)),
    "top_logprobs": Without("the probabilities of other tokens are not reported", (0,)),
    "logit_bias": Without("single tokens cannot be favoured", ({},)),
    "presence_penalty": Without("use emotional_ai.repetition_penalty", (0,)),
    "frequency_penalty": Without("use emotional_ai.repetition_penalty", (0,)),
    "modalities": Without(TEXT_ALONE, (["text"],)),
    "audio": Without(TEXT_ALONE),
    "prediction": Without("no reply is predicted"),
    "reasoning_effort": Without("the agent speaks without a train of thought", ("none",)),
    "verbosity": Without("the state decides how the agent speaks", ("medium",)),
    "web_search_options": Without("the agent searches nothing"),
    "moderation": Without("nothing is moderated"),
    "store": Without("no text is stored", (False,)),
    "service_tier": Without("there is one tier", ("auto", "default")),
}
"""Parameters that would change the answer."""
HARMLESS: Final = frozenset(
    {"metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"}
)
"""Parameters that are taken and change nothing."""


def refuse_unsupported(given: Given) -> None:
    """Raises Refused for a parameter of `UNSUPPORTED` that asks for something."""
    for name in given.names():
        without = UNSUPPORTED.get(name)
        if without is not None and not any(_same(given.value(name), one) for one in without.nothing):
            raise Refused(_words(name, without, given.value(name)), param=name, code="unsupported_parameter")


def _words(name: str, without: Without, value: object) -> str:
    if not without.nothing:
        return f"{name} is not supported: {without.why}; leave it out"
    return f"{name} is not supported as {shown(value)}: {without.why}; leave it out"


def _same(value: object, nothing: object) -> bool:
    """JSON's equality: true is no 1."""
    return isinstance(value, bool) == isinstance(nothing, bool) and value == nothing
