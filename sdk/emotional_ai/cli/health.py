"""health: whether a service takes calls, for probes of containers and scripts.

Asks by gRPC's own health protocol, whose one field is read here, so that a probe loads nothing but gRPC.
"""

from dataclasses import replace
from typing import Annotated, Final

import grpc
import typer

from emotional_ai.cli.output import CommandFailed, say
from emotional_ai.cli.reach import Target, named_service
from emotional_ai.connection import channel, is_local
from emotional_ai.credentials import Credentials
from emotional_ai.targets import addresses, joined

CHECK: Final = "/grpc.health.v1.Health/Check"
SERVING: Final = b"\x08\x01"
"""HealthCheckResponse(status=SERVING)."""
LONGEST: Final = 127
"""Bytes of a service's name whose length is told in one byte."""
Name = Annotated[
    str,
    typer.Option(
        "--service",
        metavar="NAME",
        help="One of the services: emotional_ai.v1.Inference takes no calls where there is no language.",
        show_default="the whole",
    ),
]
Within = Annotated[float, typer.Option("--within", min=0.1, max=60.0, help="Seconds it may take to answer.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(health)


def health(ctx: typer.Context, service: Name = "", within: Within = 3.0, target: Target = None) -> None:
    """Ask a service, or each of its replicas, whether it takes calls. Exit code 0 if it does, 1 if not; no token is needed."""
    named = named_service(ctx)
    problems = []
    for address in addresses(named.at(target)):
        try:
            taking = takes_calls(address, named.credentials, service=service, within=within)
        except ValueError as error:
            raise CommandFailed(str(error)) from error
        except grpc.RpcError as error:
            problems.append(f"{address} does not tell: {error.code().name} ({error.details()})")
            continue
        if taking:
            say(f"{address} takes calls")
        else:
            problems.append(f"{address} takes no calls{f' for {service}' if service else ' now'}")
    if problems:
        raise CommandFailed("\n".join(problems))


def takes_calls(target: str, credentials: Credentials, *, service: str = "", within: float) -> bool:
    """Whether a service says that it takes calls; it tells this without a token.

    Raises grpc.RpcError where it does not say within so many seconds, ValueError for a name or an address that no service has,
    and for credentials that do not fit together.
    """
    name = service.encode()
    if len(name) > LONGEST:
        raise ValueError(f"no service has a name of {len(name)} bytes; it has at most {LONGEST}")
    request = bytes((10, len(name))) + name if name else b""
    encryption = replace(credentials, token=None).of_channel(target)
    proxy = ("grpc.enable_http_proxy", 0 if is_local(target) else 1)
    with channel(joined(target), encryption, (proxy,)) as opened:
        answer = opened.unary_unary(CHECK, bytes, bytes)(request, timeout=within)
    return bool(answer == SERVING)
