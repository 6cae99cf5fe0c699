"""Calls of the inference service."""

from collections.abc import Sequence
from typing import Any

from emotional_ai.calls.call import Effort, Unary, UnaryStream, new_request_id, unary
from emotional_ai.replies import ReplySoFar
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1.engine_pb2 import Chemistry, SessionConfig

Under = str | Chemistry | pb.ExplicitExpression
"""Under what a reply is spoken: the live state of a session by its id, a state, or a whole expression."""


def appraise(
    texts: str | Sequence[str], *, history: Sequence[pb.ChatMessage] = (), timeout: float | None = None
) -> Unary[Sequence[pb.Appraisal]]:
    """Which signals each text carries, in the light of the conversation so far; one appraisal per text, in order."""
    request = pb.AppraiseRequest(texts=[texts] if isinstance(texts, str) else texts, history=history)
    return unary(lambda on: on.inference.Appraise, request, lambda r: r.appraisals, effort=Effort.WORK, timeout=timeout)


def preview_expression(
    of: str | Chemistry, *, config: SessionConfig | None = None, timeout: float | None = None
) -> Unary[pb.Expression]:
    """How a session by its id, or a state (under `config`), would speak."""
    request = pb.PreviewExpressionRequest(config=config)
    if isinstance(of, str):
        request.session_id = of
    else:
        request.chemistry.CopyFrom(of)
    return unary(lambda on: on.inference.PreviewExpression, request, lambda r: r.expression, timeout=timeout)


def get_model(*, timeout: float | None = None) -> Unary[pb.GetModelResponse]:
    """Name, digest and limits of the language model, and whether it is ready."""
    return unary(lambda on: on.inference.GetModel, pb.GetModelRequest(), lambda r: r, timeout=timeout)


def get_load(*, timeout: float | None = None) -> Unary[pb.GetLoadResponse]:
    """How many replies are decoded and how many wait, and how many texts were appraised and understood, since it started."""
    return unary(lambda on: on.inference.GetLoad, pb.GetLoadRequest(), lambda r: r, timeout=timeout)


def list_adapters(*, timeout: float | None = None) -> Unary[Sequence[pb.Adapter]]:
    """The adapters that were published whole, in the order blends use; new ones appear as jobs end.

    `refused` says of one that blends cannot name why they cannot.
    """
    return unary(lambda on: on.inference.ListAdapters, pb.ListAdaptersRequest(), lambda r: r.adapters, timeout=timeout)


def generate(
    messages: str | Sequence[pb.ChatMessage],
    *,
    under: Under,
    sampling: pb.Sampling | None = None,
    kv_policy: pb.KvPolicy.ValueType = pb.KV_POLICY_UNSPECIFIED,
    fixed_blend: bool = False,
    timeout: float | None = None,
) -> UnaryStream[pb.GenerateResponse]:
    """A reply to the last message (a plain string is one message of the person); changes no session.

    Under a session the voice follows its state while it speaks, unless `fixed_blend`.
    """
    request = pb.GenerateRequest(
        messages=_messages(messages),
        sampling=sampling,
        kv_policy=kv_policy,
        fixed_blend=fixed_blend,
    )
    if isinstance(under, str):
        request.session_id = under
    elif isinstance(under, Chemistry):
        request.explicit.chemistry.CopyFrom(under)
    else:
        request.explicit.CopyFrom(under)
    return UnaryStream(lambda on: on.inference.Generate, request, timeout)


def replay(
    messages: str | Sequence[pb.ChatMessage],
    reply: ReplySoFar[Any],
    *,
    sampling: pb.Sampling | None = None,
    config: SessionConfig | None = None,
    timeout: float | None = None,
) -> UnaryStream[pb.GenerateResponse]:
    """Says a finished reply again: in the state it began in, with the voice it had at every token, and its seed.

    `messages` are those it answered: of a turn its history, then its text. What a reply's record does not hold is given here
    where it was set: `top_k`, `stop` and `logprobs`, in `sampling`, and the `config` of its session, on which the mood told to
    the model depends. Whether it comes out the same to the bit is the backend's affair. Raises ValueError for a reply that is
    not finished, or whose backend does not say with what it was spoken.
    """
    if reply.started is None or reply.finished is None or not reply.finished.applied.changes:
        raise ValueError("only a finished reply can be said again, by a backend that tells its `changes`")
    applied = reply.finished.applied
    again = pb.Sampling()
    if sampling is not None:
        again.CopyFrom(sampling)
    again.seed = applied.seed
    again.repetition_penalty, again.min_p = applied.repetition_penalty, applied.min_p
    again.max_tokens = reply.finished.usage.completion_tokens
    spoken_by = SessionConfig()
    if config is not None:
        spoken_by.CopyFrom(config)
    for lowers in ("intensity", "caps"):  # the levels told are those expressed, lowered already
        spoken_by.expression.ClearField(lowers)
    for said_by_the_changes in ("temperature", "top_p"):
        again.ClearField(said_by_the_changes)
    explicit = pb.ExplicitExpression(
        chemistry=reply.started.expression.chemistry,
        without_conditioning=not applied.conditioning,
        config=spoken_by,
        schedule=applied.changes,
    )
    request = pb.GenerateRequest(
        messages=_messages(messages), explicit=explicit, sampling=again, kv_policy=applied.kv_policy
    )
    return UnaryStream(lambda on: on.inference.Generate, request, timeout)


def converse(
    session_id: str,
    text: str,
    *,
    history: Sequence[pb.ChatMessage] = (),
    sampling: pb.Sampling | None = None,
    request_id: str = "",
    kv_policy: pb.KvPolicy.ValueType = pb.KV_POLICY_UNSPECIFIED,
    fixed_blend: bool = False,
    timeout: float | None = None,
) -> UnaryStream[pb.ConverseResponse]:
    """One turn: `text` moves the session, and a reply is spoken in the new state.

    The signals of one request_id apply once; one is made if none is given. The voice follows the state while it speaks, unless
    `fixed_blend`.
    """
    request = pb.ConverseRequest(
        session_id=session_id,
        text=text,
        history=history,
        sampling=sampling,
        request_id=request_id or new_request_id(),
        kv_policy=kv_policy,
        fixed_blend=fixed_blend,
    )
    return UnaryStream(lambda on: on.inference.Converse, request, timeout)


def _messages(messages: str | Sequence[pb.ChatMessage]) -> Sequence[pb.ChatMessage]:
    return [pb.ChatMessage(role=pb.ROLE_USER, content=messages)] if isinstance(messages, str) else messages
