"""The service that runs, if one does: whether it lets this client in, and which model speaks."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc

from emotional_ai.cli.health import takes_calls
from emotional_ai.client import Client
from emotional_ai.connection import start_command
from emotional_ai.credentials import CA, TOKEN, Credentials, broken_encryption
from emotional_ai.errors import (
    DeadlineExceeded,
    EmotionalAIError,
    FailedPrecondition,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from emotional_ai_service.doctor.finding import Finding, ok, warn, wrong

PATIENCE = 3.0
"""Seconds the service may take to answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of asking."""

    findings: list[Finding] = field(default_factory=list)
    answers: bool = False
    """Whether it was a service of this kind that answered."""


def running(target: str, credentials: Credentials) -> Answer:
    """Asks the service at `target` how it is."""
    try:
        channel = credentials.of_channel(target)
    except ValueError as error:
        advice = f"set {TOKEN} and {CA}, or the flags --token and --ca, so that they fit together"
        return Answer([wrong("client", str(error), advice)])
    try:
        made = Client(target, credentials=channel, token=credentials.token)
    except ValueError as error:
        return Answer(
            [wrong("client", str(error), "name the service as HOST:PORT: emotional-ai --target HOST:PORT doctor")]
        )
    try:
        with made as client:
            return Answer(list(_asked(client, target)), answers=True)
    except (Unauthenticated, PermissionDenied) as error:
        advice = f"set {TOKEN} to a token of the service: emotional-ai tokens add makes one"
        return Answer([wrong("client", f"{target} does not let it in: {error.message}", advice)], answers=True)
    except (Unavailable, DeadlineExceeded) as error:
        return Answer([_silent(target, error, encrypted=credentials.encrypted)])
    except EmotionalAIError as error:
        said = f"{target} answers with {error.code.name}: {error.message}"
        return Answer([wrong("service", said, "look into its log")])


def health(target: str, credentials: Credentials) -> Iterator[Finding]:
    """What the service says of itself to whoever asks before sending calls there."""
    try:
        taking = takes_calls(target, credentials, within=PATIENCE)
    except grpc.RpcError as error:
        yield warn("health", f"{target} does not tell: {error.code().name}", "look into its log")
        return
    if taking:
        yield ok("health", f"{target} takes calls")
    else:
        yield warn("health", f"{target} takes no calls now: it is shutting down", start_command(target))


def _silent(target: str, error: Unavailable | DeadlineExceeded, *, encrypted: bool) -> Finding:
    if hint := broken_encryption(error.message, encrypted=encrypted):
        return wrong("client", f"{target} breaks the connection off", hint)
    return warn("service", f"nobody answers at {target}", start_command(target))


def _asked(client: Client, target: str) -> Iterator[Finding]:
    try:
        model = client.get_model(timeout=PATIENCE)
    except FailedPrecondition as error:
        if error.reason != "LANGUAGE_OFF":
            raise
        yield ok("service", f"{target} answers, without a language model")
        return
    said = f"{target} answers; {model.name} speaks ({', '.join(one for one in (model.backend, model.dtype) if one)})"
    if model.ready:
        yield ok("service", said)
    else:
        yield warn("service", f"{said}, and takes no reply now: it starts, or is full", "emotional-ai status")
