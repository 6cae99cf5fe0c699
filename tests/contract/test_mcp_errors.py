"""Every status of gRPC, from a real server, as the tools tell it: `[CODE] what happened; what to do`."""

import json
import logging
import re

import pytest
from grpc import StatusCode as Code
from loopback import PATIENCE, service
from mcp_bridge import ERAS, EVERYTHING, Era, answer, in_memory, refusal, said, started
from refusing_service import MESSAGE, Refusal, refusing_service

from emotional_ai import Client as Service
from emotional_ai.errors import ERRORS, Details, ServiceFault, Violation
from emotional_ai.mcp_bridge.refusals import ADVICE, BY_REASON, UNSURE, report, report_without_code
from emotional_ai.mcp_bridge.settings import Settings, Toolset
from emotional_ai.mcp_bridge.tools import TOOLS, offered
from emotional_ai.mcp_bridge.tools.updating import update_emotion
from emotional_ai_service.decoding.errors import PromptTooLong
from emotional_ai_service.refusal import STATUS

CALLS = {
    "get_emotional_state": {},
    "update_emotion": {"reward": 0.5},
    "explain_emotion": {"minutes": 5},
    "list_emotion_sessions": {},
    "reset_emotion": {},
    "generate_reply": {"prompt": "hello"},
    "start_training": {},
    "get_training_status": {},
    "cancel_training": {"job_id": "job-1"},
}
"""A call of each tool that can fail."""
CHANGES = {"reset_emotion", "generate_reply", "start_training", "cancel_training"}
"""Tools whose first rpc may change something."""
FAULTS = {kind.code for kind in ServiceFault.__subclasses__()}
CODES = [code for code in Code if code is not Code.OK]

UNSURE_CODES = [code for code in CODES if issubclass(ERRORS[code], UNSURE)]

BRIDGES = [
    Settings(toolsets=frozenset(toolsets), read_only=read_only, autostart=autostart)
    for toolsets in ([], *([one] for one in Toolset), Toolset)
    for read_only in (False, True)
    for autostart in (False, True)
]
"""Bridges that offer different tools."""

every_code = pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
unsure = pytest.mark.parametrize("code", UNSURE_CODES, ids=lambda code: code.name)
in_either_era = pytest.mark.parametrize("era", ERAS)


def test_every_tool_is_called_but_the_one_that_never_fails() -> None:
    assert {*CALLS, "engine_status"} == {tool.name for tool in TOOLS}


@in_either_era
@every_code
@pytest.mark.parametrize("reason", ["", "SOMETHING_NEW"])
async def test_a_status_is_told_by_every_tool_with_what_to_do(
    code: Code, reason: str, era: Era, caplog: pytest.LogCaptureFixture
) -> None:
    # Only the retries of gRPC take time; one tool shows what they come to.
    tools = {"get_emotional_state": {}} if code is Code.UNAVAILABLE else CALLS
    with refusing_service(Refusal(code, reason)) as address:
        async with in_memory(Settings(address, toolsets=EVERYTHING), era) as client:
            for name, arguments in tools.items():
                words = refusal(await client.call_tool(name, arguments))
                happened, _, advice = words.partition("; ")
                assert happened.startswith(f"[{code.name}] "), words
                assert len(advice) > 10, words
                assert "\n" not in words
                if code in FAULTS:
                    assert MESSAGE not in words
                    assert MESSAGE in caplog.text
                elif reason or code not in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED):
                    assert MESSAGE in happened


@in_either_era
async def test_the_status_of_the_engine_is_an_answer_whatever_the_engine_says(era: Era) -> None:
    for code in CODES:
        with refusing_service(Refusal(code)) as address:
            async with in_memory(Settings(address), era) as client:
                result = await client.call_tool("engine_status")
        # Only silence is a sign that it is not there, and the service says nothing of its own with these two.
        there = code not in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
        assert answer(result)["up"] is there, code
        assert answer(result)["detail"]
        assert said(result).startswith(f"The emotion engine at {address} {'is up' if there else 'does not answer'}")


async def test_an_engine_that_is_only_starting_is_up_and_loading() -> None:
    with refusing_service(Refusal(Code.UNAVAILABLE, "MODEL_UNAVAILABLE", retry_seconds=3)) as address:
        async with in_memory(Settings(address)) as client:
            status = answer(await client.call_tool("engine_status"))
    assert (status["up"], status["language"]) == (True, "loading")
    assert status["detail"] == f"[UNAVAILABLE] {MESSAGE}; wait a moment and call again in about 3.0 s"


@every_code
@pytest.mark.parametrize("changing", [False, True])
@pytest.mark.parametrize("settings", BRIDGES)
def test_there_is_something_to_do_about_every_status(code: Code, settings: Settings, changing: bool) -> None:
    for reason in ("", "SOMETHING_NEW", *BY_REASON):
        words = report(ERRORS[code]("it broke", Details(reason)), settings, changing=changing)
        assert re.match(rf"\[{code.name}\] [^;]+; .{{10,}}", words), words
        assert {tool.name for tool in TOOLS if tool.name in words} <= set(offered(settings)), words


def test_an_engine_that_can_be_started_is_told_as_such() -> None:
    words = report(ERRORS[Code.UNAVAILABLE]("failed to connect"), Settings("127.0.0.1:7", autostart=True))
    assert words == "[UNAVAILABLE] no emotion engine answers at 127.0.0.1:7; the next call that needs one starts it"


def test_a_text_the_service_counts_is_told_by_the_name_of_the_argument() -> None:
    violations = (Violation("texts[0]", "text 0 holds nothing readable"), Violation("seed", "must be smaller"))
    error = ERRORS[Code.INVALID_ARGUMENT]("it broke", Details("INVALID_REQUEST", violations=violations))
    words = report_without_code(error, Settings(), argument="prompt")
    assert words == "prompt holds nothing readable; seed must be smaller; change what is named and call again"


def test_a_prompt_that_is_too_long_is_not_told_of_a_history_that_no_tool_sends() -> None:
    message = str(PromptTooLong(tokens=9000, limit=4000))
    error = ERRORS[STATUS[PromptTooLong][0]](message, Details(STATUS[PromptTooLong][1]))
    words = report_without_code(error, Settings())
    assert words.endswith("at most 4000 fit beside max_tokens; shorten the prompt, or ask for fewer max_tokens")
    assert "history" not in words


async def test_an_engine_that_takes_a_call_and_says_nothing_is_not_said_to_be_down() -> None:
    with refusing_service(Refusal(Code.DEADLINE_EXCEEDED)) as address:
        async with in_memory(Settings(address)) as client:
            status = answer(await client.call_tool("engine_status"))
    assert status["detail"].startswith("[DEADLINE_EXCEEDED] something is there and gave no answer within 2 s; ")


def test_advice_of_its_own_is_kept_for_what_the_service_can_answer_with() -> None:
    assert set(BY_REASON) <= {reason for _, reason in STATUS.values()}
    assert set(ADVICE) | FAULTS | {Code.DEADLINE_EXCEEDED} == set(CODES)


@pytest.mark.parametrize(("target", "command"), [("127.0.0.1:50051", "serve"), ("127.0.0.1:7", "serve --port 7")])
def test_an_engine_that_is_down_is_told_with_the_command_that_starts_it(target: str, command: str) -> None:
    words = report(ERRORS[Code.UNAVAILABLE]("failed to connect"), Settings(target))
    assert words == (
        f"[UNAVAILABLE] no emotion engine answers at {target}; start one with `emotional-ai {command}` and call again, "
        "or give the bridge --autostart"
    )


async def test_a_deadline_on_a_change_says_that_it_may_have_been_applied_and_on_a_read_not() -> None:
    await changes_alone_may_have_been_applied(Code.DEADLINE_EXCEEDED)


@unsure
async def test_whatever_else_leaves_a_change_unsure_says_so_too(code: Code) -> None:
    await changes_alone_may_have_been_applied(code)


async def changes_alone_may_have_been_applied(code: Code) -> None:
    with refusing_service(Refusal(code)) as address:
        async with in_memory(Settings(address, toolsets=EVERYTHING)) as client:
            words = {name: refusal(await client.call_tool(name, arguments)) for name, arguments in CALLS.items()}
    assert {name for name, one in words.items() if "may have been applied" in one} == CHANGES
    # It reads first, and that is what failed.
    assert words["update_emotion"].endswith("nothing was applied")


@unsure
async def test_a_session_whose_making_ends_unsure_may_have_been_made(code: Code) -> None:
    with service() as behind, refusing_service(Refusal(code, of={"CreateSession"}), behind) as address:
        async with in_memory(Settings(address)) as client:
            arguments = {"reward": 0.5, "session_id": "ada", "create_session": True}
            words = refusal(await client.call_tool("update_emotion", arguments))
    assert words.startswith(f"[{code.name}] ")
    assert "; nothing was applied, though ada may have been made" in words


async def test_a_fault_has_an_id_under_which_the_log_has_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    with refusing_service(Refusal(Code.INTERNAL)) as address:
        async with in_memory(Settings(address)) as client:
            told_ids = [
                re.findall(r"\(id ([0-9a-f]{12})\)", refusal(await client.call_tool("get_emotional_state", {})))
                for _ in range(2)
            ]
    first, second = (one for (one,) in told_ids)
    assert first != second
    faults = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.getMessage() for record in faults] == [f"fault {first}", f"fault {second}"]
    assert all(record.exc_info for record in faults)


def test_the_rest_of_a_fault_stands_on_standard_error_alone() -> None:
    opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    call = {"name": "get_emotional_state", "arguments": {}}
    with refusing_service(Refusal(Code.DATA_LOSS)) as address, started(address) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for message in (
            {"id": 1, "method": "initialize", "params": opening},
            {"method": "notifications/initialized"},
            {"id": 2, "method": "tools/call", "params": call},
        ):
            process.stdin.write(f"{json.dumps({'jsonrpc': '2.0', **message})}\n")
        process.stdin.flush()
        process.stdout.readline()
        told = process.stdout.readline()
        rest, complaints = process.communicate(timeout=PATIENCE)
    (identity,) = re.findall(r"\[DATA_LOSS\] the emotion engine failed \(id ([0-9a-f]{12})\)", told)
    assert MESSAGE not in told + rest
    assert f"fault {identity}" in complaints
    assert MESSAGE in complaints


async def test_a_fault_of_the_bridge_itself_has_an_id_and_no_details(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(f"{update_emotion.__module__}._check", broken)
    with service() as address:
        async with in_memory(Settings(address)) as client:
            words = refusal(await client.call_tool("update_emotion", {"reward": 0.5}))
            assert not (await client.call_tool("get_emotional_state", {})).is_error
    assert re.fullmatch(r"\[INTERNAL\] the bridge failed \(id [0-9a-f]{12}\); details are on its standard error", words)
    assert "a secret" in caplog.text


@pytest.mark.parametrize("code", [Code.RESOURCE_EXHAUSTED, Code.ABORTED], ids=lambda code: code.name)
async def test_how_long_to_wait_is_told_where_the_service_says_so(code: Code) -> None:
    with refusing_service(Refusal(code, "MODEL_OVERLOADED", retry_seconds=7)) as address:
        async with in_memory(Settings(address)) as client:
            assert refusal(await client.call_tool("get_emotional_state", {})).endswith(" in about 7.0 s")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (Code.UNAVAILABLE, "may have been applied"),
        *((kind, "it may have been applied: read the state before sending it again") for kind in UNSURE_CODES),
        (Code.ABORTED, "read the state again and decide anew"),
    ],
)
async def test_a_change_that_fails_as_it_is_sent_says_whether_to_send_it_again(code: Code, says: str) -> None:
    with service() as behind, refusing_service(Refusal(code, of={"ApplyStimuli"}), behind) as address:
        async with in_memory(Settings(address)) as client:
            words = refusal(await client.call_tool("update_emotion", {"reward": 0.5}))
    assert words.startswith(f"[{code.name}] ")
    assert says in words


async def test_a_change_whose_state_cannot_be_told_says_that_it_was_applied() -> None:
    late = Refusal(Code.RESOURCE_EXHAUSTED, of={"PreviewExpression"})
    with service() as behind, refusing_service(late, behind) as address:
        async with in_memory(Settings(address)) as client:
            words = refusal(await client.call_tool("update_emotion", {"reward": 0.5}))
        with Service(behind) as there:
            assert there.state("default").version == 2
    assert words.startswith("[RESOURCE_EXHAUSTED] this was applied, do not send it again; ")


async def test_a_state_costs_two_rpcs_and_a_change_three() -> None:
    watched = Refusal(None, of={"none"})
    with service() as behind, refusing_service(watched, behind) as address:
        async with in_memory(Settings(address)) as client:
            await client.call_tool("get_emotional_state", {})
            watched.asked.clear()
            await client.call_tool("get_emotional_state", {})
            read, watched.asked[:] = list(watched.asked), []
            await client.call_tool("update_emotion", {"reward": 0.5})
    assert read == ["GetSession", "PreviewExpression"]
    assert watched.asked == ["GetSession", "ApplyStimuli", "PreviewExpression"]
