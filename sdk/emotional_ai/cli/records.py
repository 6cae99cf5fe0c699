"""Messages of the contract as JSON objects: names for enums, numbers for numbers, zeros kept."""

from collections.abc import Iterable

from emotional_ai.cli.output import Record
from emotional_ai.names import label, levels, moment, signals
from emotional_ai.v1 import engine_pb2, inference_pb2


def state(message: engine_pb2.EmotionalState) -> Record:
    """A state; its levels under "state", its mood if it has one."""
    return {
        "session": message.session_id,
        "time": moment(message.time),
        "simulated_minutes": message.simulated_minutes,
        "version": message.version,
        "state": levels(message.chemistry),
        "label": label(message.label),
        "valence": message.valence,
        "arousal": message.arousal,
        "sustained": signals(message.sustained),
        **({"mood": levels(message.mood)} if message.HasField("mood") else {}),
    }


def blend(weights: Iterable[inference_pb2.AdapterWeight]) -> dict[str, float | list[float]]:
    """Weights by name of the adapter; a list of them where there is one per layer."""
    return {one.adapter: list(one.layer_weights) or one.weight for one in weights}


def change(message: inference_pb2.BlendChange) -> Record:
    """A voice from a token on."""
    return {
        "token_index": message.token_index,
        "blend": blend(message.blend),
        "temperature": message.temperature,
        "top_p": message.top_p,
    }


def adapter(message: inference_pb2.Adapter) -> Record:
    """What an adapter is; "refused" says why it cannot be blended, and is empty if it can."""
    return {
        "name": message.name,
        "digest": message.digest,
        "base_model": message.base_model,
        "base_model_digest": message.base_model_digest,
        "prototype": levels(message.prototype),
        "scale": message.scale,
        "scale_calibrated": message.scale_calibrated,
        "rank": message.rank,
        "metrics": dict(sorted(message.metrics.items())),
        "refused": message.refused,
    }


def expression(message: inference_pb2.Expression) -> Record:
    """A way of speaking."""
    return {
        "state": levels(message.chemistry),
        "label": label(message.label),
        "valence": message.valence,
        "arousal": message.arousal,
        "blend": blend(message.blend),
        "temperature": message.temperature,
        "top_p": message.top_p,
        "tokens": message.conditioning,
        "gloss": message.gloss,
    }


def applied(message: inference_pb2.AppliedExpression) -> Record:
    """What a reply was really spoken with."""
    return {
        "temperature": message.temperature,
        "top_p": message.top_p,
        "repetition_penalty": message.repetition_penalty,
        "min_p": message.min_p,
        "conditioning": message.conditioning,
        "blend": blend(message.blend),
        "blend_mode": inference_pb2.BlendMode.Name(message.blend_mode).removeprefix("BLEND_MODE_").lower(),
        "seed": message.seed,
        "model": message.model,
        "model_digest": message.model_digest,
        "changes": [change(one) for one in message.changes],
        "kv_policy": inference_pb2.KvPolicy.Name(message.kv_policy).removeprefix("KV_POLICY_").lower(),
        "adapters": {one.adapter: one.digest for one in message.adapters},
        "reused_tokens": message.reused_tokens,
    }


def usage(message: inference_pb2.Usage) -> Record:
    """Tokens, and wall seconds."""
    return {
        "prompt_tokens": message.prompt_tokens,
        "completion_tokens": message.completion_tokens,
        "first_token_seconds": message.first_token_seconds,
        "total_seconds": message.total_seconds,
    }


def finish(reason: inference_pb2.FinishReason.ValueType) -> str:
    """Such as "stop"."""
    return inference_pb2.FinishReason.Name(reason).removeprefix("FINISH_REASON_").lower()


def appraisal(text: str, message: inference_pb2.Appraisal) -> Record:
    """What a text carries."""
    return {
        "text": text,
        "classified": message.classified,
        "signals": signals(message.signals),
        "valence": message.valence,
        "confidence": message.confidence,
        "emotions": {one.name: one.probability for one in message.emotions},
    }


def entry(message: engine_pb2.LogEntry) -> Record:
    """A log entry: what happened, and its numbers if it was a stimulus."""
    head: Record = {"sequence": message.sequence, "time": moment(message.time), "request_id": message.request_id}
    match message.WhichOneof("effect"):
        case "stimulus":
            return head | _stimulus(message.stimulus)
        case other:
            return head | {"what": other or "unknown"}


def _stimulus(message: engine_pb2.Stimulus) -> Record:
    match message.WhichOneof("effect"):
        case "event":
            return {"what": "event", "signals": signals(message.event), "note": message.note}
        case "sustained":
            held = message.sustained
            return {
                "what": "sustained",
                "signals": signals(held.signals),
                "minutes": held.duration_minutes,
                "note": message.note,
            }
        case "skip_minutes":
            return {"what": "skip", "minutes": message.skip_minutes, "note": message.note}
        case other:
            return {"what": other or "unknown"}
