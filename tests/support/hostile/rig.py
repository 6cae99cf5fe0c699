"""The service in this process, behind everything but the wire: as `server.serving` makes it, with a decoder by script."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from scripted_decoder import ScriptedDecoder, WordAppraiser

from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1 import engine_pb2_grpc, inference_pb2_grpc, training_pb2_grpc
from emotional_ai_service.errors import QuotaExceeded
from emotional_ai_service.guard import guard
from emotional_ai_service.jobs import training_jobs
from emotional_ai_service.language import Language
from emotional_ai_service.safeguard import Oversight
from emotional_ai_service.server import ENGINE, INFERENCE, TRAINING
from emotional_ai_service.servicers import EmotionEngineServicer, InferenceServicer, TrainingServicer
from emotional_ai_service.settings import AuditSettings, JobSettings
from emotional_ai_service.stores import MemoryStore, TransientStore
from emotional_ai_service.streams import Drain
from emotional_ai_service.tenants import Engines
from emotional_ai_service.tenants.accounts import Accounts
from emotional_ai_service.tenants.audit import auditing
from emotional_ai_service.validation import check
from emotional_ai_training.adapters import Registry
from hostile.calls import Context, Methods, unary
from hostile.corpus import CONFIG, EVENT, HELD, NOW_US, SESSIONS
from hostile.tally import Broken

PATH: Final = "/emotional_ai.v1.EmotionEngine/"
TICK_US: Final = 1000
NO_ANSWER: Final = "notification handler for"
"""What the MCP SDK logs of a request without an id that was refused: nobody waits for the answer."""


@dataclass(slots=True)
class Rig:
    """Every method, over sessions that are put back as they were now and then."""

    methods: Methods
    engines: Engines
    complaints: "Complaints"
    right: bytes = b""
    """The state a normal request comes to."""
    _kept: dict[str, bytes] = field(default_factory=dict)

    async def ask(self, method: str, request: pb.CreateSessionRequest | object) -> bytes:
        """The response to a sound request. Raises Broken for a refusal."""
        given = await unary(self.methods, PATH + method, request.SerializeToString())  # type: ignore[attr-defined]
        if isinstance(given, Context):
            raise Broken(f"a normal {method} was refused: {given.refused}")
        return given

    async def still_serves(self) -> None:
        """Removes every session, makes those there were, and asks for what is known."""
        while found := await self.engines.mine().list("", 1000):
            for row in found:
                await self.engines.mine().delete(row.session_id)
        for session_id in SESSIONS:
            config = CONFIG if session_id == "eve" else None
            await self.ask("CreateSession", pb.CreateSessionRequest(session_id=session_id, config=config))
            await self.ask("ApplyStimuli", pb.ApplyStimuliRequest(session_id=session_id, stimuli=[EVENT, HELD, EVENT]))
        await self.engines.mine().forget_past("eve", self.engines.clock() - 1, 2)
        initial = pb.Chemistry(dopamine=0.5, serotonin=0.5, cortisol=0.5, oxytocin=0.5)
        await self.ask("CreateSession", pb.CreateSessionRequest(session_id="known", initial=initial))
        await self.ask(
            "ApplyStimuli", pb.ApplyStimuliRequest(session_id="known", stimuli=[pb.Stimulus(skip_minutes=7)])
        )
        answered = pb.ApplyStimuliResponse.FromString(
            await self.ask("ApplyStimuli", pb.ApplyStimuliRequest(session_id="known", stimuli=[EVENT]))
        )
        levels = [round(value, 3) for _, value in answered.state.chemistry.ListFields()]
        self.right = self.right or repr(levels).encode()
        if repr(levels).encode() != self.right:
            raise Broken(f"a normal request came to {levels}, not to {self.right.decode()}")


class Complaints(logging.Handler):
    """What the service wrote to its log at the level of errors: a bug, whoever's input it was."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(NO_ANSWER):
            return
        self.said.append(logging.Formatter().format(record)[-800:])

    def unless(self) -> None:
        """Raises Broken where something was written since the last time."""
        said, self.said = self.said, []
        if said:
            raise Broken(f"the log says: {said[0]}")


@contextmanager
def complaints() -> Iterator[Complaints]:
    """Hears every logger; they write nowhere else meanwhile."""
    heard, root = Complaints(), logging.getLogger()
    root.addHandler(heard)
    try:
        yield heard
    finally:
        root.removeHandler(heard)


def _no_jobs(_unfinished: int) -> "ExitStack":
    raise QuotaExceeded("jobs", 0, 0, "no job begins here")


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """The service, jobs that never begin, an audit log, and a decoder that says what it is let to."""
    ticks = iter(range(NOW_US + 3_600_000_000, 2**62, TICK_US))
    store, methods = TransientStore(MemoryStore(), 100), Methods()

    def clock() -> int:
        return next(ticks)

    with TemporaryDirectory(prefix="hostile-") as scratch, complaints() as heard:
        root, engines = Path(scratch), Engines(store, clock)
        decoder = ScriptedDecoder()
        decoder.let(2**20)
        registry = Registry(root / "loras")
        jobs_settings = JobSettings(root / "jobs", root / "loras")
        language = Language(WordAppraiser(), decoder)
        async with (
            auditing(AuditSettings(root / "audit.jsonl"), clock) as audit,
            training_jobs(jobs_settings, clock, lambda: _no_jobs) as jobs,
        ):
            accounts, server = Accounts(engines, None, audit), methods.server
            engine = EmotionEngineServicer(engines, Drain())
            engine_pb2_grpc.add_EmotionEngineServicer_to_server(guard(*accounts.around(engine, ENGINE, check)), server)
            inference = InferenceServicer(engines, language, registry, Oversight(clock))
            inference_pb2_grpc.add_InferenceServicer_to_server(
                guard(*accounts.around(inference, INFERENCE, check)), server
            )
            training = TrainingServicer(jobs, jobs_settings)
            training_pb2_grpc.add_TrainingServicer_to_server(guard(*accounts.around(training, TRAINING, check)), server)
            letting = asyncio.create_task(_let(decoder))
            try:
                yield Rig(methods, engines, heard)
            finally:
                letting.cancel()
                await store.close()


async def _let(decoder: ScriptedDecoder) -> None:
    while True:
        await asyncio.sleep(5)
        decoder.asked.clear()
