"""Conversions between the Inference contract and what the language side understands."""

import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai_service.appraisal import Appraisal
from emotional_ai_service.callers import caller
from emotional_ai_service.core.expression import Expression
from emotional_ai_service.decoding import (
    Finished,
    FinishReason,
    GenerationRequest,
    Message,
    ModelDescription,
    Role,
    Sampling,
    Text,
)
from emotional_ai_service.decoding.messages import (
    DEFAULT_MAX_TOKENS,
    DEFAULT_MIN_P,
    DEFAULT_REPETITION_PENALTY,
    Voice,
    VoiceChange,
)
from emotional_ai_service.servicers.voices import MODES, POLICIES, POLICIES_TO, blend_to, change_to
from emotional_ai_service.wire import label_of, levels_to, signals_to

ROLES: Final = {pb.ROLE_SYSTEM: Role.SYSTEM, pb.ROLE_USER: Role.USER, pb.ROLE_ASSISTANT: Role.ASSISTANT}
REASONS: Final = {
    FinishReason.STOP: pb.FINISH_REASON_STOP,
    FinishReason.LENGTH: pb.FINISH_REASON_LENGTH,
}


def messages_from(history: Iterable[pb.ChatMessage]) -> tuple[Message, ...]:
    """Messages of a conversation, oldest first."""
    return tuple(Message(ROLES[message.role], message.content) for message in history)


def said_by_person(history: Iterable[pb.ChatMessage]) -> list[str]:
    """What the person said in a conversation, oldest first."""
    return [message.content for message in history if message.role == pb.ROLE_USER]


def seed_of(sampling: pb.Sampling) -> int:
    """The seed the caller set, or a fresh one, which the reply will name."""
    return sampling.seed if sampling.HasField("seed") else secrets.randbits(63)


def most_tokens(sampling: pb.Sampling) -> int:
    """Tokens a reply may have."""
    return sampling.max_tokens if sampling.HasField("max_tokens") else DEFAULT_MAX_TOKENS


def generation_of(
    messages: tuple[Message, ...],
    sampling: pb.Sampling,
    voice: Voice,
    seed: int,
    *,
    conditioning: str,
    kv_policy: pb.KvPolicy.ValueType,
    schedule: tuple[VoiceChange, ...] = (),
    session: str = "",
) -> GenerationRequest:
    """What the decoder is asked for: a voice, and what the caller set."""
    return GenerationRequest(
        messages=messages,
        seed=seed,
        conditioning=conditioning,
        sampling=Sampling(
            temperature=voice.temperature,
            top_k=sampling.top_k,
            top_p=voice.top_p,
            repetition_penalty=(
                sampling.repetition_penalty if sampling.HasField("repetition_penalty") else DEFAULT_REPETITION_PENALTY
            ),
            min_p=sampling.min_p if sampling.HasField("min_p") else DEFAULT_MIN_P,
        ),
        max_tokens=most_tokens(sampling),
        stop=tuple(sampling.stop),
        logprobs=sampling.logprobs,
        blend=voice.blend,
        schedule=schedule,
        kv_policy=POLICIES[kv_policy],
        session=session,
        tenant=caller().tenant,
    )


def text_to(piece: Text) -> pb.ReplyText:
    """A piece of a reply."""
    return pb.ReplyText(
        text=piece.text, token_index=piece.token_index, token_count=piece.token_count, logprobs=piece.logprobs
    )


def finished_to(end: Finished, request: GenerationRequest, model: ModelDescription) -> pb.ReplyFinished:
    """The end of a reply, with exactly what it was spoken with."""
    return pb.ReplyFinished(
        reason=REASONS[end.reason],
        usage=pb.Usage(
            prompt_tokens=end.prompt_tokens,
            completion_tokens=end.completion_tokens,
            first_token_seconds=end.first_token_seconds,
            total_seconds=end.total_seconds,
        ),
        applied=_applied_to(end, request, model),
    )


def _applied_to(end: Finished, request: GenerationRequest, model: ModelDescription) -> pb.AppliedExpression:
    """Blend, temperature and nucleus mass are those of the first token; `changes` has those of every token."""
    voice = end.changes[0].voice if end.changes else replace(request.voice, blend=())
    return pb.AppliedExpression(
        temperature=voice.temperature,
        top_p=voice.top_p,
        repetition_penalty=(
            request.sampling.repetition_penalty if end.repetition_penalty is None else end.repetition_penalty
        ),
        min_p=request.sampling.min_p if end.min_p is None else end.min_p,
        conditioning=request.conditioning,
        blend=blend_to(voice.blend),
        blend_mode=MODES[end.mode],
        seed=request.seed,
        model=model.name,
        model_digest=model.digest,
        changes=map(change_to, end.changes),
        kv=[pb.KvSpan(position=span.position, blend=blend_to(span.blend)) for span in end.kv],
        kv_policy=POLICIES_TO[request.kv_policy] if end.kv else pb.KV_POLICY_UNSPECIFIED,
        adapters=[pb.AdapterVersion(adapter=one.adapter, digest=one.digest) for one in end.adapters],
        reused_tokens=end.reused_tokens,
    )


def appraisal_to(appraisal: Appraisal) -> pb.Appraisal:
    """The contract's form of an appraisal."""
    return pb.Appraisal(
        signals=signals_to(appraisal.signals),
        classified=appraisal.classified,
        confidence=appraisal.confidence,
        valence=appraisal.valence,
        emotions=[pb.TextEmotion(name=one.name, probability=one.probability) for one in appraisal.emotions],
    )


def expression_to(expression: Expression) -> pb.Expression:
    """The contract's form of an expression."""
    return pb.Expression(
        chemistry=levels_to(expression.levels),
        blend=[pb.AdapterWeight(adapter=share.adapter, weight=share.weight) for share in expression.blend],
        temperature=expression.temperature,
        top_p=expression.top_p,
        conditioning=expression.conditioning,
        gloss=expression.gloss,
        level_words=expression.level_words,
        label=label_of(expression.label),
        label_probabilities=[
            pb.LabelProbability(label=label_of(index), probability=probability)
            for index, probability in enumerate(expression.label_probabilities)
        ],
        valence=expression.valence,
        arousal=expression.arousal,
    )
