"""The answer to a request in OpenAI's form: whole, or in chunks as it is spoken."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, Literal, NotRequired, TypedDict

from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.doors.openai.extension import Feeling, feeling, finish
from emotional_ai.web.doors.openai.model_names import model_of
from emotional_ai.web.doors.openai.speaking import Speech

UNLIKELY: Final = -9999.0
"""What OpenAI reports for a token too unlikely to have a logarithm."""


class TokenLogprob(TypedDict):
    """A token and its log-probability."""

    token: str
    bytes: list[int]
    logprob: float
    top_logprobs: list[None]


class Logprobs(TypedDict):
    """Log-probabilities of the tokens of a text."""

    content: list[TokenLogprob]
    refusal: None


class Message(TypedDict):
    """A reply."""

    role: Literal["assistant"]
    content: str
    refusal: None


class Choice(TypedDict):
    """The one reply of an answer."""

    index: int
    message: Message
    logprobs: Logprobs | None
    finish_reason: str


class CachedTokens(TypedDict):
    """Of the prompt."""

    cached_tokens: int


class Usage(TypedDict):
    """Tokens read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens


class Completion(TypedDict):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    emotional_ai: Feeling


class Delta(TypedDict):
    """What a chunk adds."""

    role: NotRequired[Literal["assistant"]]
    content: NotRequired[str]


class ChunkChoice(TypedDict):
    """The one reply of a chunk."""

    index: int
    delta: Delta
    logprobs: Logprobs | None
    finish_reason: str | None


class Chunk(TypedDict):
    """A piece of an answer."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: NotRequired[Usage | None]
    emotional_ai: NotRequired[Feeling]


async def completion(speech: Speech) -> Completion:
    """The whole answer, once the reply is complete. Raises what the client raises, and Refused if it was cut short."""
    pieces = [piece async for piece in _pieces(speech)]
    tokens = [token for piece in pieces for token in _tokens(piece)]
    return Completion(
        id=_id(speech),
        object="chat.completion",
        created=speech.started.state.time.seconds,
        model=model_of(speech.turn.session_id),
        choices=[
            Choice(
                index=0,
                message=Message(role="assistant", content=speech.reply.text, refusal=None),
                logprobs=_logprobs(speech, tokens),
                finish_reason=finish(speech.finished),
            )
        ],
        usage=_usage(speech.finished),
        emotional_ai=feeling(speech),
    )


async def chunks(speech: Speech) -> AsyncGenerator[Chunk, None]:
    """The answer as it is spoken: who speaks, then the text, then why it ended and the extension, then usage if asked for.

    Raises as `completion`, before the first chunk for whatever is wrong before the first word.
    """
    begun = False
    async with aclosing(_pieces(speech)) as pieces:
        async for piece in pieces:
            if not begun:
                yield _chunk(speech, Delta(role="assistant", content=""))
                begun = True
            yield _chunk(speech, Delta(content=piece.text), _logprobs(speech, _tokens(piece)))
    finished = speech.finished
    last = _chunk(speech, Delta() if begun else Delta(role="assistant", content=""), None, finish(finished))
    last["emotional_ai"] = feeling(speech)
    yield last
    if speech.turn.usage:
        counted = _chunk(speech, Delta())
        counted["choices"] = []
        counted["usage"] = _usage(finished)
        yield counted


async def _pieces(speech: Speech) -> AsyncGenerator[pb.ReplyText, None]:
    async for event in speech.reply:
        if event.WhichOneof("event") == "text":
            yield event.text


def _chunk(speech: Speech, delta: Delta, logprobs: Logprobs | None = None, finish_reason: str | None = None) -> Chunk:
    chunk = Chunk(
        id=_id(speech),
        object="chat.completion.chunk",
        created=speech.started.state.time.seconds,
        model=model_of(speech.turn.session_id),
        choices=[ChunkChoice(index=0, delta=delta, logprobs=logprobs, finish_reason=finish_reason)],
    )
    if speech.turn.usage:
        chunk["usage"] = None
    return chunk


def _id(speech: Speech) -> str:
    return f"chatcmpl-{speech.request_id}"


def _usage(finished: pb.ReplyFinished) -> Usage:
    read, written = finished.usage.prompt_tokens, finished.usage.completion_tokens
    return Usage(
        prompt_tokens=read,
        completion_tokens=written,
        total_tokens=read + written,
        prompt_tokens_details=CachedTokens(cached_tokens=finished.applied.reused_tokens),
    )


def _logprobs(speech: Speech, tokens: list[TokenLogprob]) -> Logprobs | None:
    return Logprobs(content=tokens, refusal=None) if speech.turn.sampling.logprobs else None


def _tokens(piece: pb.ReplyText) -> list[TokenLogprob]:
    """The tokens of a piece. Those that were held back until they made whole characters have no text of their own; the last
    of the piece has the text of all.
    """
    texts = [""] * (len(piece.logprobs) - 1) + [piece.text]
    return [
        TokenLogprob(token=text, bytes=list(text.encode()), logprob=max(logprob, UNLIKELY), top_logprobs=[])
        for text, logprob in zip(texts, piece.logprobs, strict=False)
    ]
