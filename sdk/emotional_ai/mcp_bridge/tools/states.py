"""get_emotional_state: how an agent feels now, where it rests, and how it would speak."""

from typing import Annotated, Self

from pydantic import Field

from emotional_ai import names
from emotional_ai.aio import AsyncClient
from emotional_ai.mcp_bridge.arguments import Arguments, SessionId
from emotional_ai.mcp_bridge.settings import Toolset
from emotional_ai.mcp_bridge.tool import Answer, Call, Hints, Level, Rounded, Tool
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import engine_pb2, inference_pb2

Rest = Annotated[Rounded, Field(description="Where the level rests, in [0, 1].")]
Signed = Annotated[Rounded, Field(ge=-1, le=1)]


class State(Answer):
    """A state as tools tell it."""

    session_id: Annotated[str, Field(description="The session.")]
    label: Annotated[str, Field(description='The emotion in a word, such as "joy"; "neutral" at rest.')]
    valence: Annotated[Signed, Field(description="How pleasant, against rest, in [-1, 1].")]
    arousal: Annotated[Signed, Field(description="How aroused, against rest, in [-1, 1].")]
    dopamine: Level
    serotonin: Level
    cortisol: Level
    oxytocin: Level
    dopamine_at_rest: Rest
    serotonin_at_rest: Rest
    cortisol_at_rest: Rest
    oxytocin_at_rest: Rest
    sustained: Annotated[dict[str, Rounded], Field(description="Signals that hold on, by name, in [0, 1].")]
    mood_in_words: Annotated[str, Field(description="What a language model is told of the state.")]
    temperature: Annotated[Rounded, Field(description="Sampling temperature the state asks for, in [0.3, 1.3].")]
    conditioning_tokens: Annotated[str, Field(description="The state as tokens, such as <DA=0.75><SE=0.60>...")]
    version: Annotated[int, Field(description="Entries in the session's log.")]
    time: Annotated[str, Field(description="The moment of this state, RFC 3339, UTC.")]
    simulated_minutes: Annotated[Rounded, Field(description="Simulated minutes since the session began.")]

    @classmethod
    def of(cls, session: engine_pb2.Session, expression: inference_pb2.Expression) -> Self:
        """From the contract's messages."""
        state = session.state
        return cls(
            session_id=session.session_id,
            label=names.label(state.label),
            valence=state.valence,
            arousal=state.arousal,
            **names.levels(state.chemistry),
            **{f"{name}_at_rest": level for name, level in names.levels(session.config.dynamics.baseline).items()},
            sustained=names.signals(state.sustained),
            mood_in_words=expression.gloss.strip().removeprefix("mood: "),
            temperature=expression.temperature,
            conditioning_tokens=expression.conditioning,
            version=state.version,
            time=names.moment(state.time),
            simulated_minutes=state.simulated_minutes,
        )

    def told(self) -> str:
        """Such as "ada feels joy (...): dopamine 0.70, 0.20 above rest; ..."."""
        levels = "; ".join(self._against_rest(name) for name in CHEMICALS)
        held = ", ".join(f"{name} {value:.2f}" for name, value in self.sustained.items())
        return (
            f"{self.session_id} feels {self.label} (valence {self.valence:+.2f}, arousal {self.arousal:+.2f}): {levels}"
            + (f". Still acting: {held}" if held else "")
            + (f". In words: {self.mood_in_words}." if self.mood_in_words else ".")
        )

    def _against_rest(self, name: str) -> str:
        level: float = getattr(self, name)
        away = level - float(getattr(self, f"{name}_at_rest"))
        where = "at rest" if abs(away) < 0.005 else f"{abs(away):.2f} {'above' if away > 0 else 'below'} rest"
        return f"{name} {level:.2f}, {where}"


class Asked(Arguments):
    """Arguments that name a session alone."""

    session_id: SessionId = ""


async def read_state(client: AsyncClient, session_id: str) -> State:
    """A session as it is now."""
    return await expressed(client, await client.get_session(session_id))


async def expressed(client: AsyncClient, session: engine_pb2.Session) -> State:
    """A session that was read before, with how it would speak."""
    return State.of(session, await client.preview_expression(session.state.chemistry, config=session.config))


async def get_emotional_state(call: Call, asked: Asked) -> State:
    """How a session feels now."""
    return await call.engine.in_session(asked.session_id, read_state)


GET_EMOTIONAL_STATE = Tool(
    name="get_emotional_state",
    title="Emotional state",
    description=(
        "How the agent feels now: an emotion label, valence and arousal in [-1, 1] against rest, the four simulated "
        "neurochemicals dopamine (reward, curiosity), serotonin (stability), cortisol (stress) and oxytocin (bonding) in "
        "[0, 1] beside where each rests, and the state in words to speak under. The state drifts back to rest by itself, so "
        "read it anew when it matters. Changes nothing."
    ),
    toolset=Toolset.EMOTION,
    hints=Hints(read_only=True, idempotent=True),
    takes=Asked,
    gives=State,
    run=get_emotional_state,
)
