"""TinkerDecoder: from a request to the events of a reply, and a session that is opened again when the server lost it."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from random import Random
from typing import TYPE_CHECKING, Final

from emotional_ai_service.decoding.errors import CannotFollow
from emotional_ai_service.decoding.messages import (
    BlendMode,
    Finished,
    GenerationEvent,
    GenerationRequest,
    ModelDescription,
    Started,
    Voice,
    VoiceChange,
)
from emotional_ai_service.decoding.tinker.choosing import BACKEND, Speakers
from emotional_ai_service.decoding.tinker.errors import SessionLost, TinkerStartFailed, TinkerUnavailable
from emotional_ai_service.decoding.tinker.planning import Plan, planned
from emotional_ai_service.decoding.tinker.settings import TinkerSettings
from emotional_ai_service.decoding.tinker.speaking import Spoken, spoken
from emotional_ai_service.workers import Load, Overloaded

if TYPE_CHECKING:
    from emotional_ai_service.decoding.tinker.connection import Connection
    from emotional_ai_service.decoding.tinker.wording import Wording

log = logging.getLogger(__name__)

FIRST_DELAY: Final = 0.5
LONGEST_DELAY: Final = 30.0
"""Wall seconds between two attempts to reach a server that lost the session; each wait is twice the one before."""


class TinkerDecoder:
    """Speaks on a Tinker server. `start` before use, `close` after.

    The same request with the same seed is sent with the same seed; whether a hosted service then draws the same is its own
    affair. A reply comes in one piece. One token of the context is kept for scoring.
    """

    def __init__(self, settings: TinkerSettings) -> None:
        self._settings = settings
        self._paths = {adapter.name: adapter.path for adapter in settings.adapters}
        self._speakers = Speakers(settings.margin, settings.sessions)
        self._wording: Wording | None = None
        self._connection: Connection | None = None
        self._description: ModelDescription | None = None
        self._reaching: asyncio.Task[None] | None = None
        self._replies: set[asyncio.Task[Spoken]] = set()
        self._under_way = 0
        self._typical_seconds = 1.0

    @property
    def ready(self) -> bool:
        return self._connection is not None and self._under_way < self._settings.capacity

    async def start(self) -> None:
        """Reads the tokenizer and opens the session. Raises TinkerStartFailed naming the setting that is wrong."""
        self._wording = await asyncio.to_thread(_wording, self._settings)
        connection = await self._connected()
        if connection.refused:
            await connection.close()
            raise TinkerStartFailed(_refusals(self._settings, connection.refused))
        self._connection = connection
        self._description = ModelDescription(
            name=self._settings.base_model,
            digest=digest_of_name(self._settings.base_model),
            context_length=connection.context_length - 1,
            backend=BACKEND,
            dtype="",
            modes=_modes(self._settings),
        )

    async def close(self) -> None:
        if self._reaching is not None:
            self._reaching.cancel()
            await asyncio.gather(self._reaching, return_exceptions=True)
        # None from here on, so that a reply that finds the session lost reaches for no other.
        connection, self._connection = self._connection, None
        replies = tuple(self._replies)
        for reply in replies:
            reply.cancel()
        await asyncio.gather(*replies, return_exceptions=True)
        if connection is not None:
            await connection.close()

    def describe(self) -> ModelDescription:
        if self._description is None:
            raise RuntimeError("the decoder was not started")
        return self._description

    def load(self) -> Load:
        """This service's own requests: how many of them wait at the server, and who else's, it does not say."""
        return Load(running=self._under_way)

    async def generate(
        self, request: GenerationRequest, voices: AsyncIterator[Voice] | None = None
    ) -> AsyncGenerator[GenerationEvent, None]:
        """As Decoder; raises CannotBlend and CannotFollow as `planned`, and CannotFollow for `voices`."""
        if voices is not None:
            raise CannotFollow(BACKEND)
        draw = Random(request.seed)
        settings = self._settings
        plan = planned(request, self._paths, settings.mode, settings.drafts, self._speakers, draw)
        connection, wording = self._admitted()
        plan.check(connection.refused)
        clock = asyncio.get_running_loop().time
        self._under_way += 1
        try:
            prompt = await asyncio.to_thread(wording.prompt, request, connection.context_length - 1)
            began = clock()
            yield Started(len(prompt))
            self._speakers.spoke(request.owner, plan.speaker)
            reply = await self._reply(connection, plan, prompt, request, draw)
            seconds = clock() - began
            self._typical_seconds += 0.1 * (seconds - self._typical_seconds)
            text, reason = await asyncio.to_thread(wording.text, reply.draft, request.stop, reply.logprobs)
            if text is not None:
                yield text
            yield Finished(
                reason,
                len(prompt),
                len(reply.draft.tokens),
                seconds,
                clock() - began,
                mode=plan.mode,
                changes=(VoiceChange(0, Voice(plan.blend, request.voice.temperature, request.voice.top_p)),),
                adapters=plan.adapters(self._paths),
                repetition_penalty=1.0,
                min_p=0.0,
            )
        finally:
            self._under_way -= 1

    def _admitted(self) -> "tuple[Connection, Wording]":
        if self._connection is None or self._wording is None:
            raise TinkerUnavailable("is not connected", FIRST_DELAY)
        if self._under_way >= self._settings.capacity:
            raise Overloaded("Tinker decoder", self._settings.capacity, max(self._typical_seconds, 0.1))
        return self._connection, self._wording

    async def _reply(
        self, connection: "Connection", plan: Plan, prompt: list[int], request: GenerationRequest, draw: Random
    ) -> Spoken:
        """The reply within `reply_seconds`; a wait that is cancelled, or takes longer, cancels the requests behind it."""
        task = asyncio.create_task(spoken(connection, plan, prompt, request, draw))
        self._replies.add(task)
        try:
            await asyncio.wait((task,), timeout=self._settings.reply_seconds)
            if not task.done():
                seconds = self._settings.reply_seconds
                raise TinkerUnavailable(f"did not answer within {seconds:g} s", self._typical_seconds)
            if task.cancelled():
                raise TinkerUnavailable("is being left: the decoder was closed", LONGEST_DELAY)
            return task.result()
        except SessionLost:
            self._reach_again(connection)
            raise
        finally:
            self._replies.discard(task)
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))

    def _reach_again(self, lost: "Connection") -> None:
        if self._connection is lost:
            self._connection = None
            self._reaching = asyncio.create_task(self._reach(lost))

    async def _reach(self, lost: "Connection") -> None:
        try:
            await lost.close()
        except Exception:  # whatever it is, it must not keep the next session from being opened
            log.exception("the session that was lost could not be ended")
        delay = FIRST_DELAY
        while True:
            try:
                self._connection = connection = await self._connected()
                if connection.refused:
                    log.warning("speaking again without some: %s", _refusals(self._settings, connection.refused))
            except TinkerStartFailed as error:
                log.warning("the Tinker server cannot be reached again yet: %s", error)
            except Exception:  # the decoder would stay without a session for ever
                log.exception("the Tinker server cannot be reached again yet")
            else:
                return
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    async def _connected(self) -> "Connection":
        from emotional_ai_service.decoding.tinker.connection import connect

        return await connect(self._settings)


def digest_of_name(name: str) -> str:
    """Stands for the digest of a base model whose weights are elsewhere; manifests of adapters trained there have the same."""
    return hashlib.sha256(f"model by name: {name}".encode()).hexdigest()


def _wording(settings: TinkerSettings) -> "Wording":
    """Blocks for the seconds it takes to import the tokenizer's library and the SDK."""
    from emotional_ai_service.decoding.tinker.wording import Wording

    return Wording(settings.model_dir)


def _refusals(settings: TinkerSettings, refused: Mapping[str, str]) -> str:
    said = "; ".join(f"{name}: {problem}" for name, problem in refused.items())
    return f"adapters: {settings.base_url} does not sample all of them; correct their paths or leave them out: {said}"


def _modes(settings: TinkerSettings) -> tuple[BlendMode, ...]:
    """Greedy replies are never resampled, see `planned`."""
    greedy = (BlendMode.NEAREST,) if settings.mode is BlendMode.RESCORED else ()
    return (BlendMode.BASE, *greedy, settings.mode)
