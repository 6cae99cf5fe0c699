"""What a client is told when something cannot be done: `[CODE] what happened; what to do next`.

The text is read by a language model, which decides by it what to do.
"""

import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import grpc

from emotional_ai.connection import start_command
from emotional_ai.credentials import TOKEN, broken_encryption
from emotional_ai.errors import Cancelled, DeadlineExceeded, EmotionalAIError, ServiceFault, Unavailable, Violation
from emotional_ai.mcp_bridge.settings import Settings, Toolset

logger = logging.getLogger(__name__)
Code = grpc.StatusCode


class Refused(Exception):
    """A call cannot be carried out; the message says why and what to do. `code` is the gRPC status it is told with."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        self.code = code
        super().__init__(f"[{code.name}] {message}")


UNSURE: Final = (Cancelled, DeadlineExceeded, ServiceFault)
"""Errors that leave open whether what was asked has happened."""
MAYBE: Final = "it may have been applied: read the state before sending it again"
"""What to do about them where something was to change."""


ADVICE: Final[Mapping[grpc.StatusCode, str]] = {
    Code.CANCELLED: "call again if it is still wanted",
    Code.INVALID_ARGUMENT: "change what is named and call again",
    Code.OUT_OF_RANGE: "ask for less, or earlier",
    Code.NOT_FOUND: "check the id",
    Code.ALREADY_EXISTS: "choose another id",
    Code.PERMISSION_DENIED: "the service does not allow this to the bridge; ask whoever runs it",
    Code.UNAUTHENTICATED: "the service asks for credentials this bridge does not have; ask whoever runs it",
    Code.FAILED_PRECONDITION: "change what stands in the way, then call again",
    Code.ABORTED: "another writer was first: read the state again and decide anew",
    Code.RESOURCE_EXHAUSTED: "send less, or wait and call again",
    Code.UNAVAILABLE: "wait a moment and call again",
    Code.UNIMPLEMENTED: "the service at the bridge's target does not offer this; start one of this version",
}
"""What to do about each status; DEADLINE_EXCEEDED and the service's own faults have sentences of their own."""


@dataclass(frozen=True, slots=True)
class ByTool:
    """Advice that names a tool: for bridges that offer it."""

    toolset: Toolset
    text: str
    changing: bool = False
    """Whether the tool changes something."""


MAKE_SESSION: Final = ByTool(Toolset.EMOTION, "update_emotion with create_session makes one", changing=True)

BY_REASON: Final[Mapping[str, str | tuple[ByTool, ...]]] = {
    "SESSION_NOT_FOUND": (ByTool(Toolset.EMOTION, "list_emotion_sessions shows those there are"), MAKE_SESSION),
    "JOB_NOT_FOUND": (
        ByTool(Toolset.TRAINING, "get_training_status without a job_id shows the newest job"),
        ByTool(Toolset.TRAINING, "start_training begins one", changing=True),
    ),
    "JOB_ENDED": (ByTool(Toolset.TRAINING, "get_training_status tells how it ended"),),
    "JOB_NOT_RESUMABLE": (ByTool(Toolset.TRAINING, "start_training without resume_job_id begins anew", changing=True),),
    "NO_TOKEN": f"put one into {TOKEN} in the environment of the bridge, and start it again",
    "TOKEN_UNKNOWN": f"put another into {TOKEN} in the environment of the bridge, and start it again",
    "TOKEN_EXPIRED": f"put another into {TOKEN} in the environment of the bridge, and start it again",
    "SCOPE_MISSING": f"give the bridge a token that has it, as {TOKEN} in its environment",
    "LANGUAGE_OFF": "have it started without --engine-only",
    "PROMPT_TOO_LONG": "shorten the prompt, or ask for fewer max_tokens",
}
"""What to do about errors whose own advice speaks of rpcs."""


def advice(given: Sequence[ByTool], settings: Settings) -> str:
    """Advice as far as its tools are offered; empty if none is."""
    return "; ".join(one.text for one in given if settings.offers(one.toolset, changing=one.changing))


def report(error: EmotionalAIError, settings: Settings, *, changing: bool = False) -> str:
    """Puts an error of the client in words; a fault of the service goes to the log, whole, and is told with its id there.

    `changing` says that the call may have changed something before it failed.
    """
    return f"[{type(error).code.name}] {report_without_code(error, settings, changing=changing)}"


def report_without_code(
    error: EmotionalAIError, settings: Settings, *, changing: bool = False, argument: str = ""
) -> str:
    """As `report`, without the code; `argument` is the one that held the text, where one did."""
    code = type(error).code
    if isinstance(error, Unavailable) and not error.reason:
        happened = f"no emotion engine answers at {settings.target}"
        command = start_command(settings.target)
        what_to_do = broken_encryption(error.message, encrypted=settings.credentials.encrypted) or (
            "the next call that needs one starts it"
            if settings.autostart
            else f"start one with `{command}` and call again, or give the bridge --autostart"
        )
    elif isinstance(error, DeadlineExceeded):
        happened = "no answer in time" if error.reason == "" else error.message
        what_to_do = "the engine may be busy: call again"
    elif isinstance(error, ServiceFault):
        happened = f"the emotion engine failed (id {logged(error)})"
        what_to_do = "details are on the bridge's standard error and in the engine's log"
    else:
        happened, what_to_do = _said(error, argument), _by_reason(error, settings) or ADVICE[code]
    if changing and isinstance(error, UNSURE):
        what_to_do = f"{MAYBE}; {what_to_do}" if isinstance(error, ServiceFault) else MAYBE
    return f"{happened.rstrip('.')}; {what_to_do}{_waiting(error)}"


def crashed(error: Exception) -> str:
    """What is told of a fault of the bridge itself; the rest goes to standard error."""
    return f"[INTERNAL] the bridge failed (id {logged(error)}); details are on its standard error"


def logged(error: Exception) -> str:
    """Writes an error to the log, whole, and returns the id it has there."""
    identity = uuid.uuid4().hex[:12]
    logger.error("fault %s", identity, exc_info=error)
    return identity


def _by_reason(error: EmotionalAIError, settings: Settings) -> str:
    given = BY_REASON.get(error.reason, "")
    return given if isinstance(given, str) else advice(given, settings)


def _said(error: EmotionalAIError, argument: str) -> str:
    if error.violations:
        return "; ".join(_violated(one, argument) for one in error.violations)
    # What follows the first clause of a message with a reason known here is advice for programs.
    return error.message.partition(";")[0] if error.reason in BY_REASON else error.message


def _violated(one: Violation, argument: str) -> str:
    """A violation in the words of a tool: the service counts the texts of a request, a tool has one."""
    field = argument if argument and one.field.startswith("text") else one.field
    return f"{field} {re.sub(r'^text [0-9]+ ', '', one.description)}"


def _waiting(error: EmotionalAIError) -> str:
    seconds = error.retry_after
    return "" if seconds is None else f" in about {max(seconds, 0.1):.1f} s"
