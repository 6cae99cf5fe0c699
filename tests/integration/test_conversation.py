"""A conversation on real parts: the default model, the encoder, a real service, the real client."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from loopback import PATIENCE, Served, service_process

from emotional_ai import Client
from emotional_ai.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from emotional_ai.streams import Reply
from emotional_ai.v1 import engine_pb2
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai_service.decoding.messages import DEFAULT_MIN_P

SAD = engine_pb2.Chemistry(dopamine=0.2, serotonin=0.3, cortisol=0.6, oxytocin=0.5)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with service_process() as served:
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with Client(served.address) as client:
        yield client


def few(seed: int = 7, **choices: object) -> pb.Sampling:
    return pb.Sampling(seed=seed, max_tokens=12, **choices)  # type: ignore[arg-type]


def test_a_turn_moves_the_session_and_is_answered_in_the_new_state(client: Client) -> None:
    client.create_session("turn")
    before = client.state("turn")
    with client.converse("turn", "I lost my job today and I do not know what to do", sampling=few()) as reply:
        order = [event.WhichOneof("event") for event in reply]
    assert order[:2] == ["appraisal", "started"]
    assert order[-1] == "finished"
    assert set(order[2:-1]) <= {"text", "blend_change"}
    assert reply.appraisal is not None
    assert reply.appraisal.classified
    assert reply.started is not None
    assert reply.finished is not None
    state, applied = reply.started.state, reply.finished.applied
    assert state.version == before.version + 1
    assert state.valence < before.valence
    assert applied.temperature == reply.started.expression.temperature
    assert applied.conditioning == reply.started.expression.conditioning + reply.started.expression.gloss
    asked = {one.adapter: one.weight for one in reply.started.expression.blend if one.weight}
    spoken = {one.adapter: one.weight for one in applied.blend}
    assert spoken == pytest.approx(asked, abs=2e-3)
    assert set(spoken) == {one.adapter for one in applied.adapters}
    assert applied.blend_mode == pb.BLEND_MODE_EXACT
    assert len(applied.model_digest) == 64
    assert 0 < reply.finished.usage.completion_tokens <= 12
    assert reply.text.strip()


def test_words_that_carry_nothing_leave_the_session_as_it_is(client: Client) -> None:
    client.create_session("plain")
    with client.converse("plain", "The meeting is at ten.", sampling=few()) as reply:
        reply.read()
    assert reply.appraisal is not None
    assert reply.appraisal.classified == (client.state("plain").version == 2)


def test_a_seed_repeats_a_reply_and_another_seed_does_not(client: Client) -> None:
    def said(seed: int) -> str:
        with client.generate(
            "Tell me about the sea.", under=SAD, sampling=pb.Sampling(seed=seed, max_tokens=24)
        ) as reply:
            return reply.read()

    assert said(1) == said(1)
    assert said(1) != said(2)


def test_the_state_reaches_the_prompt_and_the_sampler(client: Client) -> None:
    eager = engine_pb2.Chemistry(dopamine=0.9, serotonin=0.6, cortisol=0.3, oxytocin=0.5)
    with client.generate("Hello", under=eager, sampling=few()) as lively:
        lively.read()
    with client.generate("Hello", under=SAD, sampling=few()) as low:
        low.read()
    assert lively.finished is not None
    assert low.finished is not None
    assert lively.finished.applied.temperature > low.finished.applied.temperature
    assert lively.finished.applied.conditioning.startswith("<DA=0.90>")
    assert lively.text != low.text


def test_a_request_id_moves_the_session_once_however_often_the_turn_is_said(client: Client) -> None:
    client.create_session("again")
    for _ in range(2):
        with client.converse("again", "You are wonderful, thank you!", sampling=few(), request_id="turn-1") as reply:
            reply.read()
    assert client.state("again").version == 2


def test_a_prompt_beyond_the_context_is_refused_with_both_numbers_before_it_is_heard(client: Client) -> None:
    client.create_session("long")
    context = client.get_model().context_length
    history = [pb.ChatMessage(role=pb.ROLE_USER, content="I am so happy " * 2000)] * 2
    appraised = client.get_load().appraised
    with (
        client.converse("long", "You are wonderful!", history=history) as reply,
        pytest.raises(InvalidArgument) as refusal,
    ):
        reply.read()
    assert refusal.value.reason == "PROMPT_TOO_LONG"
    assert int(refusal.value.metadata["limit"]) < context < int(refusal.value.metadata["tokens"])
    assert client.state("long").version == 1
    assert client.get_load().appraised == appraised


def test_an_adapter_that_is_not_loaded_is_refused_by_name(client: Client) -> None:
    wanted = pb.ExplicitExpression(chemistry=SAD, blend=[pb.AdapterWeight(adapter="envious", weight=1)])
    with client.generate("Hello", under=wanted) as reply, pytest.raises(NotFound, match="envious"):
        reply.read()


def test_weights_per_layer_must_be_one_for_each(client: Client) -> None:
    layers = client.get_model().layers
    assert layers > 1

    def said(count: int) -> str:
        weight = pb.AdapterWeight(adapter="high_cortisol", layer_weights=[1.0] * count)
        with client.generate(
            "Hello", under=pb.ExplicitExpression(chemistry=SAD, blend=[weight]), sampling=few()
        ) as reply:
            return reply.read()

    assert said(layers)
    with pytest.raises(InvalidArgument) as refusal:
        said(layers - 1)
    assert refusal.value.reason == "WRONG_LAYERS"


def test_an_adapter_changes_what_is_said_and_weight_zero_leaves_the_base_model(client: Client) -> None:
    def said(*weights: float) -> tuple[str, pb.AppliedExpression]:
        blend = [pb.AdapterWeight(adapter="high_cortisol", weight=weight) for weight in weights]
        under = pb.ExplicitExpression(chemistry=SAD, blend=blend, without_conditioning=True)
        sampling = pb.Sampling(temperature=0, max_tokens=24)
        with client.generate("I have an exam tomorrow.", under=under, sampling=sampling) as reply:
            text = reply.read()
        assert reply.applied is not None
        return text, reply.applied

    (anxious, full), (base, none), (turned, negative) = said(1.0), said(0.0), said(-1.0)
    assert len({anxious, base, turned}) == 3
    assert [one.weight for one in full.blend] == [1.0]
    assert [one.weight for one in negative.blend] == [-1.0]
    assert none.blend_mode == pb.BLEND_MODE_UNSPECIFIED


@pytest.mark.parametrize("min_p", [None, 0.0, 0.4])
def test_a_reply_that_moved_while_it_was_spoken_is_said_again_from_its_record(
    client: Client, min_p: float | None
) -> None:
    def moved(seed: int) -> Reply:
        session = f"moving-{min_p}-{seed}"
        client.create_session(session)
        sampling = pb.Sampling(seed=seed, max_tokens=60, min_p=min_p)
        with client.generate("Tell me a long story about the sea.", under=session, sampling=sampling) as spoken:
            for event in spoken:
                if event.WhichOneof("event") == "text" and event.text.token_index < 4:
                    client.apply(session, threat=1.0, uncertainty=0.8)
        return spoken

    # A short reply may be over before the change reaches it; then another is asked for.
    reply = next((spoken for spoken in map(moved, range(11, 23)) if spoken.changes), None)
    assert reply is not None
    assert reply.applied is not None
    assert list(reply.applied.changes)[1:] == reply.changes
    assert reply.applied.min_p == (DEFAULT_MIN_P if min_p is None else min_p)
    with client.replay("Tell me a long story about the sea.", reply) as again:
        assert again.read() == reply.text
    assert again.applied is not None
    assert again.applied.min_p == reply.applied.min_p
    assert list(again.applied.changes) == list(reply.applied.changes)


def test_a_text_of_a_megabyte_or_of_control_characters_is_refused_by_its_place(client: Client) -> None:
    for text in ("x" * 1_000_000, "\x00\x01\x02"):
        with pytest.raises(InvalidArgument) as refusal:
            client.appraise(["fine", text])
        assert refusal.value.violations[0].field == "texts[1]"


def test_words_that_cannot_be_read_are_refused_by_their_field_and_change_nothing(client: Client) -> None:
    client.create_session("noise")
    with client.converse("noise", "\x00\x01") as reply, pytest.raises(InvalidArgument) as refusal:
        reply.read()
    assert [violation.field for violation in refusal.value.violations] == ["text"]
    assert client.state("noise").version == 1


def test_appraisal_answers_each_text_in_order(client: Client) -> None:
    texts = [f"number {index}" for index in range(40)]
    texts[20] = "I am terrified of what is going to happen"
    found = client.appraise(texts)
    assert len(found) == 40
    assert found[20].signals.threat > 0
    assert found[20].valence < 0


def test_leaving_a_reply_early_frees_the_decoder(client: Client) -> None:
    for _ in range(3):
        with client.generate("Tell me a long story.", under=SAD, sampling=pb.Sampling(max_tokens=2000)) as reply:
            next(iter(reply.pieces()))
    with client.generate("Hello", under=SAD, sampling=few(), timeout=PATIENCE) as reply:
        assert reply.read()


def test_a_killed_decoder_is_back_without_a_restart_and_no_state_is_lost(served: Served, client: Client) -> None:
    client.create_session("calm")
    client.apply("calm", praise=0.5)
    with client.generate("Tell me a long story.", under=SAD, sampling=pb.Sampling(max_tokens=2000)) as reply:
        pieces = reply.pieces()
        next(pieces)
        os.kill(decoder_pid(served), signal.SIGKILL)
        with pytest.raises(Unavailable) as lost:
            for _ in pieces:
                pass
    assert lost.value.retry_after is not None
    assert lost.value.retry_after > 0
    assert client.apply("calm", praise=0.5).version == 3
    # Words said while the decoder is away are heard all the same, once; it may be back before they are said again.
    for away in (pytest.raises(Unavailable), suppress(Unavailable)):
        with client.converse("calm", "You are wonderful, thank you!", request_id="away", sampling=few()) as unanswered:
            with away:
                unanswered.read()
            assert unanswered.appraisal is not None
    assert client.state("calm").version == 4
    assert said_once_back(client)


def said_once_back(client: Client) -> str:
    """A reply of the decoder that is being started again."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with client.generate("Hello", under=SAD, sampling=few()) as again:
                return again.read()
        except Unavailable:
            assert time.monotonic() < end, "the decoder did not come back in time"
            time.sleep(0.1)  # the decoder needs the processor more than whoever asks for it


def decoder_pid(served: Served) -> int:
    """The child of the service that has the language model, the largest one, in memory."""
    children = subprocess.run(
        ["ps", "--ppid", str(served.process.pid), "-o", "pid=,rss="], capture_output=True, text=True, check=True
    ).stdout.split()
    return max((int(rss), int(pid)) for pid, rss in zip(children[::2], children[1::2], strict=True))[1]


def test_an_engine_without_language_says_so() -> None:
    with service_process("--engine-only") as served, Client(served.address) as client:
        client.create_session("mute")
        with pytest.raises(FailedPrecondition, match="engine-only"):
            client.appraise("hello")
        assert client.preview_expression("mute").temperature == pytest.approx(0.8)


def test_a_directory_that_is_not_a_model_is_refused_at_the_start(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"is not a model: .*config\.json"),
        service_process("--model", str(tmp_path)),
    ):
        pass
