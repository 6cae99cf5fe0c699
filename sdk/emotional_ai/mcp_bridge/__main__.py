"""Reads flags and starts the bridge. Standard output belongs to the protocol; everything else goes to standard error."""

import argparse
import asyncio
import logging
import re
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from emotional_ai.connection import DEFAULT_TARGET
from emotional_ai.mcp_bridge.settings import Settings, Toolset
from emotional_ai.names import DEFAULT_SESSION

logger = logging.getLogger(__name__)


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
    try:
        asyncio.run(_served(_settings(given), given.http))
    except (ValueError, OSError) as error:
        return _failed(str(error))
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
        description="MCP bridge to the emotion engine: stdio, or streamable HTTP with --http.",
    )
    parser.add_argument("--target", default=DEFAULT_TARGET, metavar="HOST:PORT", help="service; default %(default)s")
    parser.add_argument(
        "--session", type=_session, default=DEFAULT_SESSION, metavar="ID", help="session of calls that name none"
    )
    parser.add_argument(
        "--toolsets",
        type=_toolsets,
        default=frozenset({Toolset.EMOTION}),
        metavar="NAMES",
        help=f"tools to offer, separated by commas: {', '.join(one.value for one in Toolset)}; default emotion",
    )
    parser.add_argument("--read-only", action="store_true", help="offer only tools that change nothing")
    parser.add_argument("--autostart", action="store_true", help="start a service where none answers, on this machine")
    parser.add_argument("--http", type=_port, metavar="PORT", help="serve HTTP on 127.0.0.1; 0 takes a free port")
    parser.add_argument("--verbose", action="store_true", help="tell more on standard error")
    return parser


def _session(text: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", text) is None:
        raise argparse.ArgumentTypeError(
            "a session id has 1..128 characters of letters, digits, '-', '_', '.', ':', beginning with a letter or digit, "
            f"got {text[:40]!r} ({len(text)} characters)"
        )
    return text


def _toolsets(text: str) -> frozenset[Toolset]:
    there = [one.value for one in Toolset]
    given = {one.strip() for one in text.split(",") if one.strip()}
    unknown = sorted(given.difference(there))
    if unknown or not given:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown) or 'nothing'} is no toolset; there are {', '.join(there)}, separated by commas"
        )
    return frozenset(map(Toolset, given))


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number in 0..65535, got {text!r}")
    return int(text)


def _settings(given: argparse.Namespace) -> Settings:
    return Settings(
        target=given.target,
        session=given.session,
        toolsets=given.toolsets,
        read_only=given.read_only,
        autostart=given.autostart,
    )


async def _served(settings: Settings, port: int | None) -> None:
    from emotional_ai.mcp_bridge.autostart import log_file
    from emotional_ai.mcp_bridge.server import server

    bridge = server(settings, log_file(Path.home()))
    if port is not None:
        from emotional_ai.mcp_bridge import http

        await http.serve(bridge, port, _ready)
        return
    from mcp.server.stdio import stdio_server

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        # The thread that waits for standard input can be interrupted by nothing else.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        async with stdio_server() as (reading, writing):
            await bridge.run(reading, writing, bridge.create_initialization_options())
    except* BrokenPipeError:
        logger.info("the client left without waiting for an answer")


if __name__ == "__main__":
    sys.exit(main())
