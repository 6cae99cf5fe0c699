"""The clients' streamed replies over a real connection to a scripted service."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from emotional_ai import AsyncClient, ChatMessage, Chemistry, Client, DeadlineExceeded, Role, Sampling, Unavailable
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.v1 import training_pb2
from emotional_ai.v1.inference_pb2_grpc import InferenceServicer, add_InferenceServicer_to_server
from emotional_ai.v1.training_pb2_grpc import TrainingServicer, add_TrainingServicer_to_server

PATIENCE = 20.0
"""Seconds a test waits for what must come."""

APPLIED = pb.AppliedExpression(
    temperature=0.5,
    repetition_penalty=1.25,
    min_p=0.25,
    conditioning="<DA=0.50> mood: calm",
    seed=7,
    kv_policy=pb.KV_POLICY_STRICT,
    changes=[pb.BlendChange(token_index=0, top_p=0.75), pb.BlendChange(token_index=1, top_p=0.5)],
)
USAGE = pb.Usage(prompt_tokens=9, completion_tokens=2)


class Scripted(InferenceServicer, TrainingServicer):
    """Speaks two words; "endless" never stops by itself, "broken" breaks after the first word, "starting" refuses once."""

    def __init__(self) -> None:
        self.requests: list[object] = []
        self.hung_up = threading.Event()
        self.refusals = 1
        self.watched: list[int] = []

    def Converse(self, request, context):
        self.requests.append(request)
        context.add_callback(self.hung_up.set)
        if request.text == "starting" and self.refusals:
            self.refusals -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "the decoder is being started")
        yield pb.ConverseResponse(appraisal=pb.Appraisal(classified=True))
        yield pb.ConverseResponse(started=pb.ReplyStarted(seed=7))
        yield pb.ConverseResponse(text=pb.ReplyText(text="Hello"))
        if request.text == "broken":
            context.abort(grpc.StatusCode.UNAVAILABLE, "the decoder died")
        if request.text == "endless":
            self.hung_up.wait(PATIENCE)
            return
        yield pb.ConverseResponse(blend_change=pb.BlendChange(token_index=1, top_p=0.5))
        yield pb.ConverseResponse(text=pb.ReplyText(text=" there"))
        yield pb.ConverseResponse(finished=pb.ReplyFinished(reason=pb.FINISH_REASON_STOP, applied=APPLIED, usage=USAGE))

    def Generate(self, request, context):
        self.requests.append(request)
        yield pb.GenerateResponse(started=pb.ReplyStarted(seed=7))
        yield pb.GenerateResponse(text=pb.ReplyText(text="Hello"))
        yield pb.GenerateResponse(finished=pb.ReplyFinished(reason=pb.FINISH_REASON_LENGTH))

    def Appraise(self, request, context):
        self.requests.append(request)
        return pb.AppraiseResponse(appraisals=[pb.Appraisal(confidence=len(text) / 100) for text in request.texts])

    def PreviewExpression(self, request, context):
        self.requests.append(request)
        return pb.PreviewExpressionResponse(expression=pb.Expression(temperature=0.9))

    def WatchJob(self, request, context):
        self.watched.append(request.after_sequence)
        for sequence in range(request.after_sequence + 1, 4):
            yield training_pb2.WatchJobResponse(progress=training_pb2.JobProgress(sequence=sequence))
            if sequence == 2 and len(self.watched) == 1:
                context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")


@pytest.fixture
def service() -> Scripted:
    return Scripted()


@pytest.fixture
def target(service: Scripted) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(8))
    add_InferenceServicer_to_server(service, server)
    add_TrainingServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    service.hung_up.set()
    server.stop(None).wait(PATIENCE)


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    with Client(target) as client:
        yield client


def test_a_reply_gathers_its_text_and_what_it_was_spoken_with(client: Client) -> None:
    with client.converse("ada", "hello") as reply:
        assert reply.finished is None
        assert list(reply.pieces()) == ["Hello", " there"]
    assert reply.text == "Hello there"
    assert reply.appraisal is not None
    assert reply.appraisal.classified
    assert reply.started is not None
    assert reply.started.seed == 7
    assert reply.finished is not None
    assert reply.finished.reason == pb.FINISH_REASON_STOP


def test_a_reply_keeps_the_changes_of_its_voice(client: Client) -> None:
    with client.converse("ada", "hello") as reply:
        assert reply.applied is None
        reply.read()
    assert [change.token_index for change in reply.changes] == [1]
    assert reply.applied is not None
    assert [change.top_p for change in reply.applied.changes] == [0.75, 0.5]


def test_a_finished_reply_is_said_again_from_its_record(client: Client, service: Scripted) -> None:
    with client.converse("ada", "hello") as reply:
        reply.read()
    sampling = Sampling(seed=1, top_k=5, temperature=0.1, min_p=0.5, stop=["."])
    with client.replay("hello", reply, sampling=sampling) as again:
        again.read()
    request = service.requests[-1]
    assert isinstance(request, pb.GenerateRequest)
    assert [message.content for message in request.messages] == ["hello"]
    assert list(request.explicit.schedule) == list(APPLIED.changes)
    assert not request.explicit.without_conditioning
    assert request.kv_policy == pb.KV_POLICY_STRICT
    said = Sampling(seed=7, top_k=5, stop=["."], repetition_penalty=1.25, min_p=0.25, max_tokens=2)
    assert request.sampling == said


def test_only_a_finished_reply_that_tells_its_changes_is_said_again(client: Client) -> None:
    with client.converse("ada", "hello") as unread, pytest.raises(ValueError, match="finished"):
        client.replay("hello", unread)
    with client.generate("hello", under="ada") as untold:
        untold.read()
    with pytest.raises(ValueError, match="changes"):
        client.replay("hello", untold)


def test_a_reply_can_be_read_whole_or_event_by_event(client: Client) -> None:
    with client.generate("hello", under="ada") as reply:
        assert reply.read() == "Hello"
    with client.generate("hello", under="ada") as reply:
        assert [event.WhichOneof("event") for event in reply] == ["started", "text", "finished"]


def test_what_a_reply_is_spoken_under_is_told_apart_by_its_type(client: Client, service: Scripted) -> None:
    chemistry = Chemistry(dopamine=0.9, serotonin=0.5, cortisol=0.1, oxytocin=0.5)
    for under in ("ada", chemistry, pb.ExplicitExpression(chemistry=chemistry, without_conditioning=True)):
        with client.generate("hello", under=under, sampling=Sampling(seed=1)) as reply:
            reply.read()
    assert [request.WhichOneof("under") for request in service.requests] == ["session_id", "explicit", "explicit"]
    assert [request.explicit.without_conditioning for request in service.requests] == [False, False, True]
    assert all(request.explicit.chemistry == chemistry for request in service.requests[1:])
    assert service.requests[0].messages == [ChatMessage(role=Role.ROLE_USER, content="hello")]


def test_an_expression_is_previewed_for_a_session_or_a_state(client: Client, service: Scripted) -> None:
    assert client.preview_expression("ada").temperature == 0.9
    assert client.preview_expression(Chemistry(dopamine=0.9)).temperature == 0.9
    assert [request.WhichOneof("of") for request in service.requests] == ["session_id", "chemistry"]


def test_one_text_is_one_text_and_not_its_letters(client: Client, service: Scripted) -> None:
    assert len(client.appraise("hello")) == 1
    assert len(client.appraise(["hello", "world"])) == 2


def test_a_turn_is_tried_again_before_its_first_event_with_the_same_request_id(
    client: Client, service: Scripted
) -> None:
    with client.converse("ada", "starting") as reply:
        assert reply.read() == "Hello there"
    assert len(service.requests) == 2
    assert len({request.request_id for request in service.requests}) == 1
    assert service.requests[0].request_id


def test_a_reply_that_breaks_is_raised_and_not_begun_again(client: Client, service: Scripted) -> None:
    with client.converse("ada", "broken") as reply, pytest.raises(Unavailable, match="the decoder died"):
        reply.read()
    assert reply.text == "Hello"
    assert reply.finished is None
    assert len(service.requests) == 1


def test_leaving_a_reply_stops_it_at_the_service(client: Client, service: Scripted) -> None:
    with client.converse("ada", "endless") as reply:
        next(reply.pieces())
    assert service.hung_up.wait(PATIENCE)


def test_a_reply_has_a_deadline(client: Client) -> None:
    with client.converse("ada", "endless", timeout=0.3) as reply, pytest.raises(DeadlineExceeded):
        reply.read()


def test_a_reply_outside_its_block_says_how_it_is_used(client: Client) -> None:
    with pytest.raises(ValueError, match="`with` block"):
        client.converse("ada", "hello").read()


def test_a_job_is_watched_to_its_end_through_an_interruption(client: Client, service: Scripted) -> None:
    with client.watch_job("one") as watch:
        assert [report.progress.sequence for report in watch] == [1, 2, 3]
    assert service.watched == [0, 2]


async def test_by_asyncio_a_reply_is_spoken_and_stopped_alike(target: str, service: Scripted) -> None:
    async with AsyncClient(target) as client:
        async with client.converse("ada", "hello") as reply:
            assert [piece async for piece in reply.pieces()] == ["Hello", " there"]
        assert reply.finished is not None
        async with client.generate("hello", under="ada") as generated:
            assert await generated.read() == "Hello"
        async with client.converse("ada", "broken") as broken:
            with pytest.raises(Unavailable, match="the decoder died"):
                await broken.read()
        service.hung_up.clear()
        async with client.converse("ada", "endless") as endless:
            await anext(aiter(endless.pieces()))
        async with client.watch_job("one") as watch:
            assert [report.progress.sequence async for report in watch] == [1, 2, 3]
