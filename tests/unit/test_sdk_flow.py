"""The client's side of a state stream: no batch lost, none doubled, whatever the connection does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai import DataLoss, Stimulus
from emotional_ai.flow import Flow
from emotional_ai.v1 import engine_pb2 as pb


class Peer:
    """The service's side, as the contract has it: batches apply once per token, in order, without gaps."""

    def __init__(self) -> None:
        self.applied: list[int] = []
        self.sequence = 0

    def opened(self, message: pb.StreamStateRequest) -> pb.StreamStateResponse:
        assert message.WhichOneof("message") == "open"
        self.sequence = 0
        return self.response(resume_token=message.open.resume_token or "token")

    def take(self, message: pb.StreamStateRequest) -> pb.StreamStateResponse | None:
        match message.WhichOneof("message"):
            case "batch":
                last = self.applied[-1] if self.applied else 0
                assert message.batch.number <= last + 1
                if message.batch.number > last:
                    self.applied.append(message.batch.number)
                return self.response()
            case "ack":
                assert message.ack.sequence <= self.sequence
                return None
            case other:
                raise AssertionError(other)

    def response(self, **more: str | bool) -> pb.StreamStateResponse:
        self.sequence += 1
        last = self.applied[-1] if self.applied else 0
        return pb.StreamStateResponse(
            sequence=self.sequence, state=pb.EmotionalState(version=last), acknowledged_batch=last, **more
        )


steps = st.lists(st.sampled_from(["send", "deliver", "answer", "drop", "drain", "open"]), max_size=200)


@given(steps)
def test_under_any_interruptions_every_batch_is_applied_once_and_in_order(script: list[str]) -> None:
    flow, peer = Flow("ada", window=1000), Peer()
    upwards: list[pb.StreamStateRequest] = []
    downwards: list[pb.StreamStateResponse] = []
    for step in [*script, "drop", "open"]:
        match step:
            case "send":
                message = flow.batch([Stimulus(skip_minutes=1)])
                upwards += [message] if message else []
            case "deliver" if upwards:
                answer = peer.take(upwards.pop(0))
                downwards += [answer] if answer else []
            case "answer" if downwards:
                upwards += flow.receive(downwards.pop(0))
            case "drain" if downwards:
                flow.receive(peer.response(draining=True))
                upwards.clear()
                downwards.clear()
                flow.disconnected()
            case "drop":
                upwards.clear()
                downwards.clear()
                flow.disconnected()
            case "open" if not upwards and not downwards:
                flow.disconnected()
                downwards.append(peer.opened(flow.opening()))
    for _ in range(3 * flow.sent + 3):
        if downwards:
            upwards += flow.receive(downwards.pop(0))
        if upwards:
            answer = peer.take(upwards.pop(0))
            downwards += [answer] if answer else []
    assert peer.applied == list(range(1, flow.sent + 1))
    assert flow.settled


@pytest.fixture
def opened() -> tuple[Flow, Peer]:
    flow, peer = Flow("ada", credit=2, interval_ms=50, window=2), Peer()
    flow.receive(peer.opened(flow.opening()))
    return flow, peer


def test_the_opening_carries_what_was_asked_and_later_the_token(opened: tuple[Flow, Peer]) -> None:
    flow, _ = opened
    assert flow.opening().open == pb.StreamOpen(session_id="ada", credit=2, interval_ms=50, resume_token="token")


def test_nothing_but_the_opening_is_sent_before_the_first_response() -> None:
    flow, peer = Flow("ada"), Peer()
    assert flow.batch([Stimulus()]) is None
    replies = flow.receive(peer.opened(flow.opening()))
    assert [message.WhichOneof("message") for message in replies] == ["ack", "batch"]
    assert flow.batch([Stimulus()]) is not None


def test_a_stream_is_full_while_its_window_is_not_yet_stored(opened: tuple[Flow, Peer]) -> None:
    flow, peer = opened
    first, second = flow.batch([Stimulus()]), flow.batch([Stimulus()])
    assert first is not None
    assert second is not None
    assert flow.full
    answer = peer.take(first)
    assert answer is not None
    flow.receive(answer)
    assert not flow.full
    assert not flow.settled


def test_states_that_were_not_taken_are_folded_into_the_latest(opened: tuple[Flow, Peer]) -> None:
    flow, _ = opened
    flow.take()
    assert not flow.news
    for version, coalesced in ((5, 2), (9, 3)):
        flow.receive(
            pb.StreamStateResponse(sequence=version, state=pb.EmotionalState(version=version), coalesced=coalesced)
        )
    assert flow.take().version == 9
    assert flow.coalesced == 6
    assert not flow.news


def test_a_farewell_still_brings_a_state_and_is_not_acknowledged(opened: tuple[Flow, Peer]) -> None:
    flow, peer = opened
    flow.take()
    assert flow.receive(peer.response(draining=True)) == []
    assert flow.news
    assert flow.batch([Stimulus()]) is None


def test_a_service_that_forgot_is_data_loss(opened: tuple[Flow, Peer]) -> None:
    flow, peer = opened
    message = flow.batch([Stimulus()])
    assert message is not None
    answer = peer.take(message)
    assert answer is not None
    flow.receive(answer)
    peer.applied.clear()
    flow.disconnected()
    with pytest.raises(DataLoss, match="up to 0 only, though it had acknowledged 1"):
        flow.receive(peer.opened(flow.opening()))
