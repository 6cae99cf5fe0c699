"""update_emotion: something happens to an agent, as typed signals or in plain words."""

from typing import Annotated, Self

from pydantic import Field

from emotional_ai import names
from emotional_ai.aio import AsyncClient
from emotional_ai.calls import new_request_id
from emotional_ai.errors import EmotionalAIError, FailedPrecondition, InvalidArgument, Unavailable
from emotional_ai.mcp_bridge.arguments import Arguments, SessionId
from emotional_ai.mcp_bridge.refusals import UNSURE, Code, Refused, report_without_code
from emotional_ai.mcp_bridge.settings import Toolset
from emotional_ai.mcp_bridge.signals import MEANINGS
from emotional_ai.mcp_bridge.tool import Call, Hints, Rounded, Tool
from emotional_ai.mcp_bridge.tools.states import State, expressed
from emotional_ai.stimuli import CHEMICALS, SIGNALS
from emotional_ai.v1.engine_pb2 import EmotionalState, Session, Signals, Stimulus, SustainedSignals

Change = Annotated[Rounded, Field(description="Change of the level by what happened.")]


def _intensity(signal: str) -> float:
    value: float = Field(default=0.0, ge=0, le=1, description=f"{MEANINGS[signal]}; intensity in [0, 1].")
    return value


class Happening(Arguments):
    """What happens, to whom."""

    text: Annotated[
        str,
        Field(
            max_length=32768,
            description="What happened or was said, in plain English; the service hears the signals in it. "
            "Give text or signals, not both.",
        ),
    ] = ""
    reward: float = _intensity("reward")
    novelty: float = _intensity("novelty")
    achievement: float = _intensity("achievement")
    social_warmth: float = _intensity("social_warmth")
    praise: float = _intensity("praise")
    relaxation: float = _intensity("relaxation")
    threat: float = _intensity("threat")
    uncertainty: float = _intensity("uncertainty")
    rejection: float = _intensity("rejection")
    loss: float = _intensity("loss")
    conflict: float = _intensity("conflict")
    boredom: float = _intensity("boredom")
    session_id: SessionId = ""
    minutes: Annotated[
        float,
        Field(ge=0, le=10_000_000, description="Hold signals for so many simulated minutes; 0 is an event, at once."),
    ] = 0.0
    note: Annotated[
        str, Field(max_length=256, description="Why, kept in the session's log; no other text is kept.")
    ] = ""
    create_session: Annotated[bool, Field(description="Make the session if there is none of that id.")] = False

    def signals(self) -> dict[str, float]:
        """Intensities that are not 0, by signal."""
        return {name: value for name in SIGNALS if (value := getattr(self, name))}


class Updated(State):
    """The state after what happened."""

    heard: Annotated[dict[str, Rounded], Field(description="Signals that were applied, by name, in [0, 1].")]
    dopamine_change: Change
    serotonin_change: Change
    cortisol_change: Change
    oxytocin_change: Change

    @classmethod
    def after(cls, before: Session, now: State, heard: dict[str, float]) -> Self:
        """From the session before and the state after."""
        levels = names.levels(before.state.chemistry)
        moved = {f"{name}_change": getattr(now, name) - levels[name] for name in CHEMICALS}
        return cls(**now.model_dump(), heard=heard, **moved)

    def told(self) -> str:
        """What was heard, what it moved, and the state."""
        if not self.heard:
            return f"No signal was heard in the text; nothing was applied. {super().told()}"
        heard = ", ".join(f"{name} {value:.2f}" for name, value in self.heard.items())
        moved = ", ".join(
            f"{name} {change:+.2f}" for name in CHEMICALS if abs(change := getattr(self, f"{name}_change")) >= 0.005
        )
        return f"Applied {heard}: {moved or 'nothing moved noticeably'}. {super().told()}"


async def update_emotion(call: Call, what: Happening) -> Updated:
    """Lets it happen, and says what that did."""
    _check(what)
    engine = call.engine
    try:
        # Heard first: a text that cannot be heard makes no session.
        heard = what.signals() or await _heard(call, what.text)
        if what.create_session and what.session_id:
            await _made(call, what.session_id)
        before = await engine.in_session(what.session_id, lambda client, named: client.get_session(named))
    except UNSURE as error:
        happened = report_without_code(error, engine.settings)
        raise Refused(error.code, f"{happened}; nothing was applied") from error
    now = await _applied(call, before, _stimulus(heard, what)) if heard else before
    try:
        return Updated.after(before, await engine.ask(lambda client: expressed(client, now)), heard)
    except EmotionalAIError as error:
        done = "this was applied, do not send it again" if heard else "no signal was heard, nothing was applied"
        raise Refused(
            error.code, f"{done}; the state cannot be told: {report_without_code(error, engine.settings)}"
        ) from error


async def _made(call: Call, session_id: str) -> None:
    """Makes the session unless it is there."""
    try:
        await call.engine.make(session_id)
    except UNSURE as error:
        happened = report_without_code(error, call.engine.settings)
        left = f"nothing was applied, though {session_id} may have been made; to send it again makes no second one"
        raise Refused(error.code, f"{happened}; {left}") from error


async def _applied(call: Call, before: Session, stimulus: Stimulus) -> Session:
    """The session after it happened, which it does once however often it is sent."""
    request_id = new_request_id()

    async def applied(client: AsyncClient, session_id: str) -> EmotionalState:
        return (await client.apply_stimuli(session_id, [stimulus], request_id=request_id)).state

    now = Session()
    now.CopyFrom(before)
    try:
        now.state.CopyFrom(await call.engine.in_session(before.session_id, applied))
    except Unavailable as error:
        if error.reason:
            raise
        happened = report_without_code(error, call.engine.settings)
        gone = f"it was there a moment ago, so this may have been applied: {happened}"
        raise Refused(error.code, f"{gone}; read the state before sending it again") from error
    return now


def _check(what: Happening) -> None:
    given = what.signals()
    if given and what.text:
        raise Refused(Code.INVALID_ARGUMENT, f"text and signals ({', '.join(given)}) are both given; give one of them")
    if not given and not what.text.strip():
        raise Refused(
            Code.INVALID_ARGUMENT,
            f"nothing happens: give text, or signals above 0; the signals are {', '.join(SIGNALS)}, each in [0, 1]",
        )


async def _heard(call: Call, text: str) -> dict[str, float]:
    try:
        (appraisal,) = await call.engine.ask(lambda client: client.appraise(text))
    except (InvalidArgument, FailedPrecondition) as error:
        words = report_without_code(error, call.engine.settings, argument="text")
        instead = ", or give signals instead of text" if error.reason == "LANGUAGE_OFF" else ""
        raise Refused(error.code, f"{words}{instead}") from error
    return names.signals(appraisal.signals)


def _stimulus(heard: dict[str, float], what: Happening) -> Stimulus:
    signals = Signals(**heard)
    if what.minutes:
        held = SustainedSignals(signals=signals, duration_minutes=what.minutes)
        return Stimulus(sustained=held, note=what.note)
    return Stimulus(event=signals, note=what.note)


UPDATE_EMOTION = Tool(
    name="update_emotion",
    title="Something happens",
    description=(
        "Lets something happen to the agent and returns the state after it. Describe it in `text`, or give one or more "
        f"signals in [0, 1]: {', '.join(SIGNALS)}. It acts at once and fades by itself, or is held for simulated `minutes`. "
        "Each call applies once more, so do not repeat one that succeeded."
    ),
    toolset=Toolset.EMOTION,
    hints=Hints(),
    takes=Happening,
    gives=Updated,
    run=update_emotion,
)
