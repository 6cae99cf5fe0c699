"""The member `emotional_ai` of an answer: the state before and after the words, and what the reply was spoken with."""

from collections.abc import Iterable
from typing import NotRequired, TypedDict

from emotional_ai.names import label, levels, moment, signals
from emotional_ai.v1 import engine_pb2
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.doors.openai.speaking import Speech

Blend = dict[str, float | list[float]]
"""Weights by name of the adapter; a list of them where there is one per layer."""


class State(TypedDict):
    """A state of a session."""

    time: str
    version: int
    chemistry: dict[str, float]
    label: str
    valence: float
    arousal: float
    mood: NotRequired[dict[str, float]]


class Change(TypedDict):
    """How the reply was spoken from a token on."""

    token_index: int
    blend: Blend
    temperature: float
    top_p: float


class Feeling(TypedDict):
    """What OpenAI's form of an answer has no place for. Blend, temperature and top_p are those of the first token.

    `disclosure` is what the person should be told, a line each; empty if nothing.
    """

    session: str
    before: State
    after: State
    label: str
    signals: dict[str, float]
    confidence: float
    blend: Blend
    blend_mode: str
    temperature: float
    top_p: float
    min_p: float
    repetition_penalty: float
    conditioning: str
    changes: list[Change]
    intensity: float
    flags: list[str]
    disclosure: str
    seed: int
    finish: str
    model: str
    model_digest: str
    request_id: str


def feeling(speech: Speech) -> Feeling:
    """What is told of a finished turn beside its words. Raises Refused if it is not finished."""
    after, applied = speech.started.state, speech.finished.applied
    heard = speech.reply.appraisal or pb.Appraisal()
    return Feeling(
        session=speech.turn.session_id,
        before=_state(speech.before),
        after=_state(after),
        label=label(after.label),
        signals=signals(heard.signals),
        confidence=heard.confidence,
        blend=_blend(applied.blend),
        blend_mode=pb.BlendMode.Name(applied.blend_mode).removeprefix("BLEND_MODE_").lower(),
        temperature=applied.temperature,
        top_p=applied.top_p,
        min_p=applied.min_p,
        repetition_penalty=applied.repetition_penalty,
        conditioning=applied.conditioning,
        changes=[_change(one) for one in applied.changes],
        intensity=speech.started.intensity,
        flags=list(speech.started.flags),
        disclosure=speech.started.disclosure,
        seed=applied.seed,
        finish=finish(speech.finished),
        model=applied.model,
        model_digest=applied.model_digest,
        request_id=speech.request_id,
    )


def finish(finished: pb.ReplyFinished) -> str:
    """Why a reply ended: "stop", or "length" if max_tokens cut it off; OpenAI's words are the same."""
    return pb.FinishReason.Name(finished.reason).removeprefix("FINISH_REASON_").lower()


def _state(message: engine_pb2.EmotionalState) -> State:
    state = State(
        time=moment(message.time),
        version=message.version,
        chemistry=levels(message.chemistry),
        label=label(message.label),
        valence=message.valence,
        arousal=message.arousal,
    )
    if message.HasField("mood"):
        state["mood"] = levels(message.mood)
    return state


def _change(message: pb.BlendChange) -> Change:
    return Change(
        token_index=message.token_index,
        blend=_blend(message.blend),
        temperature=message.temperature,
        top_p=message.top_p,
    )


def _blend(weights: Iterable[pb.AdapterWeight]) -> Blend:
    return {one.adapter: list(one.layer_weights) or one.weight for one in weights}
