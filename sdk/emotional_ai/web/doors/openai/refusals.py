"""What a client is told when something cannot be done: OpenAI's error object, and the HTTP status its clients act on."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from emotional_ai.errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    EmotionalAIError,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    Unknown,
    Violation,
)

STATUSES: Final[Mapping[type[EmotionalAIError], int]] = {
    InvalidArgument: 400,
    OutOfRange: 400,
    FailedPrecondition: 400,
    NotFound: 404,
    AlreadyExists: 409,
    Aborted: 409,
    ResourceExhausted: 429,
    Internal: 500,
    Unknown: 500,
    DataLoss: 500,
    Unimplemented: 501,
    # The credentials the service asks for are this server's own: no key of the client helps.
    PermissionDenied: 502,
    Unauthenticated: 502,
    Cancelled: 503,
    Unavailable: 503,
    DeadlineExceeded: 504,
}
"""The HTTP status of every error a call can raise."""
BY_REASON: Final[Mapping[str, int]] = {"LANGUAGE_OFF": 501}
"""Statuses of causes that say more than their class."""
CODES: Final[Mapping[str, str]] = {"PROMPT_TOO_LONG": "context_length_exceeded"}
"""Causes that OpenAI has a code for, which clients look for; the code of another is its own name."""
IN_VAIN: Final = (501, 502)
"""Statuses from 500 on that trying again does not change; the official clients would."""
LATER: Final = (429, 503)
"""Statuses that say when to try again."""
SOON: Final = 1.0
"""Seconds to wait where the service does not say."""
NOBODY_ANSWERS: Final = "the emotional service cannot be reached; `emotional-ai serve` starts one"
NO_ANSWER: Final = "the emotional service did not answer in time; ask for fewer tokens, or try again"
SILENCE: Final[Mapping[type[EmotionalAIError], str]] = {Unavailable: NOBODY_ANSWERS, DeadlineExceeded: NO_ANSWER}
"""What is said where the service itself says nothing."""
HUNG_UP: Final = 499
"""Status of an answer nobody waits for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something cannot be done."""

    message: str
    status: int = 400
    param: str | None = None
    """Path of the parameter at fault, such as `messages[0].content`."""
    code: str | None = None
    """Constant name of the cause."""
    retry_after: float | None = None
    """Seconds to wait before trying again."""

    @property
    def type(self) -> str:
        """OpenAI's name for the kind of error."""
        if self.status == 429:
            return "rate_limit_error"
        return "server_error" if self.status >= 500 else "invalid_request_error"

    def body(self) -> dict[str, object]:
        """The error object."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def answer(self) -> Response:
        """The error object as an answer."""
        return answered(self.body(), self.status, self._headers())

    def _headers(self) -> dict[str, str]:
        headers = {"x-should-retry": "false"} if self.status in IN_VAIN else {}
        if self.retry_after is not None:
            headers["retry-after"] = str(max(math.ceil(self.retry_after), 1))
            headers["retry-after-ms"] = str(math.ceil(self.retry_after * 1000))
        return headers


class Refused(Exception):
    """A request that cannot be carried out as it is."""

    def __init__(
        self, message: str, *, param: str | None = None, code: str | None = "invalid_value", status: int = 400
    ) -> None:
        super().__init__(message)
        self.problem = Problem(message, status, param, code)


def problem_of(error: EmotionalAIError) -> Problem:
    """What to tell of an error of the service, or of the way to it."""
    status = BY_REASON.get(error.reason, STATUSES[type(error)])
    return Problem(
        message=_words(error),
        status=status,
        param=_param(error),
        code=CODES.get(error.reason, (error.reason or type(error).code.name).lower()),
        retry_after=(SOON if error.retry_after is None else error.retry_after) if status in LATER else None,
    )


def answered(body: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON object as an answer."""
    return Response(json.dumps(body), status, headers, "application/json")


def _words(error: EmotionalAIError) -> str:
    """What an error says, in the words of a conversation: the service counts the texts of a request, a turn has one."""
    if not error.reason and type(error) in SILENCE:
        return SILENCE[type(error)]
    if not any(one.field.startswith("text") for one in error.violations):
        return str(error)
    return "; ".join(_violated(one) for one in error.violations)


def _violated(one: Violation) -> str:
    field = "the last message" if one.field.startswith("text") else one.field
    return f"{field} {re.sub(r'^text [0-9]+ ', '', one.description)}"


def _param(error: EmotionalAIError) -> str | None:
    """The parameter that became the field a rule was broken by."""
    if error.reason in ("PROMPT_TOO_LONG", "PROMPT_REFUSED"):
        return "messages"
    for one in error.violations:
        if one.field.startswith(("text", "history")):
            return "messages"
        if one.field.startswith("sampling."):
            return one.field.removeprefix("sampling.")
    return None
