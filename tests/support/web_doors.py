"""The doors of the page on a real server, in a thread of its own: for tests of what programs get by HTTP."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from google.protobuf.descriptor import ServiceDescriptor
from loopback import PATIENCE

from emotional_ai.web.doors import Upstream, connect_app
from emotional_ai.web.doors.connect import SERVICES


class _Doors(uvicorn.Server):
    """Says when it takes requests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.opened = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.opened.set()


@contextmanager
def doors(target: str, token: str | None = None, services: Sequence[ServiceDescriptor] = SERVICES) -> Iterator[str]:
    """Serves what lies behind `target`; yields http://host:port. At the end the way to the service is closed first."""
    closing = asyncio.Event()
    failure: list[BaseException] = []

    async def served(listener: socket.socket) -> None:
        upstream = Upstream(target, token)
        server.config.app = connect_app(upstream, services)
        serving = asyncio.create_task(server._serve([listener]))
        await asyncio.wait((serving, asyncio.create_task(closing.wait())), return_when=asyncio.FIRST_COMPLETED)
        await upstream.close()
        server.should_exit = True
        await serving

    def run(loop: asyncio.AbstractEventLoop, listener: socket.socket) -> None:
        try:
            loop.run_until_complete(served(listener))
        except BaseException as error:
            failure.append(error)
        finally:
            server.opened.set()
            loop.close()

    server = _Doors(uvicorn.Config(lambda: None, lifespan="off", log_config=None, timeout_graceful_shutdown=10))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=run, args=(loop, listener), daemon=True)
        thread.start()
        assert server.opened.wait(PATIENCE), "the doors did not open"
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(closing.set)
            thread.join(PATIENCE)
    if failure:
        raise failure[0]
