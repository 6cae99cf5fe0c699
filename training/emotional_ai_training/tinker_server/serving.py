"""Builds the server from its settings and runs it until it is told to stop."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterator

import torch
import uvicorn
from filelock import FileLock, Timeout

from emotional_ai_training.models import ModelError, check_model_dir, cpu_description
from emotional_ai_training.tinker_server.allocator import keep_freed_memory
from emotional_ai_training.tinker_server.application import application
from emotional_ai_training.tinker_server.engine import (
    BaseModel,
    CheckpointStore,
    Engine,
    load_base,
    native_dtype,
)
from emotional_ai_training.tinker_server.errors import NotServable
from emotional_ai_training.tinker_server.service import Service, serving
from emotional_ai_training.tinker_server.settings import Device, Dtype, ServerSettings


def serve(settings: ServerSettings, ready: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM; calls `ready` with the base URL once requests are taken. Raises NotServable."""
    with _state_held(settings), _listening(settings) as listener:
        keep_freed_memory()
        engine = Engine(_base(settings), CheckpointStore(settings.state))
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        asyncio.run(_run(engine, listener, settings, lambda: ready(f"http://{shown}:{port}")))


def web_server(service: Service) -> uvicorn.Server:
    """The web server over a service; it keeps idle connections longer than the SDK does."""
    config = uvicorn.Config(
        application(service),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


async def _run(engine: Engine, listener: socket.socket, settings: ServerSettings, ready: Callable[[], None]) -> None:
    async with serving(engine, settings) as service:
        server = web_server(service)
        parent = asyncio.create_task(_end_with_parent(server)) if settings.with_parent else None
        # The socket listens already: what comes before the server has started waits in its backlog.
        ready()
        await server.serve(sockets=[listener])
        if parent is not None:
            parent.cancel()


async def _end_with_parent(server: uvicorn.Server) -> None:
    """Ends the server once standard input has, which its parent holds open."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            ended.set()

    loop.add_reader(sys.stdin.fileno(), heard)
    await ended.wait()
    server.should_exit = True


@contextlib.contextmanager
def _state_held(settings: ServerSettings) -> Iterator[None]:
    """Holds the state directory for this process alone."""
    try:
        settings.state.mkdir(parents=True, exist_ok=True)
        lock = FileLock(settings.state / ".lock", timeout=0)
        with lock:
            yield
    except Timeout as error:
        raise NotServable(f"another server uses {settings.state}; give this one its own with --state") from error
    except OSError as error:
        raise NotServable(f"{settings.state} cannot hold the server's state: {error}") from error


@contextlib.contextmanager
def _listening(settings: ServerSettings) -> Iterator[socket.socket]:
    """A socket that listens where the settings say."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=512)
    except OSError as error:
        raise NotServable(f"cannot listen on {settings.host}:{settings.port}: {error}") from error
    with listener:
        yield listener


def _base(settings: ServerSettings) -> BaseModel:
    try:
        check_model_dir(settings.model)
    except ModelError as error:
        raise NotServable(str(error)) from error
    torch.set_num_threads(settings.threads or os.cpu_count() or 1)
    cuda = torch.cuda.is_available()
    if settings.device is Device.CUDA and not cuda:
        raise NotServable("torch sees no GPU; use --device cpu")
    device = torch.device("cuda" if cuda and settings.device is not Device.CPU else "cpu")
    match settings.dtype:
        case Dtype.FLOAT32:
            dtype = torch.float32
        case Dtype.BFLOAT16:
            dtype = torch.bfloat16
        case Dtype.AUTO:
            dtype = native_dtype(device, cpu_description())
    return load_base(settings.model, device, dtype)
