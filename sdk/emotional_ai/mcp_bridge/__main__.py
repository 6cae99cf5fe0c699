"""Reads flags and starts the bridge. Standard output belongs to the protocol; everything else goes to standard error."""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from emotional_ai.connection import DEFAULT_TARGET, service_address
from emotional_ai.credentials import CA, CLIENT_CERT, CLIENT_KEY, TOKEN, Credentials
from emotional_ai.mcp_bridge.settings import Settings, Toolset, toolset_names, toolsets
from emotional_ai.names import DEFAULT_SESSION, session_id

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

logger = logging.getLogger(__name__)

T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the bridge until its client leaves. Returns the exit status."""
    given = _parser().parse_args(arguments)
    if find_spec("mcp") is None:
        return _failed("the bridge needs the MCP SDK; install it with: pip install 'emotional-ai[mcp]'")
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO if given.verbose else logging.WARNING,
        format="%(levelname)s %(name)s: %(message)s",
    )
    from emotional_ai.mcp_bridge.autostart import log_file
    from emotional_ai.mcp_bridge.server import server

    try:
        bridge = server(_settings(given), log_file(Path.home()))
        listener = _listening(given.http)
    except (ValueError, OSError) as error:
        return _failed(str(error))
    try:
        asyncio.run(_over_stdio(bridge) if listener is None else _over_http(bridge, listener))
    except KeyboardInterrupt:
        return 130
    return 0


def _failed(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 1


def _ready(address: str) -> None:
    sys.stdout.write(f"ready {address}\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m emotional_ai.mcp_bridge",
        description="MCP bridge to the emotion engine: stdio, or streamable HTTP with --http. Over stdio the end of its input "
        f"ends it, and cancels what is in flight. A service that asks for a token is shown {TOKEN} of the environment.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--target",
        type=_argument(service_address),
        default=os.environ.get("EMOTIONAL_AI_TARGET") or DEFAULT_TARGET,
        metavar="HOST:PORT",
        help=f"service; default EMOTIONAL_AI_TARGET of the environment, or {DEFAULT_TARGET}",
    )
    parser.add_argument(
        "--session",
        type=_argument(session_id),
        default=DEFAULT_SESSION,
        metavar="ID",
        help="session of calls that name none",
    )
    parser.add_argument(
        "--toolsets",
        type=_argument(toolsets),
        default=frozenset({Toolset.EMOTION}),
        metavar="NAMES",
        help=f"tools to offer, separated by commas: {toolset_names()}; default emotion",
    )
    parser.add_argument("--read-only", action="store_true", help="offer only tools that change nothing")
    parser.add_argument("--autostart", action="store_true", help="start a service where none answers, on this machine")
    parser.add_argument("--http", type=_port, metavar="PORT", help="serve HTTP on 127.0.0.1; 0 takes a free port")
    told = Credentials.of(os.environ)
    for flag, variable, value, what in (
        (
            "--ca",
            CA,
            told.ca,
            "encrypt, and trust a service vouched for by these authorities, PEM, or `system`, or `none`",
        ),
        ("--client-cert", CLIENT_CERT, told.client_cert, "certificate shown to the service, PEM"),
        ("--client-key", CLIENT_KEY, told.client_key, "its key, PEM"),
    ):
        parser.add_argument(flag, default=value, metavar="FILE", help=f"{what}; default {variable} of the environment")
    parser.add_argument("--verbose", action="store_true", help="tell more on standard error")
    return parser


def _argument(read: Callable[[str], T]) -> Callable[[str], T]:
    """What reads the value of a flag, told to the parser in the words it raises."""

    def value(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return value


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number in 0..65535, got {text!r}")
    return int(text)


def _settings(given: argparse.Namespace) -> Settings:
    settings = Settings(
        target=given.target,
        session=given.session,
        toolsets=given.toolsets,
        read_only=given.read_only,
        autostart=given.autostart,
        credentials=Credentials(Credentials.of(os.environ).token, given.ca, given.client_cert, given.client_key),
    )
    settings.credentials.of_channel(settings.target)  # told now, not with the first call
    return settings


def _listening(port: int | None) -> socket.socket | None:
    """Takes the port, where one is named. Raises OSError if it cannot be had."""
    if port is None:
        return None
    from emotional_ai.mcp_bridge import http

    return http.listening(port)


async def _over_http(bridge: "Server[Any]", listener: socket.socket) -> None:
    from emotional_ai.mcp_bridge import http

    await http.serve(bridge, listener, _ready)


async def _over_stdio(bridge: "Server[Any]") -> None:
    from emotional_ai.mcp_bridge import stdio

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # The thread that waits for standard input can be interrupted by nothing else.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        async with stdio.streams() as (reading, writing):
            await bridge.run(reading, writing, bridge.create_initialization_options())
    except* BrokenPipeError:
        logger.info("the client left without waiting for an answer")


if __name__ == "__main__":
    sys.exit(main())
