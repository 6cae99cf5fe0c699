"""What a request for a completion comes to: one turn of a conversation with a session."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emotional_ai.limits import GREATEST_SEED, MOST_TOKENS
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.doors.openai.given import Given, text_at
from emotional_ai.web.doors.openai.messages import conversation_of
from emotional_ai.web.doors.openai.model_names import session_named
from emotional_ai.web.doors.openai.refusals import Refused
from emotional_ai.web.doors.openai.unsupported import HARMLESS, UNSUPPORTED, refuse_unsupported

EXTENSION: Final = "emotional_ai"
"""The member that holds what OpenAI's form has no place for, of a request and of an answer."""
SUPPORTED: Final = frozenset(
    {
        *("model", "messages", "user", "max_tokens", "max_completion_tokens", "temperature", "top_p", "seed", "stop"),
        *("logprobs", "stream", "stream_options", EXTENSION),
    }
)
"""Parameters that have a meaning here."""
EXTENSIONS: Final = ("fixed_blend", "kv_policy", "top_k", "min_p", "repetition_penalty")
"""Members of the extension of a request."""
POLICIES: Final[Mapping[str, pb.KvPolicy.ValueType]] = {
    "keep": pb.KV_POLICY_KEEP,
    "refresh_at_turn": pb.KV_POLICY_REFRESH_AT_TURN,
    "strict": pb.KV_POLICY_STRICT,
}
MOST_STOPS: Final = 8
LONGEST_STOP: Final = 64
SEED_BITS: Final = 53
"""Bits of a seed that is drawn here: every language reads such a number from JSON as it is, and can send it back."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: who is spoken to, what is said, and how the reply is wanted."""

    session_id: str
    history: Sequence[pb.ChatMessage]
    """What was said before, oldest first."""
    text: str
    """What the person says now."""
    sampling: pb.Sampling
    kv_policy: pb.KvPolicy.ValueType
    fixed_blend: bool
    stream: bool
    """Whether the reply is wanted piece by piece."""
    usage: bool
    """Whether a stream is to end with the count of its tokens."""


def turn_of(given: Given, default_session: str) -> Turn:
    """The turn a request asks for. Raises Refused, naming the parameter, for what is wrong with it or is not supported."""
    refuse_unsupported(given)
    _refuse_unknown(given)
    extension = given.inner(EXTENSION) or Given({}, EXTENSION)
    extension.only(EXTENSIONS)
    session_id = session_named(given, default_session)
    history, text = conversation_of(given)
    stream = given.flag("stream")
    return Turn(
        session_id=session_id,
        history=history,
        text=text,
        sampling=_sampling(given, extension),
        kv_policy=extension.choice("kv_policy", POLICIES) or pb.KV_POLICY_UNSPECIFIED,
        fixed_blend=extension.flag("fixed_blend"),
        stream=stream,
        usage=_usage(given, stream=stream),
    )


def _refuse_unknown(given: Given) -> None:
    for name in given.names():
        if name in EXTENSIONS:
            words = f"unknown parameter: {name}; it is a member of {EXTENSION} here"
            raise Refused(words, param=name, code="unknown_parameter")
    given.only(SUPPORTED | HARMLESS, UNSUPPORTED)


def _sampling(given: Given, extension: Given) -> pb.Sampling:
    seed = given.whole("seed", 0, GREATEST_SEED)
    return pb.Sampling(
        max_tokens=_max_tokens(given),
        seed=secrets.randbits(SEED_BITS) if seed is None else seed,
        temperature=given.number("temperature", 0, 2),
        top_p=given.number("top_p", 0, 1, above=True),
        top_k=extension.whole("top_k", 0, 1000) or 0,
        min_p=extension.number("min_p", 0, 1, below=True),
        repetition_penalty=extension.number("repetition_penalty", 1, 2),
        stop=_stop(given),
        logprobs=given.flag("logprobs"),
    )


def _max_tokens(given: Given) -> int | None:
    """Both names mean the same here; OpenAI's older models know the one, its newer the other."""
    old, new = (given.whole(name, 1, MOST_TOKENS) for name in ("max_tokens", "max_completion_tokens"))
    if old is not None and new is not None and old != new:
        words = f"max_tokens is {old} and max_completion_tokens is {new}; they mean the same: give one"
        raise Refused(words, param="max_tokens")
    return old if new is None else new


def _stop(given: Given) -> list[str]:
    if isinstance(given.value("stop"), str):
        stops = [("stop", given.value("stop"))]
    else:
        stops = [(f"stop[{index}]", one) for index, one in enumerate(given.elements("stop") or ())]
    if len(stops) > MOST_STOPS:
        raise Refused(f"stop has {len(stops)} strings; there are at most {MOST_STOPS}", param="stop")
    return [_one_stop(path, value) for path, value in stops]


def _one_stop(path: str, value: object) -> str:
    text = text_at(path, value)
    if not 1 <= len(text) <= LONGEST_STOP:
        raise Refused(f"{path} must have 1..{LONGEST_STOP} characters, got {len(text)}", param=path)
    return text


def _usage(given: Given, *, stream: bool) -> bool:
    options = given.inner("stream_options")
    if options is None:
        return False
    if not stream:
        raise Refused(
            "stream_options is for streams alone: give stream as true, or leave it out", param="stream_options"
        )
    options.only(("include_usage", "include_obfuscation"))
    if options.flag("include_obfuscation"):
        path = options.path("include_obfuscation")
        raise Refused(f"{path} is not supported: pieces are sent as they are", param=path, code="unsupported_parameter")
    return options.flag("include_usage")
