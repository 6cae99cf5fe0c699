"""generate_reply: the agent answers in character, while the client sees the reply grow."""

import asyncio
from typing import Annotated, Final

from pydantic import Field

from emotional_ai import names
from emotional_ai.aio import AsyncClient
from emotional_ai.calls import new_request_id
from emotional_ai.errors import DeadlineExceeded, EmotionalAIError, InvalidArgument
from emotional_ai.mcp_bridge.arguments import Arguments, SessionId
from emotional_ai.mcp_bridge.refusals import Code, Refused, report_without_code
from emotional_ai.mcp_bridge.settings import Settings, Toolset
from emotional_ai.mcp_bridge.tool import Answer, Call, Hints, Level, Rounded, Tool
from emotional_ai.v1 import inference_pb2 as pb

REPLY_SECONDS: Final = 55.0
"""How long a call may take, with the start of a service where one is started; clients give up on a call near 60."""


class Prompt(Arguments):
    """What is said to the agent."""

    prompt: Annotated[str, Field(min_length=1, max_length=32768, description="What the person says to the agent.")]
    session_id: SessionId = ""
    max_tokens: Annotated[int, Field(ge=1, le=4096, description="Most tokens of the reply, 1..4096.")] = 160
    seed: Annotated[
        int, Field(ge=-1, le=2**53 - 1, description="Seed of the draws, which makes a reply repeatable; -1 draws one.")
    ] = -1


class Spoken(Answer):
    """A reply, and the state it was spoken in."""

    reply: Annotated[str, Field(description="What the agent says.")]
    session_id: Annotated[str, Field(description="The session.")]
    label: Annotated[str, Field(description="The emotion it was spoken in.")]
    dopamine: Level
    serotonin: Level
    cortisol: Level
    oxytocin: Level
    heard: Annotated[dict[str, Rounded], Field(description="Signals heard in the prompt, which moved the state first.")]
    temperature: Annotated[Rounded, Field(description="Sampling temperature, at the end of the reply.")]
    blend: Annotated[dict[str, Rounded], Field(description="Weights of the emotional adapters at the end.")]
    tokens: Annotated[int, Field(description="Tokens of the reply.")]
    finish_reason: Annotated[str, Field(description='"stop", or "length" if max_tokens cut it off.')]
    seed: Annotated[str, Field(description="The seed in use, as digits.")]
    intensity: Annotated[Rounded, Field(description="How much of what is felt was expressed, in [0, 1].")]
    flags: Annotated[list[str], Field(description="What the service's guard found in the prompt, by name.")]
    disclosure: Annotated[str, Field(description="What the person should be told; empty if nothing.")]

    def told(self) -> str:
        """The reply, below what is to be disclosed: what a person is shown."""
        return f"{self.disclosure}\n\n{self.reply}" if self.disclosure else self.reply


async def generate_reply(call: Call, said: Prompt) -> Spoken:
    """One turn: the prompt moves the session, and the reply is spoken in the new state."""
    request_id, clock = new_request_id(), asyncio.get_running_loop().time
    end = clock() + REPLY_SECONDS

    async def spoken(client: AsyncClient, session_id: str) -> Spoken:
        return await _turn(client, session_id, said, request_id, max(end - clock(), 0.0), call)

    return await call.engine.in_session(said.session_id, spoken)


async def _turn(
    client: AsyncClient, session_id: str, said: Prompt, request_id: str, seconds: float, call: Call
) -> Spoken:
    sampling = pb.Sampling(max_tokens=said.max_tokens, seed=None if said.seed < 0 else said.seed)
    async with client.converse(
        session_id, said.prompt, sampling=sampling, request_id=request_id, timeout=seconds
    ) as reply:
        pieces = 0
        try:
            async for piece in reply.pieces():
                pieces += 1
                await call.progress(min(pieces, said.max_tokens), said.max_tokens, piece)
        except EmotionalAIError as error:
            # What was heard is said before it moves the state: until then nothing has happened.
            if reply.appraisal is None and isinstance(error, InvalidArgument):
                words = report_without_code(error, call.engine.settings, argument="prompt")
                raise Refused(error.code, words) from error
            if reply.appraisal is None:
                raise
            raise Refused(
                error.code, _broken_off(_why(error, call.engine.settings, seconds), reply.started, reply.text)
            ) from error
    if reply.appraisal is None or reply.started is None or reply.finished is None:
        happened = "the service ended the reply without saying what it was spoken with"
        raise Refused(Code.DATA_LOSS, _broken_off(happened, reply.started, reply.text))
    state, applied = reply.started.state, reply.finished.applied
    return Spoken(
        reply=reply.text,
        session_id=session_id,
        label=names.label(state.label),
        **names.levels(state.chemistry),
        heard=names.signals(reply.appraisal.signals),
        temperature=applied.temperature,
        blend={one.adapter: one.weight for one in applied.blend if not one.layer_weights},
        tokens=reply.finished.usage.completion_tokens,
        finish_reason=pb.FinishReason.Name(reply.finished.reason).removeprefix("FINISH_REASON_").lower(),
        seed=str(applied.seed),
        intensity=reply.started.intensity,
        flags=list(reply.started.flags),
        disclosure=reply.started.disclosure,
    )


def _why(error: EmotionalAIError, settings: Settings, seconds: float) -> str:
    if isinstance(error, DeadlineExceeded):
        return f"the reply was not complete after {seconds:.0f} s; ask for fewer max_tokens"
    return f"the reply broke off: {report_without_code(error, settings, argument='prompt')}"


def _broken_off(happened: str, started: pb.ReplyStarted | None, text: str) -> str:
    """What is told of a reply that ended before it was complete. A prompt that is sent again moves the state again."""
    moved = (
        "The prompt may have moved the state: read it before calling again"
        if started is None
        else "The prompt has moved the state already"
    )
    return f"{happened}. {moved}. Said so far: {text or 'nothing'}"


GENERATE_REPLY = Tool(
    name="generate_reply",
    title="Reply in character",
    description=(
        "The agent answers `prompt` with its own small language model, in its present emotional state. The prompt moves the "
        "state first, as any words said to it do. Each call is one turn; earlier turns are not sent along. Progress carries "
        "the reply piece by piece. A reply takes seconds."
    ),
    toolset=Toolset.INFERENCE,
    hints=Hints(open_world=True),
    takes=Prompt,
    gives=Spoken,
    run=generate_reply,
)
