"""list_emotion_sessions, reset_emotion, engine_status."""

from importlib.metadata import version
from typing import Annotated, Final

from pydantic import Field

from emotional_ai import busy
from emotional_ai.aio import AsyncClient
from emotional_ai.errors import DeadlineExceeded, EmotionalAIError, FailedPrecondition, Unavailable
from emotional_ai.mcp_bridge.arguments import NoArguments
from emotional_ai.mcp_bridge.refusals import report
from emotional_ai.mcp_bridge.settings import Toolset
from emotional_ai.mcp_bridge.tool import Answer, Call, Hints, Tool
from emotional_ai.mcp_bridge.tools.states import Asked, State, read_state

STATUS_SECONDS: Final = 2.0
"""How long the service has to say that it is there."""
HUNG: Final = (
    f"[DEADLINE_EXCEEDED] something is there and gave no answer within {STATUS_SECONDS:g} s; call again in a moment, "
    "and have it restarted if it stays so"
)
"""What is said of a service that takes connections and does not answer."""


class Sessions(Answer):
    """Ids of sessions."""

    sessions: Annotated[list[str], Field(description="Ids in order, at most 200.")]
    complete: Annotated[bool, Field(description="Whether these are all.")]

    def told(self) -> str:
        """The ids on one line."""
        if not self.sessions:
            return "There are no sessions yet."
        return f"Sessions: {', '.join(self.sessions)}{'' if self.complete else ' and more'}"


async def list_emotion_sessions(call: Call, _: NoArguments) -> Sessions:
    """The sessions there are."""
    found, complete = await call.engine.sessions()
    return Sessions(sessions=found, complete=complete)


async def reset_emotion(call: Call, asked: Asked) -> State:
    """Puts a session back to rest."""

    async def put_back(client: AsyncClient, session_id: str) -> State:
        await client.reset_session(session_id)
        return await read_state(client, session_id)

    return await call.engine.in_session(asked.session_id, put_back)


class Status(Answer):
    """Whether the engine is there."""

    up: Annotated[bool, Field(description="Whether an emotion engine answers.")]
    target: Annotated[str, Field(description="Where the bridge looks for it, host:port.")]
    bridge_version: Annotated[str, Field(description="Version of the bridge.")]
    language: Annotated[
        str, Field(description='"ready", "loading" or "off": whether it can speak, and hear signals in text.')
    ]
    model: Annotated[str, Field(description="The language model; empty if there is none or it is not known.")]
    load: Annotated[str, Field(description="How busy it is, in a few words; empty if that is not known.")]
    detail: Annotated[str, Field(description="What is wrong and what to do; empty if nothing is.")]

    def told(self) -> str:
        """In a sentence."""
        if not self.up:
            return f"The emotion engine at {self.target} does not answer. {self.detail}"
        model = f" ({self.model})" if self.model else ""
        under_way = f"; replies: {self.load}" if self.load else ""
        spoken = f"The emotion engine at {self.target} is up; language: {self.language}{model}{under_way}."
        return f"{spoken} {self.detail}" if self.detail else spoken


async def engine_status(call: Call, _: NoArguments) -> Status:
    """Whether the engine is there, found out without starting one."""
    settings = call.engine.settings
    # Whatever the service answers, it is there.
    up, language, model, load, detail = True, "off", "", "", ""
    try:
        async with call.engine.connected() as client:
            found = await client.get_model(timeout=STATUS_SECONDS)
            language, model = "ready" if found.ready else "loading", found.name
            load = busy.replies(await client.get_load(timeout=STATUS_SECONDS))
    except FailedPrecondition as error:
        detail = error.message
    except Unavailable as error:
        up, detail = bool(error.reason), report(error, settings)
        language = "loading" if up else "off"
    except DeadlineExceeded as error:
        up, detail = bool(error.reason), report(error, settings) if error.reason else HUNG
    except EmotionalAIError as error:
        detail = report(error, settings)
    return Status(
        up=up,
        target=settings.target,
        bridge_version=version("emotional-ai"),
        language=language,
        model=model,
        load=load,
        detail=detail,
    )


LIST_EMOTION_SESSIONS = Tool(
    name="list_emotion_sessions",
    title="Sessions",
    description="Lists the emotional sessions there are, one per agent or character. Changes nothing.",
    toolset=Toolset.EMOTION,
    hints=Hints(read_only=True, idempotent=True),
    takes=NoArguments,
    gives=Sessions,
    run=list_emotion_sessions,
)
RESET_EMOTION = Tool(
    name="reset_emotion",
    title="Back to rest",
    description=(
        "Puts a session back to rest at once: what it felt is over, its log keeps what went before. Returns the state after it."
    ),
    toolset=Toolset.EMOTION,
    hints=Hints(destructive=True, idempotent=True),
    takes=Asked,
    gives=State,
    run=reset_emotion,
)
ENGINE_STATUS = Tool(
    name="engine_status",
    title="Is the engine there",
    description=(
        "Says whether the emotion engine is up, where, whether it can speak, and how to start it. Never fails, changes nothing."
    ),
    toolset=Toolset.EMOTION,
    hints=Hints(read_only=True, idempotent=True),
    takes=NoArguments,
    gives=Status,
    run=engine_status,
)
