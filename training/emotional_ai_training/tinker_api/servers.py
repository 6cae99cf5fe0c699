"""Where training takes place: a server by its address, or an embedded one that the command starts itself.

Both speak the same API to the same SDK; nothing else differs between them.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Protocol, Self

import tinker

from emotional_ai_training.tinker_api.deadlines import in_background, within
from emotional_ai_training.tinker_api.errors import KeyRefused, TinkerFailure
from emotional_ai_training.tinker_server.process import LocalServer
from emotional_ai_training.tinker_server.settings import Dtype

log = logging.getLogger(__name__)

GOODBYE: Final = 5.0
"""Wall seconds the end of a session may take."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens (None: the hosted service) and the key it knows."""

    base_url: str | None
    api_key: str = field(repr=False)

    def __str__(self) -> str:
        return self.base_url or "hosted Tinker"


class TinkerServer(Protocol):
    """A server to train on."""

    def address(self) -> Address:
        """Where it listens now; an embedded server that has ended is started again."""
        ...

    def alive(self) -> bool:
        """Whether waiting for it makes sense."""
        ...


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """A server somebody else runs: hosted Tinker, or a compatible one at an address."""

    where: Address

    def address(self) -> Address:
        """Where it listens."""
        return self.where

    def alive(self) -> bool:
        """True: only its answers tell."""
        return True


class EmbeddedServer:
    """The local Tinker-compatible server as a child of this process, for as long as it is entered.

    Checkpoints live in `state`, so a server that died is started again where it was.
    """

    def __init__(self, model: Path, state: Path, threads: int | None = None, dtype: Dtype = Dtype.AUTO) -> None:
        self._model, self._state, self._threads, self._dtype = model, state, threads, dtype
        self._server: LocalServer | None = None

    def address(self) -> Address:
        """Where it listens; started if it is not running. Raises ServerStartFailed with its log."""
        if self._server is not None and not self._server.alive():
            log.warning("the embedded server has ended; starting it again")
            self._server.stop()
            self._server = None
        if self._server is None:
            self._server = LocalServer(self._model, self._state, threads=self._threads, dtype=self._dtype)
            self._server.start()
        return Address(self._server.base_url, self._server.api_key)

    def alive(self) -> bool:
        """Whether the child runs."""
        return self._server is not None and self._server.alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.stop()


@contextmanager
def session(server: TinkerServer) -> Iterator[tinker.ServiceClient]:
    """A session with the server, ended in bounded time whatever happens. Raises KeyRefused if the key is not known."""
    where = server.address()
    try:
        client = tinker.ServiceClient(base_url=where.base_url, api_key=where.api_key)
    except tinker.TinkerError as error:
        raise KeyRefused(str(where)) from error
    status: Literal["success", "errored", "interrupted"] = "errored"
    try:
        yield client
        status = "success"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    except (tinker.AuthenticationError, tinker.PermissionDeniedError) as error:
        raise KeyRefused(str(where)) from error
    finally:
        # The session may be unreachable by now; its end is a courtesy.
        with suppress(tinker.TinkerError, TinkerFailure, OSError):
            ended = in_background(lambda: client.close(status).result())
            within(ended, GOODBYE, "ending the session", server.alive)


def rest_client(server: TinkerServer, seconds: float) -> tinker.RestClient:
    """A client of what the server stores. Raises KeyRefused, or DeadlineExceeded after `seconds` wall seconds."""
    where = server.address()
    reached = in_background(lambda: tinker.RestClient(base_url=where.base_url, api_key=where.api_key))
    try:
        return within(reached, seconds, f"reaching {where}", server.alive)
    except (tinker.AuthenticationError, tinker.PermissionDeniedError) as error:
        raise KeyRefused(str(where)) from error
