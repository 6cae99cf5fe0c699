"""The audit log over loopback: a line for every call that changes something, none for others, and no word of what was said."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from loopback import wall_clock
from tenants import METHODS, Tenants, tenants_service, until
from tiny_disk import room_for

from emotional_ai import AsyncClient, AsyncStateStream
from emotional_ai.errors import NotFound, Unavailable
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.engine import EXPORT_FORMAT
from emotional_ai_service.settings import AuditSettings, AuditSync
from emotional_ai_service.tenants import audit as audit_module
from emotional_ai_service.tenants.audit import auditing
from emotional_ai_service.tenants.ledger import CHANGES
from emotional_ai_service.tenants.limits import Limits, LimitTable
from emotional_ai_service.tenants.meters import Meters
from emotional_ai_service.tenants.usage import Usage
from emotional_ai_training.jobs import JobsDirectory

ADA, SECRET = {"sessionId": "ada"}, "my secret heart"
SAID = [{"role": "ROLE_USER", "content": SECRET}]
STIMULI = [{"event": {"reward": 0.5}, "note": SECRET}]
ENTRY = {"sequence": "1", "time": "2026-01-01T00:00:00Z", "created": {}}
EXPORT = {"format": EXPORT_FORMAT, "sessionId": "old", "entries": [ENTRY]}
CALLS: dict[str, dict[str, Any]] = {
    "CreateSession": ADA | {"requestId": "r-1"},
    "UpdateSession": ADA | {"config": {}},
    "ResetSession": ADA,
    "ApplyStimuli": ADA | {"stimuli": STIMULI, "requestId": "r-2"},
    "StreamState": {"open": ADA},
    "ImportSession": {"session": EXPORT},
    "ExportSession": ADA,
    "Converse": ADA | {"text": SECRET, "requestId": "r-3"},
    "DeleteSession": ADA,
    "StartJob": {"recipe": "RECIPE_ALL", "requestId": "r-4"},
    "CancelJob": {},
}
"""A call of every rpc that changes something, in an order in which they can be answered."""
LOOKS: dict[str, dict[str, Any]] = {
    "GetSession": ADA,
    "ListSessions": {},
    "GetState": ADA,
    "WatchState": ADA | {"intervalMs": 10},
    "GetHistory": ADA,
    "Explain": ADA,
    "ReplayCounterfactual": ADA,
    "Simulate": {"times": [0, 5]},
    "Appraise": {"texts": [SECRET]},
    "PreviewExpression": ADA,
    "GetModel": {},
    "GetLoad": {},
    "ListAdapters": {},
    "ListJobs": {},
    "GetJob": {"jobId": "none"},
    "WatchJob": {"jobId": "none"},
    "Generate": ADA | {"messages": SAID},
}
"""A call of every other."""


@dataclass(frozen=True, slots=True)
class Audited:
    """A service with an audit log."""

    served: Tenants
    path: Path

    def lines(self) -> list[dict[str, Any]]:
        """What it says so far."""
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    async def call(self, name: str, said: dict[str, Any]) -> Any:
        return (await self.served.call("acme", name, said, most=100 if name == "Converse" else 1))[0]


@asynccontextmanager
async def streaming(one: "Audited") -> AsyncIterator[AsyncStateStream]:
    """A stream of acme's session."""
    async with (
        AsyncClient(one.served.address, token=one.served.tokens["acme"]) as client,
        client.stream("ada") as stream,
    ):
        yield stream


@asynccontextmanager
async def audited(folder: Path) -> AsyncIterator[Audited]:
    settings = AuditSettings(folder / "audit.log", sync=AuditSync.EACH)
    async with auditing(settings, wall_clock) as audit, tenants_service(folder, audit=audit) as served:
        yield Audited(served, settings.path)


def test_every_rpc_is_tried_that_changes_something_and_every_other() -> None:
    assert {METHODS[name].full_name for name in CALLS} == CHANGES
    assert set(LOOKS) == set(METHODS) - set(CALLS)


async def test_every_change_leaves_a_line_that_says_who_did_what_to_what_and_no_text(tmp_path: Path) -> None:
    jobs = JobsDirectory(tmp_path / "jobs")
    jobs.path.mkdir()
    slot = jobs.slot()  # so that no job is run
    assert slot is not None
    with slot:
        async with audited(tmp_path) as one:
            job: dict[str, Any] = {}
            for name, said in CALLS.items():
                answer = await one.call(name, said | job)
                job = {"jobId": answer.job.job_id} if name == "StartJob" else {}
            await until(lambda: len(one.lines()) == len(CALLS) + 1)
            lines = {line["method"].partition("/")[2]: line for line in one.lines()}
    assert set(lines) == set(CALLS)
    assert lines["StreamState"]["code"] in ("OK", "CANCELLED")  # a call is left after its first answer
    for name, line in lines.items():
        assert line["code"] == "OK" or name == "StreamState", line
        assert (line["tenant"], line["token"], line["peer"]) == ("acme", "00000001", "127.0.0.1")
        assert line.get("session", "ada") == ("old" if name == "ImportSession" else "ada")
    assert [lines[name].get("request_id") for name in ("CreateSession", "ApplyStimuli", "Converse", "StartJob")] == [
        *("r-1", "r-2", "r-3", "r-4")
    ]
    assert lines["StartJob"]["job"] == lines["CancelJob"]["job"]
    assert lines["CreateSession"]["method"] == "EmotionEngine/CreateSession"
    text = (tmp_path / "audit.log").read_text()
    assert SECRET not in text
    assert one.served.tokens["acme"] not in text


async def test_looking_and_speaking_leave_no_line(tmp_path: Path) -> None:
    async with audited(tmp_path) as one:
        await one.served.engines.of("acme").create("ada", pb.SessionConfig(), None)
        for name, said in LOOKS.items():
            await one.served.refused("acme", name, said)
    assert one.lines() == []


async def test_what_is_refused_leaves_a_line_with_its_reason(tmp_path: Path) -> None:
    async with audited(tmp_path) as one:
        assert isinstance(await one.served.refused("zeta", "DeleteSession", ADA), NotFound)
        await one.served.refused("zeta", "CreateSession", {"sessionId": "no such id!"})
        await one.served.refused("zeta", "DeleteSession", {"sessionId": "x" * 100_000})
        await one.served.refused("zeta", "StartJob", {"recipe": "RECIPE_ALL", "resumeJobId": "nobodys"})
    found = [(line.get("session") or line["job"], line["code"], line["reason"]) for line in one.lines()]
    assert found == [
        ("ada", "NOT_FOUND", "SESSION_NOT_FOUND"),
        ("no such id!", "INVALID_ARGUMENT", "INVALID_REQUEST"),
        ("x" * 128, "INVALID_ARGUMENT", "INVALID_REQUEST"),
        ("nobodys", "NOT_FOUND", "JOB_NOT_FOUND"),
    ]


async def test_calls_that_come_too_fast_cannot_fill_the_log(tmp_path: Path) -> None:
    limits = LimitTable(Limits(calls_per_second=1, calls_burst=2))
    settings = AuditSettings(tmp_path / "audit.log", sync=AuditSync.EACH)
    meters = Meters(limits, Usage(wall_clock), lambda: 0.0)
    async with auditing(settings, wall_clock) as audit, tenants_service(tmp_path, audit=audit, meters=meters) as served:
        for _ in range(20):
            await served.refused("acme", "DeleteSession", ADA)
            await served.refused("acme", "StreamState", {"open": ADA})
            await served.refused("acme", "Converse", CALLS["Converse"])
    assert len(Audited(served, settings.path).lines()) == 2 + 1  # a call, and a stream that was opened


async def test_a_session_that_is_named_by_the_service_is_named_in_the_line(tmp_path: Path) -> None:
    async with audited(tmp_path) as one:
        created = await one.call("CreateSession", {})
        assert one.lines()[0]["session"] == created.session.session_id


async def test_a_stream_leaves_a_line_when_it_opens_and_one_with_its_batches_when_it_ends(tmp_path: Path) -> None:
    async with audited(tmp_path) as one:
        await one.call("CreateSession", ADA)
        async with streaming(one) as stream:
            for _ in range(3):
                await stream.send(reward=0.1)
                await stream.flush()
            assert [line["code"] for line in one.lines()] == ["OK", "OPEN"]
        await until(lambda: len(one.lines()) == 3)
    ended = one.lines()[-1]
    assert (ended["session"], ended["batches"]) == ("ada", 3)


async def test_while_the_log_is_full_nothing_changes_and_looking_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit_module, "RETRY_SECONDS", 0.02)
    async with audited(tmp_path) as one:
        await one.call("CreateSession", ADA)
        async with streaming(one) as stream:
            await stream.send(reward=0.1)
            await stream.flush()
            with room_for(one.path.stat().st_size + 10):
                await one.call("ResetSession", ADA)
                await until(lambda: "cannot be written" in caplog.text)
                version = (await one.call("GetState", ADA)).state.version
                for name in ("ApplyStimuli", "DeleteSession", "StreamState", "Converse", "ExportSession"):
                    refused = await one.served.refused("acme", name, CALLS[name])
                    assert isinstance(refused, Unavailable), name
                    assert refused.reason == "AUDIT_UNAVAILABLE", name
                await stream.send(reward=0.1)
                assert (await one.call("GetState", ADA)).state.version == version
            await stream.flush()  # the stream goes on by itself once there is room
        assert (await one.call("GetState", ADA)).state.version == version + 1
    lines = one.lines()
    assert [line["method"].partition("/")[2] for line in lines if line["code"] == "OK"][:2] == [
        "CreateSession",
        "ResetSession",
    ]
