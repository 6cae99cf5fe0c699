"""What a request of OpenAI's API comes to: a turn the contract allows, or a refusal that names the parameter at fault."""

import json
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import completion_create_params
from starlette.requests import Request

from emotional_ai.errors import ERRORS, DeadlineExceeded, Details, InvalidArgument, Unavailable, Violation
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.doors.openai.bodies import object_of
from emotional_ai.web.doors.openai.given import Given
from emotional_ai.web.doors.openai.refusals import STATUSES, Problem, Refused, problem_of
from emotional_ai.web.doors.openai.retries import Retries
from emotional_ai.web.doors.openai.turn import EXTENSION, EXTENSIONS, SUPPORTED, Turn, turn_of
from emotional_ai.web.doors.openai.unsupported import HARMLESS, UNSUPPORTED
from emotional_ai_service.validation import check

T = TypeVar("T")

USER = {"role": "user", "content": "hello"}


def turn(**changes: object) -> Turn:
    """The turn of a request that asks for nothing special, but for the changes."""
    return turn_of(Given({"model": "emotional", "messages": [USER]} | changes), "default")


def refusal(**changes: object) -> tuple[str | None, str | None, str]:
    """Parameter, code and words such a request is refused with."""
    with pytest.raises(Refused) as refused:
        turn(**changes)
    problem = refused.value.problem
    return problem.param, problem.code, problem.message


def test_a_plain_request_leaves_everything_to_the_state() -> None:
    asked = turn()
    assert (asked.session_id, asked.text, list(asked.history)) == ("default", "hello", [])
    assert (asked.stream, asked.usage, asked.fixed_blend, asked.kv_policy) == (False, False, False, 0)
    set_ = {field.name for field, _ in asked.sampling.ListFields()}
    assert set_ == {"seed"}


def test_a_seed_that_is_drawn_is_a_number_every_language_can_send_back() -> None:
    drawn = [turn().sampling.seed for _ in range(50)]
    assert max(drawn) < 2**53
    assert len(set(drawn)) == len(drawn)


def test_what_is_given_is_what_is_asked_of_the_service() -> None:
    asked = turn(
        max_completion_tokens=7.0,
        temperature=0,
        top_p=1,
        seed=2**64 - 1,
        stop=["a", "b"],
        logprobs=True,
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        emotional_ai={"fixed_blend": True, "kv_policy": "strict", "top_k": 5, "min_p": 0.2, "repetition_penalty": 1.5},
    )
    assert asked.sampling == pb.Sampling(
        max_tokens=7,
        temperature=0,
        top_p=1,
        seed=2**64 - 1,
        stop=["a", "b"],
        logprobs=True,
        top_k=5,
        min_p=0.2,
        repetition_penalty=1.5,
    )
    assert (asked.stream, asked.usage) == (True, True)
    assert (asked.fixed_blend, asked.kv_policy) == (True, pb.KV_POLICY_STRICT)


def test_one_stop_may_stand_alone_and_none_may_be_an_empty_list() -> None:
    assert list(turn(stop="\n").sampling.stop) == ["\n"]
    assert list(turn(stop=[]).sampling.stop) == []


def test_a_null_is_as_good_as_nothing() -> None:
    names = [name for name in (*SUPPORTED, *HARMLESS, *UNSUPPORTED) if name not in ("model", "messages")]
    with_nulls, plain = turn(**dict.fromkeys(names)), turn()
    assert (with_nulls.history, with_nulls.text, with_nulls.stream) == (plain.history, plain.text, plain.stream)


@pytest.mark.parametrize(
    ("model", "user", "session_id"),
    [
        ("emotional", None, "default"),
        ("emotional", "ada", "ada"),
        ("emotional/ada", None, "ada"),
        ("emotional/ada", "ada", "ada"),
        ("emotional/a.b:c-d_9", None, "a.b:c-d_9"),
    ],
)
def test_the_session_is_named_by_the_user_or_the_model(model: str, user: str | None, session_id: str) -> None:
    assert turn(model=model, user=user).session_id == session_id


def test_two_sessions_in_one_request_are_refused_with_both_names() -> None:
    param, _, words = refusal(model="emotional/ada", user="bob")
    assert param == "user"
    assert "'bob'" in words
    assert "'ada'" in words


@pytest.mark.parametrize("model", ["gpt-4o", "emotional2", "Emotional", "", "/ada", "emotional-ada"])
def test_a_model_there_is_not_is_told_as_openai_tells_it(model: str) -> None:
    with pytest.raises(Refused) as refused:
        turn(model=model)
    problem = refused.value.problem
    assert (problem.status, problem.code, problem.param) == (404, "model_not_found", "model")
    assert problem.message.startswith("The model ")
    assert "emotional" in problem.message


@pytest.mark.parametrize("name", ["", " ada", "a b", "-ada", "a/b", "ä", "a" * 129, "ada\n", "mary@example.org"])
def test_a_name_no_session_can_have_is_refused_wherever_it_stands(name: str) -> None:
    assert refusal(user=name)[0] == "user"
    assert refusal(model=f"emotional/{name}")[0] == "model"
    assert "beginning with a letter or digit" in refusal(user=name)[2]


def test_the_conversation_becomes_history_and_what_is_heard() -> None:
    asked = turn(
        messages=[
            {"role": "system", "content": "Be Ada."},
            {"role": "developer", "content": "Be brief."},
            USER,
            {"role": "assistant", "content": "Good day."},
            {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        ]
    )
    assert [(one.role, one.content) for one in asked.history] == [
        (pb.ROLE_SYSTEM, "Be Ada."),
        (pb.ROLE_SYSTEM, "Be brief."),
        (pb.ROLE_USER, "hello"),
        (pb.ROLE_ASSISTANT, "Good day."),
    ]
    assert asked.text == "one\ntwo"


def test_an_answer_of_ours_can_be_sent_back_as_the_official_client_has_it() -> None:
    ours = {"role": "assistant", "content": "Good day.", "refusal": None, "annotations": [], "tool_calls": None}
    assert [one.content for one in turn(messages=[USER, ours, USER]).history] == ["hello", "Good day."]


def test_an_earlier_reply_of_no_words_is_left_out() -> None:
    messages = [USER, {"role": "assistant", "content": ""}, USER]
    assert [one.content for one in turn(messages=messages).history] == ["hello"]


LONG = "x" * 32_769
IMAGE = {"type": "image_url", "image_url": {"url": "data:"}}
WRONG_MESSAGES: list[tuple[object, str]] = [
    (None, "messages"),
    ("hello", "messages"),
    ([], "messages"),
    ([USER] * 258, "messages"),
    (["hello"], "messages[0]"),
    ([{"content": "hello"}], "messages[0].role"),
    ([{"role": "tool", "content": "hello", "tool_call_id": "1"}], "messages[0].role"),
    ([{"role": "function", "content": "hello"}], "messages[0].role"),
    ([{"role": 1, "content": "hello"}], "messages[0].role"),
    ([{"role": "user"}], "messages[0].content"),
    ([{"role": "user", "content": ""}], "messages[0].content"),
    ([{"role": "user", "content": []}], "messages[0].content"),
    ([{"role": "system", "content": ""}, USER], "messages[0].content"),
    ([{"role": "user", "content": 7}], "messages[0].content"),
    ([{"role": "user", "content": LONG}], "messages[0].content"),
    ([{"role": "user", "content": "\ud800"}], "messages[0].content"),
    ([{"role": "user", "content": [IMAGE]}], "messages[0].content[0].type"),
    ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
    ([{"role": "user", "content": ["hello"]}], "messages[0].content[0]"),
    ([{"role": "user", "content": "hello", "name": "Mary"}], "messages[0].name"),
    ([USER, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, USER], "messages[1].tool_calls"),
    ([USER, {"role": "assistant", "content": "Good day."}], "messages[1].role"),
    ([{"role": "system", "content": "Be Ada."}], "messages[0].role"),
]


@pytest.mark.parametrize(
    ("messages", "param"), WRONG_MESSAGES, ids=[f"{n}-{one[1]}" for n, one in enumerate(WRONG_MESSAGES)]
)
def test_a_conversation_that_cannot_be_carried_is_refused_by_the_place_in_it(messages: object, param: str) -> None:
    assert refusal(messages=messages)[0] == param


WRONG_VALUES: list[tuple[str, object]] = [
    ("max_tokens", 0),
    ("max_tokens", 4097),
    ("max_tokens", 1.5),
    ("max_tokens", True),
    ("max_tokens", "7"),
    ("max_completion_tokens", 1e300),
    ("temperature", -0.1),
    ("temperature", 2.1),
    ("temperature", "hot"),
    ("temperature", False),
    ("top_p", 0),
    ("top_p", 1.01),
    ("seed", -1),
    ("seed", 2**64),
    ("stop", 7),
    ("stop", ""),
    ("stop", "x" * 65),
    ("stop", ["x"] * 9),
    ("logprobs", 5),
    ("stream", "yes"),
    ("stream_options", {"include_usage": True}),
    ("user", 7),
    ("emotional_ai", "sad"),
]


@pytest.mark.parametrize(("name", "value"), WRONG_VALUES)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    param, _, words = refusal(**{name: value})
    assert param == name
    assert name in words


def test_two_limits_that_differ_are_refused_and_one_given_twice_is_not() -> None:
    assert refusal(max_tokens=5, max_completion_tokens=6)[0] == "max_tokens"
    assert turn(max_tokens=5, max_completion_tokens=5).sampling.max_tokens == 5


@pytest.mark.parametrize(
    ("extension", "param"),
    [
        ({"mood": "sad"}, "emotional_ai.mood"),
        ({"kv_policy": "never"}, "emotional_ai.kv_policy"),
        ({"fixed_blend": 1}, "emotional_ai.fixed_blend"),
        ({"top_k": 1001}, "emotional_ai.top_k"),
        ({"repetition_penalty": 0.9}, "emotional_ai.repetition_penalty"),
        ({"min_p": 1}, "emotional_ai.min_p"),
        ({"min_p": -0.1}, "emotional_ai.min_p"),
    ],
)
def test_the_extension_is_held_to_its_own_names_and_ranges(extension: dict[str, object], param: str) -> None:
    assert refusal(emotional_ai=extension)[0] == param


def test_pieces_are_not_obfuscated() -> None:
    param, code, _ = refusal(stream=True, stream_options={"include_obfuscation": True})
    assert (param, code) == ("stream_options.include_obfuscation", "unsupported_parameter")


ASKING: dict[str, object] = {
    "tools": [{"type": "function", "function": {"name": "look"}}],
    "tool_choice": "required",
    "parallel_tool_calls": "yes",
    "functions": [{"name": "look"}],
    "function_call": {"name": "look"},
    "response_format": {"type": "json_object"},
    "n": 2,
    "top_logprobs": 3,
    "logit_bias": {"50256": -100},
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "prediction": {"type": "content", "content": "hello"},
    "reasoning_effort": "high",
    "verbosity": "low",
    "web_search_options": {},
    "moderation": {"model": "omni"},
    "store": True,
    "service_tier": "flex",
}
"""A value of each unsupported parameter that asks for something."""


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_supported_is_refused_by_name_unless_it_asks_for_nothing(name: str) -> None:
    param, code, words = refusal(**{name: ASKING[name]})
    assert (param, code) == (name, "unsupported_parameter")
    assert words.startswith(f"{name} is not supported")
    for nothing in UNSUPPORTED[name].nothing:
        turn(**{name: nothing})


def test_true_is_no_number() -> None:
    assert refusal(n=True)[0] == "n"
    assert refusal(presence_penalty=False)[0] == "presence_penalty"


def test_what_only_helps_openai_keep_house_changes_nothing() -> None:
    turn(**dict.fromkeys(HARMLESS, "anything") | {"metadata": {"a": "b"}})


@pytest.mark.parametrize("name", ["mirostat", "best_of", "x" * 500])
def test_an_unknown_parameter_is_refused_with_those_there_are(name: str) -> None:
    param, code, words = refusal(**{name: 1})
    assert code == "unknown_parameter"
    assert param is not None
    assert len(param) < 80
    assert "temperature" in words
    assert "audio" not in words


@pytest.mark.parametrize("name", EXTENSIONS)
def test_a_member_of_the_extension_given_outside_it_is_told_where_it_belongs(name: str) -> None:
    _, code, words = refusal(**{name: 1})
    assert code == "unknown_parameter"
    assert EXTENSION in words


def test_every_parameter_of_the_official_client_has_been_thought_of() -> None:
    theirs = set(get_type_hints(completion_create_params.CompletionCreateParamsStreaming))
    assert theirs <= SUPPORTED | HARMLESS | UNSUPPORTED.keys()
    assert "temperature" in theirs


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**65) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "developer"]), "content": st.text(min_size=1, max_size=20)}
)
LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["emotional", "emotional/ada"]),
    "messages": st.lists(MESSAGE, max_size=3).map(lambda said: [*said, USER]),
    "user": st.just("ada"),
    "max_tokens": st.integers(1, 4096),
    "temperature": st.floats(0, 2),
    "top_p": st.floats(0, 1),
    "seed": st.integers(0, 2**64 - 1),
    "stop": st.lists(st.text(max_size=66), max_size=9),
    "logprobs": st.booleans(),
    "stream": st.booleans(),
    "emotional_ai": st.fixed_dictionaries(
        {},
        optional={
            "top_k": st.integers(0, 1000),
            "min_p": st.floats(0, 1, exclude_max=True),
            "repetition_penalty": st.floats(1, 2),
            "fixed_blend": st.booleans(),
        },
    ),
}
NEEDED = {name: LIKELY[name] for name in ("model", "messages")}
OPTIONAL = {name: likely for name, likely in LIKELY.items() if name not in NEEDED}
REQUESTS = (
    st.fixed_dictionaries(NEEDED, optional=OPTIONAL)
    | st.fixed_dictionaries(NEEDED, optional={name: likely | JSON for name, likely in OPTIONAL.items()})
    | st.dictionaries(st.sampled_from(sorted(SUPPORTED)), JSON)
)


def answer_to(question: Callable[[], T]) -> T | Problem:
    """What it comes to, or why it was refused."""
    try:
        return question()
    except Refused as refused:
        return refused.problem


@given(REQUESTS)
def test_a_request_is_refused_in_json_or_is_one_the_contract_allows(request: dict[str, Any]) -> None:
    asked = answer_to(lambda: turn_of(Given(request), "default"))
    if isinstance(asked, Problem):
        assert json.loads(asked.answer().body)["error"]["message"]
        return
    check(
        pb.ConverseRequest(
            session_id=asked.session_id,
            text=asked.text,
            history=asked.history,
            sampling=asked.sampling,
            kv_policy=asked.kv_policy,
        )
    )


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    found = answer_to(lambda: object_of(body))
    assert isinstance(found, Given) or found.code in ("invalid_json", "duplicate_member")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"a": NaN}', b'{"a": Infinity}', b"\xff", b"[" * 100_000, b'{"a":' + b"1" * 5000 + b"}"],
)
def test_a_body_that_is_no_object_of_json_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="cannot be read as a JSON object"):
        object_of(body)


@pytest.mark.parametrize(
    ("body", "twice"),
    [(b'{"seed": 1, "seed": 2}', "seed"), (b'{"messages": [{"role": "user", "role": "user"}]}', "role")],
)
def test_a_member_that_is_given_twice_is_refused_by_name(body: bytes, twice: str) -> None:
    with pytest.raises(Refused, match=f'"{twice}" is given twice') as refusal:
        object_of(body)
    assert (refusal.value.problem.param, refusal.value.problem.code) == (twice, "duplicate_member")


@pytest.mark.timeout(30)
def test_a_member_that_is_given_twice_is_found_at_once_among_any_number() -> None:
    members = ", ".join(f'"{number}": 0' for number in range(250_000))
    with pytest.raises(Refused, match='"249999" is given twice'):
        object_of(f'{{{members}, "249999": 1}}'.encode())


def test_every_error_of_the_client_has_a_status() -> None:
    assert STATUSES.keys() == set(ERRORS.values())


def test_silence_of_the_service_is_told_with_the_command_that_ends_it() -> None:
    problem = problem_of(Unavailable("failed to connect to all addresses"))
    assert (problem.status, problem.retry_after) == (503, 1.0)
    assert "emotional-ai serve" in problem.message
    assert "addresses" not in problem.message
    assert problem_of(DeadlineExceeded("Deadline Exceeded")).message.startswith("the emotional service did not answer")


@pytest.mark.parametrize(
    ("field", "param"),
    [("text", "messages"), ("history[3].content", "messages"), ("sampling.top_p", "top_p"), ("session_id", None)],
)
def test_a_field_of_the_contract_is_told_as_the_parameter_it_came_from(field: str, param: str | None) -> None:
    error = InvalidArgument("no", Details("INVALID_REQUEST", violations=(Violation(field, "no"),)))
    assert problem_of(error).param == param


def test_a_text_the_service_cannot_read_is_told_as_the_last_message() -> None:
    unread = Violation("text", "text 0 holds nothing readable: only control characters or space")
    problem = problem_of(
        InvalidArgument("text: text 0 holds nothing", Details("INVALID_REQUEST", violations=(unread,)))
    )
    assert problem.message == "the last message holds nothing readable: only control characters or space"


def sent(body: bytes = b"{}", **headers: str) -> tuple[Request, bytes]:
    """A request, and its body."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw, "client": ("127.0.0.1", 1)}), body


def test_a_request_sent_again_has_the_id_it_had() -> None:
    retries = Retries()
    first = retries.request_id(*sent(x_stainless_retry_count="0"))
    assert retries.request_id(*sent(x_stainless_retry_count="1")) == first
    assert retries.request_id(*sent(x_stainless_retry_count="2")) == first


def test_the_same_words_said_again_are_new_words() -> None:
    retries = Retries()
    ids = [retries.request_id(*sent(x_stainless_retry_count="0")) for _ in range(3)]
    ids += [retries.request_id(*sent()) for _ in range(3)]
    assert len(set(ids)) == 6


def test_a_retry_is_told_from_that_of_others() -> None:
    retries = Retries()
    mine = retries.request_id(*sent(x_stainless_retry_count="0", authorization="Bearer mine"))
    assert retries.request_id(*sent(x_stainless_retry_count="1", authorization="Bearer yours")) != mine
    assert retries.request_id(*sent(b"[]", x_stainless_retry_count="1", authorization="Bearer mine")) != mine
    assert retries.request_id(*sent(x_stainless_retry_count="1", authorization="Bearer mine")) == mine


def test_a_key_is_the_id() -> None:
    retries = Retries()
    assert retries.request_id(*sent(idempotency_key="order-7")) == "order-7"
    with pytest.raises(Refused, match="at most 128"):
        retries.request_id(*sent(idempotency_key="k" * 129))


def test_only_the_latest_requests_are_known_again() -> None:
    retries = Retries(remembered=2)
    bodies = [b"1", b"2", b"3"]
    ids = [retries.request_id(*sent(body)) for body in bodies]
    again = [retries.request_id(*sent(body, x_stainless_retry_count="1")) for body in (b"3", b"2", b"1")]
    assert again[:2] == [ids[2], ids[1]]
    assert again[2] not in ids
