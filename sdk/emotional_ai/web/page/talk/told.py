"""Turns and replies as the browser is told of them: plain lists and objects, and every text as it is."""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from emotional_ai import names
from emotional_ai.v1 import engine_pb2
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.conversation import Bounds, Grown, Part, Reply, Told, Turn, Voice
from emotional_ai.web.page import colours

Record = dict[str, object]
"""A JSON object."""
ELSEWHERE: Final = 50
"""Most that is told of what other clients did."""


def change(told: Told) -> Record:
    """What has changed in a conversation, by its kind."""
    match told:
        case Turn():
            return {"turn": turn(told)}
        case Grown():
            return {"grown": grown(told)}
        case Bounds():
            return {"bounds": bounds(told)}


def grown(told: Grown) -> Record:
    """What has come to a reply."""
    return {"key": told.key, "voices": voices(told.voices), "parts": parts(told.parts), "tokens": told.tokens}


def bounds(told: Bounds) -> Record:
    """The first turn kept, and the first sent along."""
    return {"kept": told.kept, "sent": told.sent}


def turn(told: Turn) -> Record:
    """A turn as it stands."""
    return {
        "number": told.number,
        "text": told.text,
        "max_tokens": told.sampling.max_tokens if told.sampling.HasField("max_tokens") else None,
        "heard": None if told.appraisal is None else heard(told.appraisal),
        "remembered": told.remembered,
        "replies": [reply(one) for one in (told.reply, *told.again)],
    }


def heard(told: pb.Appraisal) -> Record:
    """What the person's words carried."""
    return {
        "classified": told.classified,
        "signals": list(names.signals(told.signals).items()),
        "emotions": [(one.name, one.probability) for one in told.emotions],
    }


def elsewhere(entries: Iterable[engine_pb2.LogEntry], said: Collection[str]) -> list[Record]:
    """What other clients said to the session, or had it feel: requests with signals that were not `said` here, the newest."""
    strange = (
        {
            "sequence": one.sequence,
            "signals": list(names.signals(one.stimulus.event).items()),
            "note": one.stimulus.note,
        }
        for one in entries
        if one.stimulus.HasField("event") and one.request_id and one.request_id not in said
    )
    return list(deque(strange, maxlen=ELSEWHERE))


def reply(told: Reply) -> Record:
    """A reply as it stands."""
    return {
        "key": told.key,
        "supposed": None if told.supposed is None else told.supposed.name,
        "outcome": told.outcome.value,
        "failure": told.failure,
        "spoken": None if told.started is None else spoken(told.started),
        "voices": voices(told.tinted.voices if told.tinted else ()),
        "parts": parts(told.tinted.parts if told.tinted else ()),
        "tokens": told.tokens,
        "ended": None if told.finished is None else ended(told.finished),
    }


def spoken(told: pb.ReplyStarted) -> Record:
    """The state a reply was spoken in, and how it asked to be spoken."""
    expression = told.expression
    return {
        "version": told.state.version,
        "label": names.label(expression.label),
        "levels": names.levels(expression.chemistry),
        "valence": expression.valence,
        "arousal": expression.arousal,
        "temperature": expression.temperature,
        "top_p": expression.top_p,
        "seed": str(told.seed),
        "told": expression.conditioning + expression.gloss,
        "intensity": told.intensity,
        "flags": list(told.flags),
        "disclosed": told.disclosure.splitlines(),
    }


def ended(told: pb.ReplyFinished) -> Record:
    """How a reply ended, and who spoke it."""
    applied = told.applied
    return {
        "reason": pb.FinishReason.Name(told.reason).removeprefix("FINISH_REASON_").lower(),
        "tokens": told.usage.completion_tokens,
        "prompt_tokens": told.usage.prompt_tokens,
        "seconds": told.usage.total_seconds,
        "model": applied.model,
        "mode": pb.BlendMode.Name(applied.blend_mode).removeprefix("BLEND_MODE_").lower(),
    }


def voices(told: Sequence[Voice]) -> list[Record]:
    """Voices, each adapter with its weight and its colour."""
    return [
        {
            "token": one.token,
            "blend": [(name, weight, colours.adapter(name, place)) for place, (name, weight) in enumerate(one.blend)],
            "temperature": one.temperature,
            "top_p": one.top_p,
        }
        for one in told
    ]


def parts(told: Sequence[Part]) -> list[tuple[int, str]]:
    """Parts, each with the place of its voice."""
    return [(one.voice, one.text) for one in told]


def states(told: Sequence[pb.Adapter]) -> list[Record]:
    """The states at which one adapter speaks alone."""
    return [
        {"name": one.name, "levels": names.levels(one.prototype), "colour": colours.adapter(one.name, place)}
        for place, one in enumerate(told)
    ]
