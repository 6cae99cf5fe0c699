"""The decoder on a vLLM server: a blend is one adapter of concatenated rank, loaded while the server runs.

A request's way: the prompt becomes tokens in the preparing process; its blend becomes a recipe of rounded weights; the shelf
finds a blend near enough on the server, or one is written and loaded; the server completes under the blend's name, and its
tokens become text here, by the same rules as the local decoder's.

A reply is spoken under one blend, so that every entry of the key-value cache is of that blend whatever the policy asked for:
vLLM keeps entries by the adapter's name and path, and ours name its content. Which of them it reuses it does not tell in
time, so Finished.reused_tokens is 0. Finished.changes holds the voice really used. That the server's weights are those of
`model_dir` is the operator's word.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass

from tokenizers import Tokenizer

from emotional_ai_service.decoding.errors import CannotBlend, CannotFollow
from emotional_ai_service.decoding.messages import (
    BlendMode,
    GenerationEvent,
    GenerationRequest,
    ModelDescription,
    Started,
    Voice,
)
from emotional_ai_service.decoding.vllm.asking import check_request, completion
from emotional_ai_service.decoding.vllm.blends import Blends
from emotional_ai_service.decoding.vllm.errors import (
    BUSY_SECONDS,
    BlendRefused,
    BlendsInUse,
    NotServed,
    ServerSilent,
    ServerUnfit,
)
from emotional_ai_service.decoding.vllm.fitness import Fitness, inspect
from emotional_ai_service.decoding.vllm.preparation import Answer, Checkpoint, Job, Prepared, PromptJob
from emotional_ai_service.decoding.vllm.recipes import BACKEND, Recipe, recipe_for
from emotional_ai_service.decoding.vllm.reply import Reply
from emotional_ai_service.decoding.vllm.server import VllmServer
from emotional_ai_service.decoding.vllm.settings import VllmSettings
from emotional_ai_service.decoding.vllm.shelf import Shelf, ShelfFull
from emotional_ai_service.decoding.vllm.store import BlendStore
from emotional_ai_service.workers import Load, Overloaded, Worker, WorkerSpec, WorkerStartFailed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What is known once the backend has started."""

    prepared: Prepared
    fitness: Fitness
    tokenizer: Tokenizer
    description: ModelDescription


class VllmDecoder:
    """Decodes on the server that `settings` name. `start` before use, `close` after; `clock` is in seconds."""

    def __init__(self, settings: VllmSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._server = VllmServer(settings)
        self._preparer: Worker[Job, Answer] = Worker(
            WorkerSpec(
                name="preparer",
                target="emotional_ai_service.decoding.vllm.preparation:build",
                arguments=Checkpoint(settings.model_dir, settings.cache_dir),
                capacity=settings.capacity + settings.blends,
                threads=1,
                log=settings.log,
            )
        )
        self._store = BlendStore(settings.blends_dir, self._server, self._preparer)
        self._blends = Blends(Shelf(settings.blends, settings.tolerance), self._store)
        self._standing: _Standing | None = None
        self._watch: asyncio.Task[None] | None = None
        self._healthy = False
        self._under_way = 0

    @property
    def ready(self) -> bool:
        return self._healthy and self._preparer.ready and self._under_way < self._settings.capacity

    async def start(self) -> None:
        """Looks the server over and loads the tokenizer. Raises WorkerStartFailed: what is wrong, and how to start it."""
        fitness = await inspect(self._server, self._settings)
        await self._clear()
        await self._preparer.start()
        prepared = self._preparer.description
        assert isinstance(prepared, Prepared)
        tokenizer = await asyncio.to_thread(Tokenizer.from_str, prepared.tokenizer)
        description = ModelDescription(
            name=self._settings.model_dir.resolve().name,
            digest=prepared.digest,
            context_length=min(fitness.context_length or prepared.context_length, prepared.context_length),
            backend=BACKEND,
            dtype="",
            modes=(BlendMode.BASE, BlendMode.EXACT),
            layers=prepared.layers,
        )
        self._standing = _Standing(prepared, fitness, tokenizer, description)
        if not fitness.penalises:
            log.warning("vLLM was started without our repetition penalty; replies must be asked for without one")
        self._healthy = True
        self._watch = asyncio.create_task(self._look_after(), name="watch vllm")

    async def close(self) -> None:
        self._healthy = False
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._blends.close()
        await self._preparer.close()
        await self._server.close()

    def describe(self) -> ModelDescription:
        return self._stood.description

    def load(self) -> Load:
        """This service's own requests: how many of them wait at the server, and who else's, it does not say."""
        return Load(running=self._under_way)

    async def generate(
        self, request: GenerationRequest, voices: AsyncIterator[Voice] | None = None
    ) -> AsyncGenerator[GenerationEvent, None]:
        """As the Protocol says. A schedule of one change at token 0 is spoken exactly; a blend, by one near enough.

        Up to Started nothing is loaded and the server computes nothing.

        Raises CannotFollow for voices or a longer schedule, CannotBlend for ranks beyond the server's or for a repetition
        penalty it does not know, Overloaded when as many requests or blends as there may be are in use, and ServerSilent.
        """
        began = self._clock()
        stood = self._stood
        if voices is not None:
            raise CannotFollow(BACKEND)
        check_request(request, penalises=stood.fitness.penalises)
        with self._admitted():
            wanted = await self._wanted(request.voice)
            prompt = await self._prompt(request)
            if not await self._server.healthy():
                raise ServerSilent("is not well")
            yield Started(len(prompt))
            async with (
                self._using(wanted, exactly=bool(request.schedule)) as recipe,
                aclosing(self._spoken(request, recipe, prompt, began)) as events,
            ):
                async for event in events:
                    yield event

    async def _clear(self) -> None:
        try:
            await self._store.clear()
        except (ServerSilent, BlendRefused) as error:
            raise ServerUnfit(self._settings, f"does not forget what an earlier service left ({error})") from error
        except OSError as error:
            raise WorkerStartFailed(
                f"blends_dir: {self._settings.blends_dir} cannot be emptied ({error}); make it writable, or name another"
            ) from error

    @property
    def _stood(self) -> _Standing:
        if self._standing is None:
            raise RuntimeError("the decoder was not started")
        return self._standing

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if self._under_way >= self._settings.capacity:
            raise Overloaded("decoder", self._settings.capacity, BUSY_SECONDS)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    @asynccontextmanager
    async def _using(self, wanted: Recipe, *, exactly: bool) -> AsyncIterator[Recipe]:
        if not wanted.parts:
            yield wanted
            return
        try:
            async with self._blends.using(wanted, exactly=exactly) as recipe:
                yield recipe
        except ShelfFull:
            raise BlendsInUse(self._settings.blends) from None

    async def _wanted(self, voice: Voice) -> Recipe:
        registry, prepared = self._settings.registry, self._stood.prepared
        listing = await asyncio.to_thread(registry.list)
        recipe = recipe_for(voice.blend, listing, registry.loras_dir, prepared.digest, prepared.layers)
        if recipe.rank > self._settings.max_rank:
            raise CannotBlend(
                BACKEND,
                f"serves blends up to rank {self._settings.max_rank}, and the ranks of these adapters sum to {recipe.rank}; "
                "blend fewer, or start the server and this service with a greater max_rank",
            )
        return recipe

    async def _prompt(self, request: GenerationRequest) -> tuple[int, ...]:
        job = PromptJob(request, self._stood.description.context_length)
        async with aclosing(self._preparer.request(job)) as answers:
            answer = await anext(answers)
        assert isinstance(answer, tuple)
        return answer

    async def _spoken(
        self, request: GenerationRequest, recipe: Recipe, prompt: tuple[int, ...], began: float
    ) -> AsyncGenerator[GenerationEvent, None]:
        stood = self._stood
        name = recipe.name if recipe.parts else self._settings.model
        body = completion(request, name, prompt, stood.prepared.ends, penalises=stood.fitness.penalises)
        reply = Reply(request, recipe, len(prompt), stood.prepared.ends, stood.tokenizer, self._clock, began)
        for attempt in (1, 2):
            try:
                async with self._server.completing(body) as pieces, aclosing(pieces):
                    async for piece in pieces:
                        for event in reply.take(piece):
                            yield event
                        if reply.ended:
                            return
                raise ServerSilent("broke off in the middle of a reply")
            except NotServed as error:  # the server was started anew, and what it had loaded is gone
                if attempt == 2 or not recipe.parts:
                    raise ServerSilent(f"does not serve {name} ({error})") from error
                await self._blends.load_again(recipe)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(self._settings.watch_seconds)
            self._healthy = await self._server.healthy()
