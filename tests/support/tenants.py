"""A service of two tenants on the loop of a test: all three services behind the gate, with a decoder that speaks by a script.

async with tenants_service(tmp_path) as served: ...
await served.call("acme", METHODS["GetState"], {"sessionId": "ada"})
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from loopback import PATIENCE
from scripted_decoder import ScriptedDecoder, WordAppraiser

from emotional_ai.errors import EmotionalAIError, raised
from emotional_ai.v1 import engine_pb2_grpc, inference_pb2_grpc, training_pb2_grpc
from emotional_ai_service.access.gate import Gate
from emotional_ai_service.access.keyring import Keyring
from emotional_ai_service.access.token import Kept, Token, digest_of, written
from emotional_ai_service.callers import DEFAULT_TENANT, Scope
from emotional_ai_service.guard import guard
from emotional_ai_service.jobs import training_jobs
from emotional_ai_service.language import Language
from emotional_ai_service.safeguard import Oversight
from emotional_ai_service.server import ENGINE, INFERENCE, TRAINING, wall_clock
from emotional_ai_service.servicers import EmotionEngineServicer, InferenceServicer, TrainingServicer
from emotional_ai_service.settings import JobSettings
from emotional_ai_service.stores import MemoryStore, Store
from emotional_ai_service.streams import Drain
from emotional_ai_service.tenants import Engines
from emotional_ai_service.tenants.accounts import Accounts
from emotional_ai_service.tenants.audit import Audit
from emotional_ai_service.tenants.meters import Meters
from emotional_ai_service.validation import check
from emotional_ai_training.adapters import Registry

METHODS: Final = {method.name: method for service in (ENGINE, INFERENCE, TRAINING) for method in service.methods}
TENANTS: Final = (DEFAULT_TENANT, "acme", "zeta")
Answer = list[Message]


def token_of(tenant: str) -> tuple[str, Token]:
    """A token of a tenant that allows everything but acting for others, as it is shown and as it is kept."""
    name = f"{TENANTS.index(tenant):08x}"
    shown = written(name)
    scopes = frozenset(Scope) - {Scope.ADMIN}
    return shown, Token(name, tenant, scopes, 0, secrets=(Kept(digest_of(shown)),))


@dataclass(frozen=True, slots=True)
class Tenants:
    """A service that is up."""

    address: str
    engines: Engines
    decoder: ScriptedDecoder
    tokens: Mapping[str, str]
    """As they are shown, by tenant."""
    channel: grpc.aio.Channel

    async def call(self, tenant: str, name: str, said: Mapping[str, Any], most: int = 3) -> Answer:
        """What a call of a tenant is answered, of a stream `most` messages at most. Raises EmotionalAIError."""
        method = METHODS[name]
        request = json_format.ParseDict(said, message_factory.GetMessageClass(method.input_type)())
        form = message_factory.GetMessageClass(method.output_type).FromString
        asked = self.channel.stream_stream(path_of(method), type(request).SerializeToString, form)
        call = asked(iter([request]), metadata=(("authorization", f"Bearer {self.tokens[tenant]}"),), timeout=PATIENCE)
        answer: Answer = []
        try:
            async for message in call:
                answer.append(message)
                if len(answer) == most:
                    break
        except grpc.aio.AioRpcError as error:
            raise raised(error) from None
        finally:
            call.cancel()
        return answer

    async def refused(self, tenant: str, name: str, said: Mapping[str, Any]) -> EmotionalAIError | None:
        """How a call of a tenant is refused; None if it is not."""
        try:
            await self.call(tenant, name, said)
        except EmotionalAIError as error:
            return error
        return None


def path_of(method: MethodDescriptor) -> str:
    """Where a method is called."""
    return f"/{method.containing_service.full_name}/{method.name}"


@asynccontextmanager
async def tenants_service(
    folder: Path,
    *,
    store: Store | None = None,
    clock: Callable[[], int] = wall_clock,
    meters: Meters | None = None,
    audit: Audit | None = None,
    target: str = "",
) -> AsyncIterator[Tenants]:
    """Serves tenants over a store in memory; jobs are kept, and adapters published, below `folder`."""
    async with AsyncExitStack() as stack:
        kept: Store = MemoryStore() if store is None else store
        stack.push_async_callback(kept.close)
        shown = {tenant: token_of(tenant) for tenant in TENANTS}
        gate = Gate(Keyring([token for _, token in shown.values()]), clock)
        settings = JobSettings(folder / "jobs", folder / "loras")
        settings = JobSettings(folder / "jobs", folder / "loras", target=target) if target else settings
        allow = (lambda: meters.mine().job) if meters else None
        jobs = await stack.enter_async_context(training_jobs(settings, clock, allow))
        engines = Engines(kept, clock, sessions=meters.sessions if meters else None)
        decoder, registry = ScriptedDecoder(), Registry(folder / "loras")
        decoder.let(10_000)
        inference = InferenceServicer(engines, Language(WordAppraiser(), decoder), registry, Oversight(clock))
        accounts, server, drain = Accounts(engines, meters, audit), grpc.aio.server(), Drain()
        engine_pb2_grpc.add_EmotionEngineServicer_to_server(
            guard(*accounts.around(EmotionEngineServicer(engines, drain), ENGINE, check), gate), server
        )
        inference_pb2_grpc.add_InferenceServicer_to_server(
            guard(*accounts.around(inference, INFERENCE, check), gate), server
        )
        training_pb2_grpc.add_TrainingServicer_to_server(
            guard(*accounts.around(TrainingServicer(jobs, settings), TRAINING, check), gate), server
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        stack.push_async_callback(server.stop, 0)
        address = f"127.0.0.1:{port}"
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address, (("grpc.enable_retries", 0),)))
        yield Tenants(address, engines, decoder, {tenant: text for tenant, (text, _) in shown.items()}, channel)


async def until(so: Callable[[], object]) -> None:
    """Waits for what another task or thread brings about, which sets no event."""
    async with asyncio.timeout(PATIENCE):
        while not so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
