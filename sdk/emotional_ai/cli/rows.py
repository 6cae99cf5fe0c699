"""The lines of the files of `generate`: one JSON object each.

A row has `prompt` (a string) or `messages` (a list of {"role": "system" | "user" | "assistant", "content": "..."}), and may
have `state` (levels by chemical, those left out at the default baseline) or `session`, and `seed`, `max_tokens`,
`temperature`, `top_p`, `top_k`, `min_p`, `repetition_penalty`, `stop`, `without_conditioning`, and `blend`: weights by adapter,
each a number or a list of one per layer, instead of the state's own. What else it has is carried along.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotional_ai.cli.output import CommandFailed
from emotional_ai.cli.shapes import Malformed, Node, check_finite, parsed, shown
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1.engine_pb2 import Chemistry

BASELINE: Final[Mapping[str, float]] = {"dopamine": 0.5, "serotonin": 0.6, "cortisol": 0.3, "oxytocin": 0.5}
"""The contract's default baseline: the state of a row that names none."""
ROLES: Final = {"system": pb.ROLE_SYSTEM, "user": pb.ROLE_USER, "assistant": pb.ROLE_ASSISTANT}
LINE: Final = "input_line"
"""Field of an answered row: the line of the input it answers."""
ADDED: Final = (LINE, "reply", "expression", "applied", "usage", "finish_reason")
"""Fields an answered row has beside those of the row."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row to generate a reply for."""

    line: int
    """Its line in the input, from 1."""
    given: Mapping[str, object]
    """The row as it stood."""
    messages: Sequence[pb.ChatMessage]
    under: str | pb.ExplicitExpression
    """A session, or a state."""
    sampling: pb.Sampling


def read_rows(text: str, path: Path, blend: Sequence[pb.AdapterWeight] = ()) -> list[Row]:
    """The rows of a file, blank lines left out; `blend` is that of rows under a state which name none.

    Raises CommandFailed naming each line that is wrong, and its field.
    """
    rows: list[Row] = []
    wrong: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_row(number, parsed(line), blend))
        except (Malformed, RecursionError) as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        more = f"\n  and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        raise CommandFailed(f"{path} has malformed rows; nothing was generated\n  " + "\n  ".join(wrong[:10]) + more)
    return rows


def _row(number: int, node: Node, blend: Sequence[pb.AdapterWeight]) -> Row:
    fields = node.fields()
    for name in ADDED:
        if name in fields:
            raise Malformed(name, "is a field of answered rows; name it otherwise")
    check_finite(node)
    given = {name: field.value for name, field in fields.items()}
    try:
        json.dumps(given, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("", f"holds text that is none: {error.reason}") from error
    return Row(number, given, _messages(node), _under(node, blend), _sampling(node))


def _messages(node: Node) -> Sequence[pb.ChatMessage]:
    prompt, messages = node.get("prompt"), node.get("messages")
    if (prompt is None) == (messages is None):
        raise Malformed("prompt", "give either `prompt` or `messages`")
    if prompt is not None:
        return [pb.ChatMessage(role=pb.ROLE_USER, content=_said(prompt))]
    assert messages is not None
    found = [_message(one) for one in messages.items()]
    if not found:
        raise Malformed("messages", "must hold at least one message")
    return found


def _message(node: Node) -> pb.ChatMessage:
    role = node["role"]
    if role.value not in ROLES:
        raise Malformed(role.path, f"must be one of {', '.join(ROLES)}, got {shown(role.value)}")
    return pb.ChatMessage(role=ROLES[role.text()], content=_said(node["content"]))


def _said(node: Node) -> str:
    text = node.text()
    if not text:
        raise Malformed(node.path, "must not be empty")
    return text


def _under(node: Node, blend: Sequence[pb.AdapterWeight]) -> str | pb.ExplicitExpression:
    session, state, bare = node.get("session"), node.get("state"), node.get("without_conditioning")
    own = node.get("blend")
    if session is not None:
        if any(field is not None for field in (state, bare, own)):
            raise Malformed("session", "cannot stand beside `state`, `blend` or `without_conditioning`")
        return session.text()
    levels = dict(BASELINE) | ({} if state is None else _levels(state))
    explicit = pb.ExplicitExpression(chemistry=Chemistry(**levels), blend=blend if own is None else _blend(own))
    if bare is not None:
        if not isinstance(bare.value, bool):
            raise Malformed(bare.path, f"must be true or false, got {shown(bare.value)}")
        explicit.without_conditioning = bare.value
    return explicit


def _blend(node: Node) -> list[pb.AdapterWeight]:
    return [
        pb.AdapterWeight(adapter=name, layer_weights=field.numbers())
        if isinstance(field.value, list)
        else pb.AdapterWeight(adapter=name, weight=field.number())
        for name, field in node.fields().items()
    ]


def _levels(node: Node) -> dict[str, float]:
    fields = node.fields()
    for name, field in fields.items():
        if name not in CHEMICALS:
            raise Malformed(field.path, f"is not a chemical; those are {', '.join(CHEMICALS)}")
        if not 0 <= field.number() <= 1:
            raise Malformed(field.path, f"must be in [0, 1], got {shown(field.value)}")
    return {name: field.number() for name, field in fields.items()}


def _sampling(node: Node) -> pb.Sampling:
    sampling = pb.Sampling(stop=[one.text() for one in node.listed("stop")])
    for name in ("temperature", "top_p", "min_p", "repetition_penalty"):
        field = node.get(name)
        if field is not None:
            setattr(sampling, name, field.number())
    for name in ("seed", "max_tokens", "top_k"):
        field = node.get(name)
        if field is not None:
            _set_whole(sampling, name, field)
    return sampling


def _set_whole(sampling: pb.Sampling, name: str, field: Node) -> None:
    try:
        setattr(sampling, name, field.whole())
    except ValueError as error:  # does not fit the contract's type
        raise Malformed(field.path, f"is out of range, got {shown(field.value)}") from error
