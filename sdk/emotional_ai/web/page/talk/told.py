"""Turns and replies as the browser is told of them: plain lists and objects, and every text as it is."""

from collections.abc import Sequence

from emotional_ai import names
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.conversation import Bounds, Grown, Part, Reply, Told, Turn, Voice
from emotional_ai.web.page import colours

Record = dict[str, object]
"""A JSON object."""


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
