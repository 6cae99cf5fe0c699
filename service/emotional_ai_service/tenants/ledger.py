"""Which rpcs change something, and what the audit log says of each call of them: no texts, no secrets."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message

from emotional_ai_service.access import SCOPES
from emotional_ai_service.access.guesses import address_of
from emotional_ai_service.callers import Scope, caller
from emotional_ai_service.errors import RateLimited
from emotional_ai_service.guard import Context
from emotional_ai_service.observing.call import call
from emotional_ai_service.refusal import known
from emotional_ai_service.tenants.audit import Audit

EXPORTS: Final = "emotional_ai.v1.EmotionEngine.ExportSession"
"""Changes nothing, and lets everything out."""
_ONLY_SPEAKS: Final = "emotional_ai.v1.Inference.Generate"
"""Needs what changes need, and changes nothing."""
CHANGES: Final = frozenset({name for name, scope in SCOPES.items() if scope is not Scope.READ} | {EXPORTS}) - {
    _ONLY_SPEAKS
}
"""The rpcs of which the audit log has a line."""
BEGINS: Final = frozenset(f"emotional_ai.v1.EmotionEngine.{name}" for name in ("CreateSession", "ImportSession"))
"""The rpcs that make sessions."""

LONGEST: Final = 128
"""Characters of an id that are written: as many as the contract allows, of one that was refused the first."""


class Entry:
    """What the lines of one method are made of, worked out once."""

    def __init__(self, method: MethodDescriptor) -> None:
        self.name = f"{method.containing_service.name}/{method.name}"
        self.has_request_id = "request_id" in method.input_type.fields_by_name
        self.asked = _names(method.input_type)
        self.answered = _names(method.output_type)


class Account:
    """What one call comes to; a stream leaves a line when it opens and one when it has ended."""

    def __init__(self, audit: Audit, entry: Entry, context: Context[Any, Any], request: Any = None) -> None:
        who, about = caller(), call()
        self._audit = audit
        self._entry = entry
        self._said: dict[str, str | int] = {
            "request_id": request.request_id[:LONGEST] if request is not None and entry.has_request_id else "",
            "call_id": about.request_id if about is not None else "",
            "tenant": who.tenant,
            "token": who.token_id,
            "peer": address_of(context.peer()),
            "method": entry.name,
        }
        if request is not None:
            self._name(request, entry.asked)

    def heard(self, request: Any) -> None:
        """A message of a stream. Raises AuditUnavailable for a batch that could not be told of."""
        match request.WhichOneof("message"):
            case "open" if "session" not in self._said:
                self._said["session"] = request.open.session_id[:LONGEST]
                self._audit.record(**self._said, code="OPEN")
            case "batch":
                self._audit.check()
                self._said["batches"] = int(self._said.get("batches", 0)) + 1

    async def done(self, response: Message | None = None) -> None:
        """The call was answered; returns once the answer may be sent."""
        if response is not None:
            self._name(response, self._entry.answered)
        await _written(self._audit.record(**self._said, code="OK"))

    async def failed(self, error: BaseException) -> None:
        """The call ended with an error, or its caller left. One that came too fast leaves no line: it could fill the disk."""
        if isinstance(error, RateLimited):
            return
        if not isinstance(error, Exception):
            self._audit.record(**self._said, code="CANCELLED")
            return
        told = known(error)
        code, reason = ("INTERNAL", "INTERNAL") if told is None else (told[0].name, told[1])
        await _written(self._audit.record(**self._said, code=code, reason=reason))

    def _name(self, message: Any, names: Sequence[tuple[str, str, str]]) -> None:
        """Takes the session or the job that a message is about."""
        for said, inside, name in names:
            if said not in self._said:
                about = getattr(message, inside) if inside else message
                if found := getattr(about, name):
                    self._said[said] = found[:LONGEST]


def _names(form: Descriptor) -> list[tuple[str, str, str]]:
    """Where a message names what it is about: what that is, the message inside that names it if it is one, and the field."""
    found = []
    for said, name, inside in (
        ("session", "session_id", "session"),
        ("job", "job_id", "job"),
        ("job", "resume_job_id", ""),
    ):
        if name in form.fields_by_name:
            found.append((said, "", name))
        within = form.fields_by_name.get(inside)
        if within is not None and within.message_type is not None and name in within.message_type.fields_by_name:
            found.append((said, inside, name))
    return found


async def _written(pending: asyncio.Future[None] | None) -> None:
    if pending is not None:
        await asyncio.shield(pending)
