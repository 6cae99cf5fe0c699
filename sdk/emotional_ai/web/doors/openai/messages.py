"""The conversation of a request: the last message is the person's and is what is heard; the others are how it came to it."""

from collections.abc import Mapping
from typing import Final

from emotional_ai.limits import LONGEST_TEXT
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.doors.openai.given import Given, object_at, shown, text_at
from emotional_ai.web.doors.openai.refusals import Refused

ROLES: Final[Mapping[str, pb.Role.ValueType]] = {
    "system": pb.ROLE_SYSTEM,
    "developer": pb.ROLE_SYSTEM,
    "user": pb.ROLE_USER,
    "assistant": pb.ROLE_ASSISTANT,
}
"""Who speaks, by OpenAI's names."""
MOST: Final = 257
"""Messages the contract carries, the last one included."""
EMPTY: Final[Mapping[str, object]] = {"tool_calls": [], "annotations": []}
"""Members that an answer of ours has when it is sent back, by the value that says nothing."""


def conversation_of(given: Given) -> tuple[list[pb.ChatMessage], str]:
    """What was said before, oldest first, and what the person says now.

    An earlier reply of no words is left out. Raises Refused, naming the message, for one that cannot be carried.
    """
    every = given.elements("messages")
    if every is None:
        raise Refused("messages is missing", param="messages", code="missing_required_parameter")
    if not 1 <= len(every) <= MOST:
        raise Refused(f"messages must have 1..{MOST} messages, got {len(every)}", param="messages")
    said = [_message(object_at(f"messages[{index}]", one)) for index, one in enumerate(every)]
    last = said.pop()
    if last.role != pb.ROLE_USER:
        raise Refused(
            f'messages[{len(every) - 1}].role must be "user": the last message is what the agent hears and answers',
            param=f"messages[{len(every) - 1}].role",
        )
    return [one for one in said if one.content], last.content


def _message(given: Given) -> pb.ChatMessage:
    role = _role(given)
    for name in given.names():
        if name not in ("role", "content") and given.value(name) != EMPTY.get(name):
            raise Refused(
                f"{given.path(name)} is not supported: a message has a role and a content of text",
                param=given.path(name),
                code="unsupported_parameter",
            )
    path, content = given.path("content"), _content(given)
    if len(content) > LONGEST_TEXT:
        raise Refused(f"{path} has {len(content)} characters; a message has at most {LONGEST_TEXT}", param=path)
    if not content and role != pb.ROLE_ASSISTANT:
        raise Refused(f"{path} is empty; a message says something", param=path)
    return pb.ChatMessage(role=role, content=content)


def _role(given: Given) -> pb.Role.ValueType:
    word, path = given.text("role"), given.path("role")
    if word is None:
        raise Refused(f"{path} is missing", param=path, code="missing_required_parameter")
    if word not in ROLES:
        raise Refused(
            f"{path} must be one of {', '.join(ROLES)}, got {shown(word)}", param=path, code="unsupported_value"
        )
    return ROLES[word]


def _content(given: Given) -> str:
    """The text of a message; parts of text are lines of it."""
    content = given.value("content")
    if not isinstance(content, list):
        if content is None:
            raise Refused(
                f"{given.path('content')} is missing", param=given.path("content"), code="missing_required_parameter"
            )
        return text_at(given.path("content"), content)
    return "\n".join(_part(object_at(f"{given.path('content')}[{index}]", part)) for index, part in enumerate(content))


def _part(given: Given) -> str:
    if given.text("type") != "text":
        raise Refused(
            f'{given.path("type")} must be "text", got {shown(given.value("type"))}: the agent reads text alone',
            param=given.path("type"),
            code="unsupported_value",
        )
    given.only(("type", "text"))
    text = given.text("text")
    if text is None:
        raise Refused(f"{given.path('text')} is missing", param=given.path("text"), code="missing_required_parameter")
    return text
