"""Prompts a person picks in the client: speak as the agent, describe its state, reflect on what changed it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mcp_types import GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from emotional_ai.mcp_bridge.arguments import read
from emotional_ai.mcp_bridge.refusals import Code, Refused
from emotional_ai.mcp_bridge.tool import Call
from emotional_ai.mcp_bridge.tools.explaining import Why, explain_emotion
from emotional_ai.mcp_bridge.tools.states import Asked, get_emotional_state

SESSION: Final = PromptArgument(name="session_id", description="Emotional session; left out, the bridge's own.")
LONGEST: Final = 32768
"""Characters of an argument."""

Given = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """A prompt and how its text is made."""

    listed: Prompt
    text: Callable[[Call, Given], Awaitable[str]]


async def _in_character(call: Call, given: Given) -> str:
    state = await get_emotional_state(call, _asked(given))
    return (
        "You are an agent with a living emotional state. This is how you feel at this moment:\n\n"
        f"{state.told()}\n\n"
        "Let it colour what you say and how: your warmth, your pace, how sure you are. Do not name the chemicals or numbers, "
        "and stay helpful and honest whatever you feel. Answer this:\n\n"
        f"{given['message']}"
    )


async def _described(call: Call, given: Given) -> str:
    state = await get_emotional_state(call, _asked(given))
    return (
        "Describe to a person, in two or three plain sentences, how this agent feels and what that is likely to do to how it "
        f"speaks. Keep to what is told here:\n\n{state.told()}"
    )


async def _reflected(call: Call, given: Given) -> str:
    minutes = _minutes(given.get("minutes", ""))
    why = await explain_emotion(call, Why(session_id=_asked(given).session_id, minutes=minutes))
    return (
        "Reflect, in the first person and as the agent whose state this is, on what changed how you feel and whether the "
        f"feeling still fits. Keep to what is told here:\n\n{why.told()}"
    )


RECIPES: Final[Mapping[str, Recipe]] = {
    one.listed.name: one
    for one in (
        Recipe(
            Prompt(
                name="reply_in_character",
                title="Reply in character",
                description="Answers a message as the agent, coloured by how it feels now.",
                arguments=[PromptArgument(name="message", description="What to answer.", required=True), SESSION],
            ),
            _in_character,
        ),
        Recipe(
            Prompt(
                name="describe_state",
                title="Describe the state",
                description="Describes in plain words how the agent feels.",
                arguments=[SESSION],
            ),
            _described,
        ),
        Recipe(
            Prompt(
                name="reflect_on_change",
                title="Reflect on what changed",
                description="Reflects on what moved the agent's state.",
                arguments=[
                    SESSION,
                    PromptArgument(name="minutes", description="Only the last wall minutes; left out, its whole life."),
                ],
            ),
            _reflected,
        ),
    )
}
"""The prompts, by name."""


async def filled(call: Call, name: str, given: Given) -> GetPromptResult:
    """A prompt with the state of this moment in it. Raises Refused for what cannot be, and what the client raises."""
    recipe = RECIPES.get(name)
    if recipe is None:
        raise Refused(Code.INVALID_ARGUMENT, f"no prompt {name!r}; there are {', '.join(RECIPES)}")
    _check(recipe.listed, given)
    text = await recipe.text(call, given)
    return GetPromptResult(
        description=recipe.listed.description,
        messages=[PromptMessage(role="user", content=TextContent(type="text", text=text))],
    )


def _check(prompt: Prompt, given: Given) -> None:
    arguments = {one.name: one for one in prompt.arguments or []}
    unknown = [name for name in given if name not in arguments]
    missing = [name for name, one in arguments.items() if one.required and not given.get(name, "").strip()]
    if unknown or missing:
        wrong = [f"{name} is not an argument" for name in unknown] + [f"{name} is missing" for name in missing]
        raise Refused(Code.INVALID_ARGUMENT, f"{'; '.join(wrong)}; {prompt.name} takes {', '.join(arguments)}")
    for name, value in given.items():
        if len(value) > LONGEST:
            raise Refused(Code.INVALID_ARGUMENT, f"{name} has {len(value)} characters; at most {LONGEST} are allowed")


def _asked(given: Given) -> Asked:
    return read(Asked, {name: value for name, value in given.items() if name in Asked.model_fields}, "the prompt")


def _minutes(text: str) -> float:
    try:
        minutes = float(text or 0)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes <= 10_000_000:
        raise Refused(Code.INVALID_ARGUMENT, f"minutes must be a number in [0, 10000000], got {text[:60]!r}")
    return minutes
