"""The local Tinker-compatible server for tests, on the loopback interface, and what to send it.

tinker_service    serves in a thread of this process
tinker_http       a client of HTTP of one, without the SDK
training_data     sequences of several lengths, as the SDK sends them
"""

import asyncio
import gc
import socket
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import tinker
import torch
from tiny_model import write_tiny_model

from emotional_ai_training.tinker_server.engine import BaseModel, CheckpointStore, Engine, load_base
from emotional_ai_training.tinker_server.service import serving
from emotional_ai_training.tinker_server.serving import web_server
from emotional_ai_training.tinker_server.settings import ServerSettings

KEY = "tml-loopback"
PATIENCE = 100.0
"""Seconds a test waits for what must come."""
LEFT_OPEN = "ignore:Exception ignored in. <(socket|function _SelectorTransport):pytest.PytestUnraisableExceptionWarning"
"""For tests that use the SDK: it fetches its configuration over a connection of its own that it never closes."""


@contextmanager
def tinker_http(root: Path) -> Iterator[httpx.Client]:
    """A client of HTTP, with the key, of a server of a tiny model; both are kept below `root`."""
    with (
        tinker_service(base_model(write_tiny_model(root / "tiny")), root / "state") as served,
        httpx.Client(base_url=f"{served.base_url}/api/v1", headers={"x-api-key": KEY}, timeout=PATIENCE) as http,
    ):
        yield http


def base_model(directory: Path) -> BaseModel:
    """The checkpoint in `directory` in fp32 on the CPU."""
    return load_base(directory, torch.device("cpu"), torch.float32)


@dataclass(frozen=True, slots=True)
class Loopback:
    """A server, and a way to stop what it computes."""

    base_url: str
    engine: Engine

    def client(self, key: str = KEY) -> tinker.ServiceClient:
        """A client of it."""
        return tinker.ServiceClient(base_url=self.base_url, api_key=key)

    def rest(self) -> tinker.RestClient:
        """A client of what it stores."""
        return tinker.RestClient(base_url=self.base_url, api_key=KEY)


@contextmanager
def tinker_service(base: BaseModel, state: Path, *, max_queue: int = 256, max_runs: int = 64) -> Iterator[Loopback]:
    """Serves `base` until the context is left."""
    settings = ServerSettings(model=state, state=state, key=KEY, max_queue=max_queue, max_runs=max_runs)
    engine = Engine(base, CheckpointStore(state))
    listener = socket.create_server(("127.0.0.1", 0))
    stop: list[Callable[[], None]] = []
    started = threading.Event()

    async def live() -> None:
        async with serving(engine, settings) as service:
            server = web_server(service)
            loop = asyncio.get_running_loop()
            stop.append(lambda: loop.call_soon_threadsafe(setattr, server, "should_exit", True))
            started.set()
            await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    assert started.wait(PATIENCE), "the server did not start"
    try:
        yield Loopback(f"http://127.0.0.1:{listener.getsockname()[1]}", engine)
    finally:
        stop[0]()
        thread.join(PATIENCE)
        listener.close()
        collect_connections()
    assert not thread.is_alive(), "the server did not end"


def collect_connections() -> None:
    """Collects the connections the SDK leaves open, which would be warned of in whatever test comes next."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def sequences(lengths: Sequence[int], *, seed: int = 0, vocabulary: int = 250) -> list[list[int]]:
    """Random token sequences, one token longer than said, so that they can be shifted."""
    draw = np.random.default_rng(seed)
    return [draw.integers(0, vocabulary, length + 1).tolist() for length in lengths]


def training_data(lengths: Sequence[int] = (9, 30, 5, 17), *, seed: int = 0) -> list[tinker.Datum]:
    """Sequences to predict; the first two tokens of each weigh nothing."""
    return [
        tinker.Datum(
            model_input=tinker.ModelInput.from_ints(tokens[:-1]),
            loss_fn_inputs={"target_tokens": tokens[1:], "weights": [0.0, 0.0] + [1.0] * (len(tokens) - 3)},
        )
        for tokens in sequences(lengths, seed=seed)
    ]


def policy_data(lengths: Sequence[int] = (9, 30, 5), *, seed: int = 0) -> list[tinker.Datum]:
    """Sequences with what a sampler thought of them and advantages of both signs."""
    draw = np.random.default_rng(seed + 1)
    return [
        tinker.Datum(
            model_input=tinker.ModelInput.from_ints(tokens[:-1]),
            loss_fn_inputs={
                "target_tokens": tokens[1:],
                "logprobs": draw.uniform(-8, -4, len(tokens) - 1).astype(np.float32),
                "advantages": np.where(np.arange(len(tokens) - 1) < 2, 0, draw.normal(size=len(tokens) - 1)).astype(
                    np.float32
                ),
            },
        )
        for tokens in sequences(lengths, seed=seed)
    ]
