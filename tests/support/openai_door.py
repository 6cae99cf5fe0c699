"""OpenAI's API over a service, for tests: the routes alone, on a real web server in a thread of its own.

with door(address) as url, OpenAI(base_url=url, api_key="none") as client: ...
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from loopback import PATIENCE
from starlette.applications import Starlette

from emotional_ai import AsyncClient
from emotional_ai.names import DEFAULT_SESSION
from emotional_ai.web.doors.openai import routes


@contextmanager
def door(target: str, session: str = DEFAULT_SESSION) -> Iterator[str]:
    """Serves the routes over the service at `target`; yields the base URL for clients."""
    servers: list[uvicorn.Server] = []
    failures: list[BaseException] = []
    ready = threading.Event()

    async def served(listener: socket.socket) -> None:
        async with AsyncClient(target) as client:
            app = Starlette(routes=routes(client, session))
            config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=2)
            servers.append(uvicorn.Server(config))
            ready.set()
            await servers[0].serve(sockets=[listener])

    def run(listener: socket.socket) -> None:
        try:
            asyncio.run(served(listener))
        except BaseException as error:
            failures.append(error)
        finally:
            ready.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, args=(listener,), name="openai door", daemon=True)
        thread.start()
        assert ready.wait(PATIENCE), "the door did not open"
        try:
            if not failures:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            for server in servers:
                server.should_exit = True
            thread.join(PATIENCE)
    if failures:
        raise failures[0]
