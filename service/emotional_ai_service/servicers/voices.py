"""Conversions between the Inference contract's blends and the decoder's."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai_service.core.expression import Expression
from emotional_ai_service.decoding import BlendWeight
from emotional_ai_service.decoding.messages import Blend, BlendMode, KvPolicy, Voice, VoiceChange
from emotional_ai_service.errors import InvalidRequest, Violation
from emotional_ai_service.repertoire import Repertoire

POLICIES: Final = {
    pb.KV_POLICY_UNSPECIFIED: KvPolicy.REFRESH_AT_TURN,
    pb.KV_POLICY_KEEP: KvPolicy.KEEP,
    pb.KV_POLICY_REFRESH_AT_TURN: KvPolicy.REFRESH_AT_TURN,
    pb.KV_POLICY_STRICT: KvPolicy.STRICT,
}
POLICIES_TO: Final = {policy: number for number, policy in POLICIES.items() if number}
MODES: Final = {
    BlendMode.BASE: pb.BLEND_MODE_UNSPECIFIED,
    BlendMode.EXACT: pb.BLEND_MODE_EXACT,
    BlendMode.NEAREST: pb.BLEND_MODE_NEAREST,
    BlendMode.MIXTURE: pb.BLEND_MODE_MIXTURE,
    BlendMode.RESCORED: pb.BLEND_MODE_RESCORED,
}


def voice_of(expression: Expression, repertoire: Repertoire, sampling: pb.Sampling) -> Voice:
    """The voice of an expression: what of its blend there is to apply, and the numbers the caller set instead."""
    voice = Voice(repertoire.blend_of(expression.blend), expression.temperature, expression.top_p)
    return _as_set(voice, sampling)


def _as_set(voice: Voice, sampling: pb.Sampling) -> Voice:
    return replace(
        voice,
        temperature=sampling.temperature if sampling.HasField("temperature") else voice.temperature,
        top_p=sampling.top_p if sampling.HasField("top_p") else voice.top_p,
    )


def blend_from(weights: Sequence[pb.AdapterWeight], path: str) -> Blend:
    """A blend whose numbers are finite already. Raises InvalidRequest naming each field that makes it none."""
    times = Counter(one.adapter for one in weights)
    wrong: list[Violation] = []
    for index, one in enumerate(weights):
        if times[one.adapter] > 1:
            wrong.append(Violation(f"{path}[{index}].adapter", f"names {one.adapter!r}, which is named twice"))
        if one.layer_weights and one.weight:
            wrong.append(Violation(f"{path}[{index}].weight", "must be unset beside layer_weights"))
    if wrong:
        raise InvalidRequest(wrong)
    return tuple(BlendWeight(one.adapter, one.weight, tuple(one.layer_weights)) for one in weights)


def schedule_from(changes: Sequence[pb.BlendChange], path: str, sampling: pb.Sampling) -> tuple[VoiceChange, ...]:
    """Changes by rising token, with the numbers the caller set instead of theirs.

    Raises InvalidRequest naming each field that is out of range or order.
    """
    wrong: list[Violation] = []
    for index, change in enumerate(changes):
        at = f"{path}[{index}]"
        if index and change.token_index <= changes[index - 1].token_index:
            wrong.append(Violation(f"{at}.token_index", "must be greater than that of the change before"))
        if not 0 <= change.temperature <= 2:
            wrong.append(Violation(f"{at}.temperature", f"must be in [0, 2], got {change.temperature:g}"))
        if not 0 < change.top_p <= 1:
            wrong.append(Violation(f"{at}.top_p", f"must be in (0, 1], got {change.top_p:g}"))
    if wrong:
        raise InvalidRequest(wrong)
    return tuple(
        VoiceChange(
            change.token_index,
            _as_set(
                Voice(blend_from(change.blend, f"{path}[{index}].blend"), change.temperature, change.top_p), sampling
            ),
        )
        for index, change in enumerate(changes)
    )


def blend_to(blend: Iterable[BlendWeight]) -> list[pb.AdapterWeight]:
    """The contract's form of a blend."""
    return [pb.AdapterWeight(adapter=one.adapter, weight=one.weight, layer_weights=one.layers) for one in blend]


def change_to(change: VoiceChange) -> pb.BlendChange:
    """The contract's form of a change."""
    voice = change.voice
    return pb.BlendChange(
        token_index=change.token_index,
        blend=blend_to(voice.blend),
        temperature=voice.temperature,
        top_p=voice.top_p,
    )
