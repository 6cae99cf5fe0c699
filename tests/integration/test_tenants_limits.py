"""Limits over loopback: who is beyond its own is refused with the true time to wait, and nobody else notices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from loopback import PATIENCE, wall_clock
from tenants import METHODS, Tenants, tenants_service, until

from emotional_ai import AsyncClient
from emotional_ai.errors import InvalidArgument, ResourceExhausted
from emotional_ai_service.engine import EXPORT_FORMAT
from emotional_ai_service.stores import MemoryStore, Record, Store
from emotional_ai_service.tenants.limits import Limits, LimitTable
from emotional_ai_service.tenants.meters import Meters
from emotional_ai_service.tenants.usage import Daily, Usage
from emotional_ai_training.jobs import JobsDirectory

ADA = {"sessionId": "ada"}
BEGUN = {"sequence": "1", "time": "2026-01-01T00:00:00Z", "created": {}}
WATCH = ADA | {"intervalMs": 10}
HELLO = [{"role": "ROLE_USER", "content": "hello"}]
SPOKEN = 3
"""Tokens of a scripted reply."""


@dataclass
class Metered:
    """A service whose tenant acme has limits; time stands still but where a test sets it."""

    served: Tenants
    usage: Usage
    now: float = 0.0

    async def call(self, name: str, said: dict[str, Any], tenant: str = "acme") -> Any:
        answers = await self.served.call(tenant, name, said)
        return answers[0] if not METHODS[name].server_streaming else answers

    async def refused(self, name: str, said: dict[str, Any]) -> ResourceExhausted:
        with pytest.raises(ResourceExhausted) as refused:
            await self.served.call("acme", name, said)
        assert refused.value.reason in ("RATE_LIMITED", "QUOTA_EXCEEDED")
        assert set(refused.value.metadata) == {"limit", "used", "allowed"}
        return refused.value


@asynccontextmanager
async def metered(folder: Path, store: Store | None = None, **limits: float) -> AsyncIterator[Metered]:
    usage = Usage(wall_clock)
    meters = Meters(LimitTable(tenants={"acme": Limits(**limits)}), usage, lambda: one.now)
    async with tenants_service(folder, store=store, meters=meters) as served:
        one = Metered(served, usage)
        yield one


async def test_calls_beyond_the_rate_are_refused_until_the_time_they_are_told(tmp_path: Path) -> None:
    async with metered(tmp_path, calls_per_second=2, calls_burst=3) as one:
        await one.call("CreateSession", ADA)
        with pytest.raises(InvalidArgument):
            await one.call("GetState", {})
        await one.call("GetState", ADA)
        refused = await one.refused("GetState", ADA)
        assert (refused.reason, refused.retry_after) == ("RATE_LIMITED", 0.5)
        assert dict(refused.metadata) == {"limit": "calls_per_second", "used": "3", "allowed": "2"}
        for method in ("WatchState", "ExportSession", "DeleteSession"):
            await one.refused(method, ADA)
        await one.call("CreateSession", ADA, tenant="zeta")
        one.now += 0.5
        await one.call("GetState", ADA)
        await one.refused("GetState", ADA)


async def test_sessions_beyond_the_quota_do_not_begin_however_they_come(tmp_path: Path) -> None:
    imported = {"session": {"format": EXPORT_FORMAT, "sessionId": "old", "entries": [BEGUN]}}
    async with metered(tmp_path, sessions=2) as one:
        await one.call("CreateSession", ADA | {"requestId": "once"})
        await one.call("ImportSession", imported | {"sessionId": "bob"})
        for method, said in (("CreateSession", {"sessionId": "carl"}), ("ImportSession", imported)):
            refused = await one.refused(method, said)
            assert (refused.reason, refused.retry_after) == ("QUOTA_EXCEEDED", None)
            assert dict(refused.metadata) == {"limit": "sessions", "used": "2", "allowed": "2"}
        assert (await one.call("CreateSession", ADA | {"requestId": "once"})).session.session_id == "ada"
        for _ in range(3):
            await one.call("CreateSession", {}, tenant="zeta")
        await one.call("DeleteSession", {"sessionId": "bob"})
        await one.call("CreateSession", {"sessionId": "carl"})


async def test_sessions_that_are_not_in_memory_count_too(tmp_path: Path) -> None:
    store = MemoryStore()
    for number in range(2):
        store.append(f"~acme/s{number}", 0, [Record(1, 1, b"")])
    async with metered(tmp_path, store, sessions=2) as one:
        refused = await one.refused("CreateSession", ADA)
        assert dict(refused.metadata) == {"limit": "sessions", "used": "2", "allowed": "2"}
        await one.call("DeleteSession", {"sessionId": "s0"})
        await one.call("CreateSession", ADA)
        await one.refused("CreateSession", {"sessionId": "eve"})


@pytest.mark.parametrize(("method", "said"), [("Converse", {"text": "hello"}), ("Generate", {"messages": HELLO})])
async def test_a_reply_costs_what_was_spoken_and_one_beyond_the_day_is_not_begun(
    tmp_path: Path, method: str, said: dict[str, Any]
) -> None:
    async with metered(tmp_path, generation_tokens_per_day=50) as one:
        await one.call("CreateSession", ADA)
        request = ADA | said | {"sampling": {"maxTokens": 45}}
        await one.served.call("acme", method, request, most=100)
        assert one.usage.used("acme", Daily.GENERATION_TOKENS) == SPOKEN
        one.usage.take("acme", Daily.GENERATION_TOKENS, 10, 50)
        refused = await one.refused(method, request)
        assert refused.reason == "QUOTA_EXCEEDED"
        assert refused.retry_after is not None
        assert 0 < refused.retry_after <= 86_400
        assert (await one.call("GetState", ADA)).state.version == 1
        await one.call("CreateSession", ADA, tenant="zeta")
        await one.call(method, request, tenant="zeta")


async def test_what_a_reply_that_is_left_did_not_speak_is_given_back(tmp_path: Path) -> None:
    async with metered(tmp_path, generation_tokens_per_minute=100, concurrent_replies=1) as one:
        one.served.decoder.hold()
        await one.call("CreateSession", ADA)
        speaking = asyncio.create_task(one.call("Converse", ADA | {"text": "hi", "sampling": {"maxTokens": 100}}))
        await until(lambda: one.served.decoder.speaking)
        refused = await one.refused("Generate", ADA | {"messages": HELLO})
        assert (refused.metadata["limit"], refused.retry_after) == ("concurrent_replies", 1)
        speaking.cancel()
        await until(lambda: not one.served.decoder.speaking)
        one.served.decoder.let(SPOKEN)
        await one.served.call("acme", "Generate", ADA | {"messages": HELLO, "sampling": {"maxTokens": 100}}, most=100)
        refused = await one.refused("Generate", ADA | {"messages": HELLO, "sampling": {"maxTokens": 99}})
        assert refused.retry_after == pytest.approx(2 / 100 * 60)
        assert dict(refused.metadata) == {"limit": "generation_tokens_per_minute", "used": "3", "allowed": "100"}


async def test_streams_at_once_are_counted_of_every_kind_and_let_go(tmp_path: Path) -> None:
    async with metered(tmp_path, concurrent_streams=1) as one:
        await one.call("CreateSession", ADA)
        async with AsyncClient(one.served.address, token=one.served.tokens["acme"]) as client:
            async with client.stream("ada") as stream:
                await stream.send(reward=0.5)
                await stream.flush()
                for method, said in (
                    ("WatchState", WATCH),
                    ("StreamState", {"open": ADA}),
                    ("WatchJob", {"jobId": "x"}),
                ):
                    refused = await one.refused(method, said)
                    assert refused.metadata["limit"] == "concurrent_streams"
            async with asyncio.timeout(PATIENCE):
                while await one.served.refused("acme", "WatchState", WATCH) is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)


async def test_a_stream_beyond_the_rate_is_slowed_and_not_ended(tmp_path: Path) -> None:
    usage, loop = Usage(wall_clock), asyncio.get_running_loop()
    limits = Limits(calls_per_second=200, calls_burst=2)
    async with tenants_service(tmp_path, meters=Meters(LimitTable(limits), usage, loop.time)) as served:
        await served.call("acme", "CreateSession", ADA)
        async with AsyncClient(served.address, token=served.tokens["acme"]) as client, client.stream("ada") as stream:
            began = loop.time()
            for _ in range(20):
                await stream.send(reward=0.1)
                await stream.flush()
        session = await served.engines.of("acme").session("ada")
        assert session.settled.moment.version == 21
        assert loop.time() - began >= (20 - 2) / 200


async def test_jobs_beyond_the_quota_are_not_begun_and_one_asked_for_again_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    order = {"recipe": "RECIPE_ALL", "requestId": "once"}
    with JobsDirectory(tmp_path / "jobs").slot() or pytest.fail("the slot was taken"):  # so that none is run
        async with metered(tmp_path, training_jobs_at_once=1, training_jobs_per_day=2) as one:
            job = (await one.call("StartJob", order)).job
            refused = await one.refused("StartJob", {"recipe": "RECIPE_ALL"})
            assert (refused.metadata["limit"], refused.retry_after) == ("training_jobs_at_once", None)
            assert (await one.call("StartJob", order)).job.job_id == job.job_id
            other = (await one.call("StartJob", order, tenant="zeta")).job
            assert other.job_id != job.job_id
            # Or it would be run once the slot is free.
            await one.call("CancelJob", {"jobId": other.job_id}, tenant="zeta")
            await one.call("CancelJob", {"jobId": job.job_id})
            again = {"recipe": "RECIPE_ALL", "resumeJobId": job.job_id}
            await one.call("StartJob", again)
            await one.call("CancelJob", {"jobId": job.job_id})
            refused = await one.refused("StartJob", again)
            assert refused.metadata["limit"] == "training_jobs_per_day"
            assert refused.retry_after is not None


async def test_every_rpc_of_a_service_with_limits_is_counted(tmp_path: Path) -> None:
    async with metered(tmp_path, calls_per_second=1, calls_burst=1) as one:
        await one.call("GetLoad", {})
        for name in METHODS:
            assert (await one.refused(name, {})).metadata["limit"] == "calls_per_second", name
