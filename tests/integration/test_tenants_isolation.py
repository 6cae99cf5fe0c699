"""To a tenant, what another has is not there: every rpc answers as for what does not exist, and touches nothing of others."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from tenants import METHODS, Tenants, tenants_service

from emotional_ai import EmotionalAIError
from emotional_ai_service.callers import DEFAULT_TENANT
from emotional_ai_service.engine import EXPORT_FORMAT
from emotional_ai_service.server import ENGINE
from emotional_ai_service.servicers import EmotionEngineServicer
from emotional_ai_service.stores import MemoryStore
from emotional_ai_service.streams import Drain
from emotional_ai_service.tenants import Engines
from emotional_ai_service.tenants.accounts import Accounts
from emotional_ai_service.validation import check
from emotional_ai_training.jobs import JobsDirectory, Plan, Recipe

NAMES = ("session_id", "job_id", "resume_job_id")
"""Fields by which requests name what there is."""
THEIRS, NOBODYS = "job-20260101T000000000000-0a0a0a", "job-20260101T000000000000-0b0b0b"
NEW_YEAR_US = 1_767_225_600_000_000
EVENT = [{"event": {"reward": 0.5}}]
LEVELS = {"dopamine": 0.9, "serotonin": 0.5, "cortisol": 0.2, "oxytocin": 0.5}
BEGUN = {"sequence": "1", "time": "2026-01-01T00:00:00Z", "created": {}}
HELLO = [{"role": "ROLE_USER", "content": "hello"}]
ABOUT: dict[str, Callable[[str], dict[str, Any]]] = {
    "CreateSession": lambda one: {"sessionId": one},
    "GetSession": lambda one: {"sessionId": one},
    "UpdateSession": lambda one: {"sessionId": one, "config": {}},
    "DeleteSession": lambda one: {"sessionId": one},
    "ResetSession": lambda one: {"sessionId": one, "levels": LEVELS},
    "GetState": lambda one: {"sessionId": one},
    "ApplyStimuli": lambda one: {"sessionId": one, "stimuli": EVENT, "requestId": "once"},
    "StreamState": lambda one: {"open": {"sessionId": one, "resumeToken": "stream-of-acme"}},
    "WatchState": lambda one: {"sessionId": one, "intervalMs": 10},
    "GetHistory": lambda one: {"sessionId": one},
    "Explain": lambda one: {"sessionId": one},
    "ReplayCounterfactual": lambda one: {"sessionId": one, "withoutSequences": ["2"]},
    "ExportSession": lambda one: {"sessionId": one},
    "ImportSession": lambda one: {
        "sessionId": one,
        "session": {"format": EXPORT_FORMAT, "sessionId": one, "entries": [BEGUN]},
    },
    "Converse": lambda one: {"sessionId": one, "text": "hello"},
    "Generate": lambda one: {"sessionId": one, "messages": HELLO},
    "PreviewExpression": lambda one: {"sessionId": one},
    "StartJob": lambda one: {"recipe": "RECIPE_ALL", "resumeJobId": one},
    "GetJob": lambda one: {"jobId": one},
    "CancelJob": lambda one: {"jobId": one},
    "WatchJob": lambda one: {"jobId": one},
}
"""A request to every rpc that names something."""
BEGIN = ("CreateSession", "ImportSession")
"""What is not refused for a name that is taken by another."""
OVERALL: dict[str, dict[str, Any]] = {
    "ListSessions": {},
    "Simulate": {"times": [0, 5]},
    "Appraise": {"texts": ["hello"]},
    "GetModel": {},
    "GetLoad": {},
    "ListAdapters": {},
    "ListJobs": {},
}
"""A request to every other rpc."""


def named(form: Descriptor) -> set[str]:
    """The names in a request, and in the messages directly in it."""
    inside = {one.message_type for one in form.fields if one.message_type is not None}
    return {name for one in (form, *inside) for name in NAMES if name in one.fields_by_name}


def of_job(method: str) -> bool:
    return METHODS[method].containing_service.name == "Training"


def told(error: EmotionalAIError | None, *ids: str) -> object:
    """An error as its caller meets it, but for the id."""
    if error is None:
        return None
    words = [type(error).__name__, error.message, error.reason, dict(error.metadata), error.retry_after]
    words.append([(one.field, one.description) for one in error.violations])
    text = json.dumps(words)
    for one in ids:
        text = text.replace(one, "ID")
    return text


@asynccontextmanager
async def lived_in(folder: Path, store: MemoryStore | None = None) -> AsyncIterator[Tenants]:
    """Tenants of which acme has a session and a job that was cancelled."""
    jobs = JobsDirectory(folder / "jobs")
    jobs.path.mkdir()
    job = jobs.make(NEW_YEAR_US, "0a0a0a", "train", lambda at: Plan(recipe=Recipe.ALL, checkpoints_dir=at), "acme")
    assert job.job_id == THEIRS
    assert job.withdraw(NEW_YEAR_US + 1)
    async with tenants_service(folder, store=store) as served:
        await served.call("acme", "CreateSession", {"sessionId": "ada"})
        await served.call("acme", "ApplyStimuli", {"sessionId": "ada", "stimuli": EVENT, "requestId": "once"})
        yield served


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Tenants]:
    async with lived_in(tmp_path) as one:
        yield one


def test_there_is_a_request_to_every_rpc_and_those_that_name_something_are_tried() -> None:
    naming = {name for name, method in METHODS.items() if named(method.input_type)}
    assert set(ABOUT) == naming
    assert set(OVERALL) == set(METHODS) - naming


@pytest.mark.parametrize("tenant", ["zeta", DEFAULT_TENANT])
async def test_every_rpc_answers_of_anothers_as_of_what_does_not_exist(served: Tenants, tenant: str) -> None:
    for method, about in ABOUT.items():
        theirs, nobodys = (THEIRS, NOBODYS) if of_job(method) else ("ada", "eve")
        of_theirs = await served.refused(tenant, method, about(theirs))
        of_nobodys = await served.refused(tenant, method, about(nobodys))
        assert told(of_theirs, theirs) == told(of_nobodys, nobodys), method
        assert (of_theirs is None) == (method in BEGIN), method
        if method in BEGIN:
            for one in (theirs, nobodys):
                await served.call(tenant, "DeleteSession", {"sessionId": one})
    for method in ("GetState", "GetHistory", "ExportSession"):
        assert await served.call("acme", method, {"sessionId": "ada"}), method
    assert await served.call("acme", "GetJob", {"jobId": THEIRS})


@pytest.mark.parametrize("tenant", ["zeta", DEFAULT_TENANT])
async def test_a_key_of_the_store_is_no_id_by_which_anothers_can_be_named(served: Tenants, tenant: str) -> None:
    for method, about in ABOUT.items():
        theirs, nobodys = (f"acme~{THEIRS}", f"acme~{NOBODYS}") if of_job(method) else ("~acme/ada", "~acme/eve")
        of_theirs = await served.refused(tenant, method, about(theirs))
        assert of_theirs is not None, method
        assert told(of_theirs, theirs) == told(await served.refused(tenant, method, about(nobodys)), nobodys), method
    assert await served.call("acme", "GetState", {"sessionId": "ada"})


async def test_what_is_listed_is_the_callers_own(served: Tenants) -> None:
    async def ids(tenant: str, method: str, said: dict[str, Any] | None = None) -> Sequence[str]:
        (answer,) = await served.call(tenant, method, said or {})
        found: Any = getattr(answer, "sessions" if method == "ListSessions" else "jobs")
        return [one.session_id if method == "ListSessions" else one.job_id for one in found]

    await served.call("zeta", "CreateSession", {"sessionId": "bob"})
    await served.call(DEFAULT_TENANT, "CreateSession", {"sessionId": "carl"})
    assert [await ids(one, "ListSessions") for one in ("acme", "zeta", DEFAULT_TENANT)] == [["ada"], ["bob"], ["carl"]]
    assert [len(await ids(one, "ListJobs")) for one in ("acme", "zeta", DEFAULT_TENANT)] == [1, 0, 0]
    (all_of_it,) = await served.call("acme", "ListJobs", {})
    assert [one.job_id for one in all_of_it.jobs] == [THEIRS]  # type: ignore[attr-defined]
    for token in ("~acme", "~acme/", "~acme/a", "~", "", "a", "/", "\x7f"):
        for tenant, own in (("zeta", {"bob"}), (DEFAULT_TENANT, {"carl"})):
            assert set(await ids(tenant, "ListSessions", {"pageToken": token, "pageSize": 1})) <= own


async def test_the_same_ids_live_apart(served: Tenants) -> None:
    await served.engines.store.note("~acme/ada", {"stream:stream-of-acme": 7})
    resumed = await served.call("acme", "StreamState", {"open": {"sessionId": "ada", "resumeToken": "stream-of-acme"}})
    assert resumed[0].acknowledged_batch == 7  # type: ignore[attr-defined]
    await served.call("zeta", "CreateSession", {"sessionId": "ada"})
    (applied,) = await served.call("zeta", "ApplyStimuli", {"sessionId": "ada", "stimuli": EVENT, "requestId": "once"})
    assert not applied.duplicate  # type: ignore[attr-defined]
    resumed = await served.call("zeta", "StreamState", {"open": {"sessionId": "ada", "resumeToken": "stream-of-acme"}})
    assert resumed[0].acknowledged_batch == 0  # type: ignore[attr-defined]
    await served.call("zeta", "DeleteSession", {"sessionId": "ada"})
    (kept,) = await served.call("acme", "GetSession", {"sessionId": "ada"})
    assert kept.session.state.version == 2  # type: ignore[attr-defined]


class Asked(MemoryStore):
    """Remembers which keys it was asked for, in order, with the method."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[tuple[str, str]] = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or not callable(found) or name == "close":
            return found

        def noted(key: str = "", *given: Any, **more: Any) -> Any:
            self.keys.append((name, key))
            return found(key, *given, **more)

        return noted


async def test_a_stranger_touches_nothing_of_anothers_so_no_time_can_tell(tmp_path: Path) -> None:
    store = Asked()
    async with lived_in(tmp_path, store) as served:
        for method, about in ABOUT.items():
            if of_job(method):
                continue
            touched = []
            for one in ("ada", "eve"):
                store.keys.clear()
                await served.refused("zeta", method, about(one))
                assert all(key.startswith("~zeta/") for _, key in store.keys), method
                touched.append([(name, key.replace(one, "ID")) for name, key in store.keys])
                if method in BEGIN:
                    await served.call("zeta", "DeleteSession", {"sessionId": one})
            assert touched[0] == touched[1], method


async def test_the_decoder_is_told_whose_prompt_it_is(served: Tenants) -> None:
    explicit = {"messages": HELLO, "explicit": {"chemistry": LEVELS}}
    for tenant in ("acme", "zeta", DEFAULT_TENANT):
        await served.call(tenant, "CreateSession", {"sessionId": "own"})
        for method, said in (("Converse", ABOUT["Converse"]("own")), ("Generate", explicit)):
            served.decoder.asked.clear()
            await served.call(tenant, method, said, most=100)
            assert {asked.tenant for asked in served.decoder.asked} == {tenant}


@pytest.mark.parametrize("path", ["/etc/passwd", "/nowhere"])
async def test_a_file_of_the_machine_is_named_for_training_by_admins_alone(served: Tenants, path: str) -> None:
    refused = await served.refused("acme", "StartJob", {"recipe": "RECIPE_ALL", "config": {"dataPath": path}})
    assert refused is not None
    assert [one.field for one in refused.violations] == ["config.data_path"]
    assert "only tokens of scope admin may" in refused.message


def test_a_service_without_limits_and_audit_has_nothing_around_its_methods() -> None:
    servicer = EmotionEngineServicer(engines := Engines(MemoryStore(), lambda: NEW_YEAR_US), Drain())
    assert Accounts(engines).around(servicer, ENGINE, check) == (servicer, ENGINE, check)
    assert not {method.name for method in ENGINE.methods} & set(vars(servicer))
