"""OpenAI's API over a real service: what the official client gets, and what anyone gets who sends something else."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx
import openai
import pytest
from faltering_speech import Faltering, Fault, faltering_service
from loopback import IN_MEMORY, PATIENCE, service
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai_door import door
from ports import free_port
from refusing_service import Refusal, refusing_service
from scripted_decoder import ScriptedDecoder, speaking_service
from scripted_speech import Script, scripted_service

from emotional_ai import Client
from emotional_ai.v1 import engine_pb2
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.doors.openai import model_list
from emotional_ai_service.decoding.messages import GenerationEvent, GenerationRequest, Text, Voice

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
LOST: list[Any] = [{"role": "user", "content": "I lost it"}]
REPLY = "I am here for you."
REPLIES = {"model": "emotional/ada", "messages": HELLO}


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def address(script: Script) -> Iterator[str]:
    with scripted_service(script) as running:
        yield running


@pytest.fixture
def url(address: str) -> Iterator[str]:
    with door(address) as opened:
        yield opened


@pytest.fixture(scope="module")
def lasting() -> Iterator[str]:
    """A door that stays open from test to test, whatever it is sent."""
    with scripted_service(Script()) as running, door(running) as opened:
        yield opened


@contextmanager
def official(url: str, retries: int = 0) -> Iterator[OpenAI]:
    """The official client."""
    with OpenAI(base_url=url, api_key="none", max_retries=retries, timeout=PATIENCE) as client:
        yield client


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with official(url) as client:
        yield client


@pytest.fixture
async def asking(url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=PATIENCE) as client:
        yield client


def feeling(answer: ChatCompletion | ChatCompletionChunk) -> dict[str, Any]:
    """The extension of an answer."""
    found = (answer.model_extra or {})["emotional_ai"]
    assert isinstance(found, dict)
    return found


def stimuli(address: str, session_id: str) -> list[engine_pb2.LogEntry]:
    """What has happened to a session."""
    with Client(address) as client:
        return [entry for entry in client.history(session_id).entries if entry.HasField("stimulus")]


def test_a_reply_comes_whole_with_the_state_before_and_after(client: OpenAI, address: str) -> None:
    answer = client.chat.completions.create(model="emotional/ada", messages=LOST)
    (choice,) = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", REPLY, "stop")
    assert choice.logprobs is None
    assert (answer.object, answer.model) == ("chat.completion", "emotional/ada")
    assert answer.id.startswith("chatcmpl-")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 3, 10)
    told = feeling(answer)
    assert told["session"] == "ada"
    assert told["signals"] == {"loss": 0.9}
    assert told["before"]["chemistry"] == {"dopamine": 0.5, "serotonin": 0.6, "cortisol": 0.3, "oxytocin": 0.5}
    assert told["after"]["version"] == told["before"]["version"] + 1
    assert told["after"]["valence"] < told["before"]["valence"]
    assert told["label"] == told["after"]["label"]
    assert told["temperature"] < 0.8
    assert told["conditioning"].startswith("<DA=")
    (entry,) = stimuli(address, "ada")
    assert told["request_id"] == entry.request_id
    assert answer.created == entry.time.seconds


def test_a_stream_says_the_same_piece_by_piece_and_the_state_last(client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="emotional/ada", messages=LOST, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].delta.content for chunk in chunks[1:-1]] == ["I am ", "here for ", "you."]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert all("emotional_ai" not in (chunk.model_extra or {}) for chunk in chunks[:-1])
    assert feeling(chunks[-1])["signals"] == {"loss": 0.9}
    assert feeling(chunks[-1])["after"]["valence"] < 0
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_ends_with_its_usage_if_asked_to(client: OpenAI) -> None:
    stream = client.chat.completions.create(**REPLIES, stream=True, stream_options={"include_usage": True})
    *others, last = list(stream)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 10
    assert all(chunk.usage is None for chunk in others)
    assert others[-1].choices[0].finish_reason == "stop"


async def test_the_asyncio_client_is_served_as_well(asking: AsyncOpenAI) -> None:
    answer = await asking.chat.completions.create(model="emotional/ada", messages=LOST)
    assert answer.choices[0].message.content == REPLY
    stream = await asking.chat.completions.create(model="emotional/ada", messages=HELLO, stream=True)
    text = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(text) == REPLY
    names = [model.id async for model in asking.models.list()]
    assert names == ["emotional", "emotional/ada"]


async def test_many_are_answered_at_once_each_in_its_own_session(asking: AsyncOpenAI) -> None:
    async def spoken(number: int) -> str:
        answer = await asking.chat.completions.create(model="emotional", user=f"s{number}", messages=LOST)
        return str(feeling(answer)["session"])

    assert await asyncio.gather(*map(spoken, range(8))) == [f"s{number}" for number in range(8)]


def test_the_helper_of_the_official_client_gathers_a_stream(client: OpenAI) -> None:
    with client.chat.completions.stream(**REPLIES) as stream:
        kinds = [event.type for event in stream]
        whole = stream.get_final_completion()
    assert kinds.count("content.delta") == 4  # the first says who speaks, and nothing else
    assert whole.choices[0].message.content == REPLY


def test_a_conversation_goes_on_with_the_answers_of_the_official_client(client: OpenAI, script: Script) -> None:
    first = client.chat.completions.create(model="emotional/ada", messages=LOST)
    messages = [*LOST, first.choices[0].message, *HELLO]
    second = client.chat.completions.create(model="emotional/ada", messages=messages)
    assert [(one.role, one.content) for one in script.asked[-1].history] == [
        (pb.ROLE_USER, "I lost it"),
        (pb.ROLE_ASSISTANT, REPLY),
    ]
    assert feeling(second)["before"]["version"] == feeling(first)["after"]["version"]


def test_what_was_said_before_is_not_heard_again(client: OpenAI, address: str) -> None:
    before = [{"role": "system", "content": "Be kind."}, *LOST, {"role": "assistant", "content": "Oh."}]
    answer = client.chat.completions.create(model="emotional/ada", messages=[*before, *HELLO])  # type: ignore[list-item]
    assert feeling(answer)["signals"] == {}
    (entry,) = stimuli(address, "ada")
    assert not any(value for _, value in entry.stimulus.event.ListFields())


def test_line_breaks_and_characters_of_every_kind_arrive_whole(script: Script, client: OpenAI) -> None:
    script.pieces = ("a\nb", "\U0001f600", "data: [DONE]\n\n", "\u2028é\r")
    stream = client.chat.completions.create(**REPLIES, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "".join(script.pieces)


def test_a_reply_of_no_words_is_a_reply(script: Script, client: OpenAI) -> None:
    script.pieces = ()
    assert client.chat.completions.create(**REPLIES).choices[0].message.content == ""
    (chunk,) = client.chat.completions.create(**REPLIES, stream=True)
    assert (chunk.choices[0].delta.role, chunk.choices[0].finish_reason) == ("assistant", "stop")


def test_parameters_reach_the_service(script: Script, client: OpenAI) -> None:
    answer = client.chat.completions.create(
        **REPLIES,
        max_completion_tokens=9,
        temperature=0.5,
        top_p=0.25,
        seed=11,
        stop="end",
        metadata={"app": "test"},
        extra_body={"emotional_ai": {"fixed_blend": True, "kv_policy": "keep", "repetition_penalty": 1.25}},
    )
    (asked,) = script.asked
    assert asked.sampling == pb.Sampling(
        max_tokens=9, temperature=0.5, top_p=0.25, seed=11, stop=["end"], repetition_penalty=1.25
    )
    assert (asked.fixed_blend, asked.kv_policy) == (True, pb.KV_POLICY_KEEP)
    assert feeling(answer)["seed"] == 11


def test_a_seed_that_was_drawn_can_be_sent_back(script: Script, client: OpenAI) -> None:
    drawn = feeling(client.chat.completions.create(**REPLIES))["seed"]
    client.chat.completions.create(**REPLIES, seed=drawn)
    assert [one.sampling.seed for one in script.asked] == [drawn, drawn]


def test_changes_of_the_voice_are_told_at_the_end(script: Script, client: OpenAI) -> None:
    calm, tense = (
        pb.BlendChange(
            token_index=index, blend=[pb.AdapterWeight(adapter="calm", weight=weight)], temperature=0.5, top_p=0.75
        )
        for index, weight in ((0, 0.5), (2, 0.25))
    )
    script.changes = (calm, tense)
    told = feeling(client.chat.completions.create(**REPLIES))
    assert (told["blend"], told["blend_mode"]) == ({"calm": 0.5}, "exact")
    assert [(one["token_index"], one["blend"]) for one in told["changes"]] == [(0, {"calm": 0.5}), (2, {"calm": 0.25})]


class Likely(ScriptedDecoder):
    """Reports a log-probability for every token; the second of its pieces is two tokens."""

    async def generate(
        self, request: GenerationRequest, voices: AsyncIterator[Voice] | None = None
    ) -> AsyncGenerator[GenerationEvent, None]:
        async for event in super().generate(request, voices):
            if isinstance(event, Text) and event.token_index == 1:
                yield replace(event, token_count=2, logprobs=(-0.5, -float("inf")))
            elif isinstance(event, Text):
                yield replace(event, logprobs=(-0.25,))
            else:
                yield event


async def test_probabilities_of_tokens_are_told_where_they_are_asked_for(tmp_path: Path) -> None:
    decoder = Likely(tokens=2)
    decoder.let(4)
    async with speaking_service(decoder, tmp_path) as served:
        with door(served.address) as url:
            async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
                answer = await client.chat.completions.create(**REPLIES, logprobs=True)
                stream = await client.chat.completions.create(**REPLIES, logprobs=True, stream=True)
                streamed = [chunk.choices[0].logprobs async for chunk in stream]
    assert all(request.logprobs for request in decoder.asked)
    whole = answer.choices[0].logprobs
    assert whole is not None
    assert whole.content is not None
    assert [(one.token, one.logprob) for one in whole.content] == [("t0 ", -0.25), ("", -0.5), ("t1 ", -9999.0)]
    assert "".join(one.token for one in whole.content) == answer.choices[0].message.content
    assert bytes(whole.content[0].bytes or ()) == b"t0 "
    assert [token for one in streamed if one for token in one.content or ()] == whole.content


def test_a_session_is_made_when_it_is_first_spoken_to(client: OpenAI, address: str) -> None:
    for model, user in (("emotional", None), ("emotional", "bob"), ("emotional/carol", "carol")):
        client.chat.completions.create(model=model, messages=HELLO, **({"user": user} if user else {}))
    with Client(address) as asking:
        assert [one.session_id for one in asking.list_sessions()] == ["bob", "carol", "default"]


def test_words_that_are_refused_leave_no_session_behind_and_take_none_away(client: OpenAI, address: str) -> None:
    refused: Any = {"messages": [{"role": "user", "content": "unspeakable"}]}
    with Client(address) as asking:
        asking.create_session("there")
        for name in ("there", "nobody"):
            for stream in (False, True):
                with pytest.raises(openai.BadRequestError, match="cannot be said"):
                    client.chat.completions.create(model=f"emotional/{name}", stream=stream, **refused)
        assert [one.session_id for one in asking.list_sessions()] == ["there"]


def test_the_session_without_a_name_is_the_one_the_door_was_opened_with(address: str) -> None:
    with door(address, session="grace") as url, official(url) as client:
        answer = client.chat.completions.create(model="emotional", messages=HELLO)
    assert (answer.model, feeling(answer)["session"]) == ("emotional/grace", "grace")


def test_every_session_is_a_model(client: OpenAI, address: str) -> None:
    assert [(one.id, one.created) for one in client.models.list()] == [("emotional", 0)]
    with Client(address) as asking:
        made = {name: asking.create_session(name).created_at.seconds for name in ("default", "ada", "a.b:c")}
    listed = {one.id: one for one in client.models.list()}
    assert list(listed) == ["emotional", "emotional/a.b:c", "emotional/ada", "emotional/default"]
    assert listed["emotional"].created == made["default"]
    for name, created in made.items():
        assert client.models.retrieve(f"emotional/{name}") == listed[f"emotional/{name}"]
        assert listed[f"emotional/{name}"].created == created
        assert listed[f"emotional/{name}"].owned_by == "emotional-ai"
    assert client.models.retrieve("emotional").id == "emotional"


def test_a_list_of_models_is_bounded(client: OpenAI, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_list, "LISTED", 2)
    with Client(address) as asking:
        for name in ("a", "b"):
            asking.create_session(name)
        assert (client.models.list().model_extra or {})["has_more"] is False
        asking.create_session("c")
    page = client.models.list()
    assert [one.id for one in page.data] == ["emotional", "emotional/a", "emotional/b"]
    assert (page.model_extra or {})["has_more"] is True


@pytest.mark.parametrize("name", ["gpt-4o", "emotional/nobody"])
def test_a_model_there_is_not_is_not_found(client: OpenAI, name: str) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve(name)
    assert refused.value.code == "model_not_found"


def test_what_is_not_supported_becomes_the_error_of_the_official_client(client: OpenAI, script: Script) -> None:
    with pytest.raises(openai.BadRequestError, match="calls no tools") as refused:
        client.chat.completions.create(**REPLIES, tools=[{"type": "function", "function": {"name": "look"}}])
    assert (refused.value.param, refused.value.code) == ("tools", "unsupported_parameter")
    assert refused.value.type == "invalid_request_error"
    with pytest.raises(openai.BadRequestError, match="one reply"):
        client.chat.completions.create(**REPLIES, n=2)
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.chat.completions.create(model="gpt-4o", messages=HELLO)
    with pytest.raises(openai.BadRequestError, match="hears and answers"):
        client.chat.completions.create(model="emotional", messages=[*HELLO, {"role": "assistant", "content": "Hm"}])
    assert script.asked == []


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_service_refuses_is_told_in_its_words(client: OpenAI, script: Script, stream: bool) -> None:
    script.greatest_history = 1
    messages = [*HELLO, {"role": "assistant", "content": "Hm"}, *HELLO]
    with pytest.raises(openai.BadRequestError, match="too many tokens") as refused:
        client.chat.completions.create(model="emotional", messages=messages, stream=stream)
    assert (refused.value.param, refused.value.code) == ("messages", "context_length_exceeded")
    with pytest.raises(openai.BadRequestError, match="cannot be said"):
        client.chat.completions.create(
            model="emotional", messages=[{"role": "user", "content": "unspeakable"}], stream=stream
        )


@pytest.mark.parametrize("stream", [False, True])
def test_too_much_at_once_is_told_with_the_time_to_wait(address: str, stream: bool) -> None:
    busy = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "MODEL_OVERLOADED", retry_seconds=3, of=("Converse",))
    with (
        refusing_service(busy, behind=address) as refusing,
        door(refusing) as url,
        official(url) as client,
        pytest.raises(openai.RateLimitError) as refused,
    ):
        client.chat.completions.create(**REPLIES, stream=stream)
    assert refused.value.response.headers["retry-after"] == "3"
    assert (refused.value.type, refused.value.code) == ("rate_limit_error", "model_overloaded")


@pytest.mark.parametrize("stream", [False, True])
def test_a_service_that_is_away_is_told_and_found_again(stream: bool) -> None:
    port = free_port()
    with door(f"127.0.0.1:{port}") as url, official(url) as client:
        with pytest.raises(openai.InternalServerError, match="emotional-ai serve") as refused:
            client.chat.completions.create(**REPLIES, stream=stream)
        with service(replace(IN_MEMORY, port=port)):
            assert [one.id for one in client.with_options(max_retries=5).models.list()] == ["emotional"]
    assert (refused.value.status_code, refused.value.code) == (503, "unavailable")
    assert refused.value.response.headers["retry-after"] == "1"


def test_a_service_that_does_not_speak_is_not_asked_again() -> None:
    with service() as engine, door(engine) as url, official(url) as client:
        with pytest.raises(openai.InternalServerError, match="engine-only") as refused:
            client.chat.completions.create(**REPLIES)
        assert [one.id for one in client.models.list()] == ["emotional"]
    assert (refused.value.status_code, refused.value.code) == (501, "language_off")
    assert refused.value.response.headers["x-should-retry"] == "false"


def test_credentials_the_door_lacks_are_no_fault_of_the_callers_key(address: str) -> None:
    with (
        refusing_service(Refusal(grpc.StatusCode.UNAUTHENTICATED), behind=address) as refusing,
        door(refusing) as url,
        official(url) as client,
        pytest.raises(openai.InternalServerError) as refused,
    ):
        client.chat.completions.create(**REPLIES)
    assert refused.value.status_code == 502


@contextmanager
def faltering(*faults: Fault) -> Iterator[tuple[str, str, Faltering]]:
    """Addresses of a service with faults and of a door to it, and its script."""
    script = Faltering(faults=list(faults))
    with faltering_service(script) as address, door(address) as url:
        yield address, url, script


@pytest.mark.parametrize("stream", [False, True])
def test_a_retry_of_the_official_client_moves_the_state_once(stream: bool) -> None:
    with faltering(Fault(before="started")) as (address, url, script), official(url, retries=1) as client:
        answer = client.chat.completions.create(model="emotional/ada", messages=LOST, stream=stream)
        told = feeling(list(answer)[-1] if stream else answer)  # type: ignore[arg-type, call-overload]
        assert len(script.asked) == 2
        assert len({request.request_id for request in script.asked}) == 1
        (entry,) = stimuli(address, "ada")
        assert entry.request_id == told["request_id"]


def test_the_same_words_sent_again_move_the_state_again_unless_they_have_the_same_key(
    client: OpenAI, address: str
) -> None:
    for _ in range(2):
        client.chat.completions.create(model="emotional/ada", messages=LOST)
    assert len(stimuli(address, "ada")) == 2
    for _ in range(2):
        answer = client.chat.completions.create(
            model="emotional/bob", messages=LOST, extra_headers={"Idempotency-Key": "order-7"}
        )
        assert answer.choices[0].message.content == REPLY
    assert [entry.request_id for entry in stimuli(address, "bob")] == ["order-7"]
    with pytest.raises(openai.BadRequestError, match="another request") as reused:
        client.chat.completions.create(
            model="emotional/bob",
            messages=[{"role": "user", "content": "good news"}],
            extra_headers={"Idempotency-Key": "order-7"},
        )
    assert reused.value.code == "idempotency_key_reused"
    assert len(stimuli(address, "bob")) == 1


def test_what_goes_wrong_in_mid_stream_is_raised_by_the_official_client() -> None:
    with faltering(Fault(before="text", after_pieces=1)) as (_, url, _), official(url) as client:
        stream, heard = client.chat.completions.create(**REPLIES, stream=True), []
        with pytest.raises(openai.APIError, match="decoder is being restarted") as broken:
            heard.extend(stream)
    assert [chunk.choices[0].delta.content for chunk in heard] == ["", "I am "]
    assert (broken.value.type, broken.value.code) == ("server_error", "model_unavailable")


def test_what_goes_wrong_in_mid_stream_ends_it() -> None:
    with faltering(Fault(before="text", after_pieces=1)) as (_, url, _):
        answer = httpx.post(f"{url}/chat/completions", json=REPLIES | {"stream": True}, timeout=PATIENCE)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert json.loads(events[-1])["error"]["code"] == "model_unavailable"
    assert "[DONE]" not in events


@pytest.mark.parametrize("before", ["started", "finished"])
def test_a_reply_that_breaks_off_in_silence_is_no_reply(before: str) -> None:
    faults = [Fault(before=before, code=None) for _ in range(2)]
    with faltering(*faults) as (_, url, _), official(url) as client:
        with pytest.raises(openai.InternalServerError, match="broke off") as refused:
            client.chat.completions.create(**REPLIES)
        assert refused.value.status_code == 500
        with pytest.raises(openai.APIError, match="broke off"):
            list(client.chat.completions.create(**REPLIES, stream=True))


def test_who_leaves_a_stream_ends_the_reply(script: Script, client: OpenAI) -> None:
    script.pause_after = 1
    stream = client.chat.completions.create(**REPLIES, stream=True)
    assert next(stream).choices[0].delta.role == "assistant"
    assert script.paused.wait(PATIENCE)
    stream.close()
    assert script.cancelled.wait(PATIENCE)


@pytest.mark.parametrize("stream", [False, True])
def test_who_hangs_up_before_the_first_word_ends_the_reply(script: Script, url: str, stream: bool) -> None:
    script.pause_after = 0
    body = json.dumps(REPLIES | {"stream": stream})
    where = urlsplit(url)
    with socket.create_connection((str(where.hostname), int(where.port or 0)), PATIENCE) as connection:
        head = f"POST {where.path}/chat/completions HTTP/1.1\r\nHost: {where.netloc}\r\n"
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(f"{head}{kind}{body}".encode())
        assert script.paused.wait(PATIENCE)
    assert script.cancelled.wait(PATIENCE)


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"", "application/json", 400, "invalid_json"),
        (b"{", "application/json", 400, "invalid_json"),
        (b"[]", "application/json", 400, "invalid_json"),
        (b"\xff", "application/json", 400, "invalid_json"),
        (b"[" * 100_000, "application/json", 400, "invalid_json"),
        (b"{}", "application/json; charset=utf-8", 400, "missing_required_parameter"),
        (b'{"model": "emotional"}', "application/json", 400, "missing_required_parameter"),
        (b'{"model": "\\ud800", "messages": []}', "application/json", 400, "invalid_value"),
        (b'{"model": "emotional", "\\ud800": 1}', "application/json", 400, "unknown_parameter"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b"{}", "", 415, "unsupported_media_type"),
        (b" " * (4 * 1024 * 1024 + 1), "application/json", 413, "request_too_large"),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_and_survived(
    lasting: str, body: bytes, kind: str, status: int, code: str
) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = httpx.post(f"{lasting}/chat/completions", content=body, headers=headers, timeout=PATIENCE)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert httpx.post(f"{lasting}/chat/completions", json=REPLIES, timeout=PATIENCE).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/chat/completions", 405),
        ("POST", "/models", 405),
        ("DELETE", "/models/emotional", 404),
        ("POST", "/responses", 404),
        ("POST", "/embeddings", 404),
        ("GET", "/", 404),
    ],
)
def test_what_is_not_served_is_told_with_what_is(lasting: str, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, f"{lasting}{path}", timeout=PATIENCE)
    assert answer.status_code == status
    assert ("allow" in answer.headers) == (status == 405)
    assert "POST /v1/chat/completions" in answer.json()["error"]["message"]
