"""The session with the server: a sampler for the base model and one for each adapter. Every call of the SDK is made here.

The SDK blocks while it reaches a server, and retries so patiently that a failure looks like a hang: sessions are opened on
threads of their own and whoever waits sets a deadline. A cancelled wait cancels the request behind it.
"""

import asyncio
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, TypeVar, cast

import tinker

from emotional_ai_service.decoding.errors import AdapterRefused, PromptRefused
from emotional_ai_service.decoding.messages import GenerationRequest
from emotional_ai_service.decoding.tinker.choosing import BASE
from emotional_ai_service.decoding.tinker.errors import SessionLost, TinkerStartFailed, TinkerUnavailable
from emotional_ai_service.decoding.tinker.settings import TinkerSettings
from emotional_ai_training.tinker_api import explain, in_background

RETRY_SECONDS: Final = 2.0
LONG_RETRY_SECONDS: Final = 60.0
"""Hints to callers: what passes by itself, and what somebody has to mend."""
GOODBYE: Final = 5.0
"""Wall seconds the end of a session may take."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply as the server drew it."""

    tokens: tuple[int, ...]
    """The token that ended the turn included."""
    stopped: bool
    """Whether it ended by itself, not at max_tokens."""


class Connection:
    """The samplers of one session, by the names of adapters and BASE."""

    def __init__(
        self,
        service: tinker.ServiceClient,
        samplers: Mapping[str, tinker.SamplingClient],
        refused: Mapping[str, str],
        context_length: int,
    ) -> None:
        self._service = service
        self._samplers = samplers
        self.refused = refused
        """Adapters without a sampler, each with what the server says of it."""
        self.context_length = context_length
        """Tokens of prompt and reply together, at most."""

    async def sample(
        self, speaker: str, prompt: Sequence[int], request: GenerationRequest, seed: int, count: int
    ) -> tuple[Draft, ...]:
        """`count` replies of one speaker to a request; `seed` in [0, 2^31).

        Raises PromptRefused, AdapterRefused or TinkerUnavailable.
        """
        params = tinker.SamplingParams(
            max_tokens=request.max_tokens,
            seed=seed,
            stop=list(request.stop) or None,
            temperature=request.voice.temperature,
            top_k=request.sampling.top_k or -1,
            top_p=request.voice.top_p,
        )
        with _translated(speaker):
            answer = await self._samplers[speaker].sample(tinker.ModelInput.from_ints(list(prompt)), count, params)
        return tuple(Draft(tuple(one.tokens), one.stop_reason == "stop") for one in answer.sequences)

    async def logprobs(self, speaker: str, prompt: Sequence[int], reply: Sequence[int]) -> tuple[float, ...]:
        """Natural logarithm of the probability of each token of `reply` behind `prompt`, before any sampling rule.

        The server needs room for one token behind them. Raises PromptRefused, AdapterRefused or TinkerUnavailable.
        """
        if not reply:
            return ()
        given = tinker.ModelInput.from_ints([*prompt, *reply])
        with _translated(speaker):
            found = await self._samplers[speaker].compute_logprobs(given, prompt_logprobs_last_n=len(reply))
        told = tuple(value for value in found[-len(reply) :] if value is not None and math.isfinite(value))
        if len(told) != len(reply):
            raise TinkerUnavailable(f"scored {len(told)} of {len(reply)} tokens", RETRY_SECONDS)
        return told

    async def close(self) -> None:
        """Ends the session, in bounded time whatever happens."""
        # It may be unreachable by now; its end is a courtesy.
        with suppress(tinker.TinkerError, RuntimeError, OSError):
            async with asyncio.timeout(GOODBYE):
                await _elsewhere(lambda: self._service.close("success").result(GOODBYE))


async def connect(settings: TinkerSettings) -> Connection:
    """A session with a sampler for the base model and every adapter the server has; `refused` tells of the others.

    Raises TinkerStartFailed naming the setting that is wrong, or that the server cannot be reached in time.
    """
    opening = _Opening(settings)
    try:
        async with asyncio.timeout(settings.start_seconds):
            await _elsewhere(opening.run)
            return opening.take()
    except TimeoutError as error:
        raise TinkerStartFailed(
            f"base_url: nothing that speaks the Tinker API answered at {settings.base_url} within "
            f"{settings.start_seconds:g} s; check the address and that the server runs"
        ) from error
    finally:
        opening.leave()


class _Opening:
    """Opens a session on a thread; one that nobody takes is ended, whether it comes before or after who waited has left."""

    def __init__(self, settings: TinkerSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._left = False
        self._open: tuple[tinker.ServiceClient, Connection] | None = None

    def take(self) -> Connection:
        """The session that `run` opened, from now on the caller's to close."""
        with self._lock:
            if self._open is None:
                raise RuntimeError("no session was opened, or it was taken")
            (_, connection), self._open = self._open, None
            return connection

    def leave(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._left = True
            untaken, self._open = self._open, None
        if untaken is not None:  # the time ran out between its coming and its being taken
            in_background(lambda: _end(untaken[0]))

    def run(self) -> None:
        """Blocks until there is a session to take. Raises TinkerStartFailed."""
        settings = self._settings
        service = tinker.ServiceClient(base_url=settings.base_url, api_key=settings.api_key)
        try:
            connection = self._connected(service)
        except BaseException:
            _end(service)
            raise
        with self._lock:
            if not self._left:
                self._open = service, connection
                return
        _end(service)
        raise TinkerStartFailed("nobody waits for the session any more")

    def _connected(self, service: tinker.ServiceClient) -> Connection:
        settings = self._settings
        try:
            # The session first: a server that is away must not hold the lock all clients without one share.
            base = service.create_sampling_client(base_model=settings.base_model)
            rest = tinker.RestClient(base_url=settings.base_url, api_key=settings.api_key)
            served = rest.get_server_capabilities().result(settings.start_seconds).supported_models
            asked = {one.name: service.create_sampling_client(model_path=one.path) for one in settings.adapters}
        except (tinker.AuthenticationError, tinker.PermissionDeniedError) as error:
            raise TinkerStartFailed(f"api_key: {settings.base_url} refused it; set a key that server knows") from error
        except (tinker.TinkerError, ValueError, RuntimeError) as error:
            raise TinkerStartFailed(f"base_url: {settings.base_url} gave no session: {explain(error)}") from error
        context_length = _context_length(served, settings.base_model)
        samplers = {BASE: _base(base, settings)}
        refused: dict[str, str] = {}
        for name, future in asked.items():
            try:
                samplers[name] = _adapter(future, settings)
            except _Refused as error:
                refused[name] = str(error)
        return Connection(service, samplers, refused, context_length)


class _Refused(Exception):
    """The server gives no sampler; the message says why."""


def _base(future: tinker.APIFuture[tinker.SamplingClient], settings: TinkerSettings) -> tinker.SamplingClient:
    try:
        return _sampler(future, settings.start_seconds)
    except _Refused as error:
        raise TinkerStartFailed(f"base_model: {settings.base_model} cannot be sampled: {error}") from error


def _adapter(future: tinker.APIFuture[tinker.SamplingClient], settings: TinkerSettings) -> tinker.SamplingClient:
    sampler = _sampler(future, settings.start_seconds)
    if sampler.get_base_model() != settings.base_model:
        raise _Refused(f"it was trained on {sampler.get_base_model()}, not on {settings.base_model}")
    return sampler


def _sampler(future: tinker.APIFuture[tinker.SamplingClient], seconds: float) -> tinker.SamplingClient:
    try:
        return future.result(seconds)
    except (tinker.TinkerError, ValueError, RuntimeError, TimeoutError) as error:
        raise _Refused(explain(error)) from error


def _context_length(served: Sequence[tinker.types.SupportedModel], name: str) -> int:
    found = {one.model_name: one for one in served if one.model_name and one.sampleable is not False}
    if name not in found:
        raise TinkerStartFailed(
            f"base_model: this server does not sample {name}; set it to one of: {', '.join(sorted(found)) or 'none'}"
        )
    length = found[name].max_context_length
    if length is None:
        raise TinkerStartFailed(f"base_model: the server does not say how long a context {name} has")
    return length


@contextmanager
def _translated(speaker: str) -> Iterator[None]:
    """What the SDK raises for a request to a sampler, as what it means to the caller."""
    try:
        yield
    except (tinker.BadRequestError, tinker.UnprocessableEntityError) as error:
        raise PromptRefused(explain(error)) from error
    except (tinker.AuthenticationError, tinker.PermissionDeniedError) as error:
        raise TinkerUnavailable("does not know the key any more", LONG_RETRY_SECONDS) from error
    except (tinker.NotFoundError, tinker.ConflictError) as error:
        raise SessionLost(explain(error)) from error
    except tinker.RequestFailedError as error:
        if error.category is tinker.types.RequestErrorCategory.User:
            refusal = AdapterRefused(speaker, explain(error)) if speaker else PromptRefused(explain(error))
            raise refusal from error
        raise TinkerUnavailable(f"failed: {explain(error)}", RETRY_SECONDS) from error
    except (tinker.TinkerError, ValueError, RuntimeError, TimeoutError) as error:
        raise TinkerUnavailable(f"failed: {explain(error)}", RETRY_SECONDS) from error


def _end(service: tinker.ServiceClient) -> None:
    with suppress(tinker.TinkerError, RuntimeError, OSError):
        service.close("errored").result(GOODBYE)


async def _elsewhere(call: Callable[[], T]) -> T:
    """The result of a call that blocks, made on a thread that dies with the process."""
    # Shielded: what runs on the thread cannot be cancelled, and would find its future taken away.
    return await asyncio.shield(asyncio.wrap_future(cast("Future[T]", in_background(call))))
