"""However many write to a session at once, its log is one order of all they wrote, and its state the replay of that log."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lives import replayed, same
from loopback import IN_MEMORY, PATIENCE, in_file, service
from wire_client import event

from emotional_ai import Client, Stimulus, SustainedSignals
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai_service.settings import Settings

HABITS = pb.DynamicsConfig(
    mood=pb.MoodConfig(), circadian=pb.CircadianConfig(), habituation=pb.HabituationConfig(), time_scale=600
)

one_stimulus = st.one_of(
    st.builds(lambda a, b: event(reward=a, threat=b), st.floats(0, 1), st.floats(0, 1)),
    st.builds(lambda minutes: Stimulus(skip_minutes=minutes), st.floats(0.1, 500)),
    st.builds(
        lambda a, minutes: Stimulus(sustained=SustainedSignals(signals=pb.Signals(praise=a), duration_minutes=minutes)),
        st.floats(0, 1),
        st.floats(0, 30),
    ),
)
writers = st.lists(st.lists(st.lists(one_stimulus, min_size=1, max_size=3), min_size=1, max_size=4), max_size=4)


@pytest.fixture(scope="module", params=["memory", "file"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    settings: Settings = IN_MEMORY
    if request.param == "file":
        settings = in_file(Path(tmp_path_factory.mktemp("order")) / "sessions.db")
    with service(settings) as address, Client(address) as client:
        yield client


@settings(max_examples=8, deadline=None)
@given(writers)
def test_any_interleaving_is_one_order_in_which_every_writer_keeps_its_own(
    client: Client, writers: list[list[list[Stimulus]]]
) -> None:
    session_id = client.create_session(config=pb.SessionConfig(dynamics=HABITS)).session_id
    with ThreadPoolExecutor(max_workers=5) as pool:
        written = [pool.submit(write, client, session_id, name, batches) for name, batches in enumerate(writers)]
        reported = [state for one in written for state in one.result(PATIENCE)]
    log = client.export_session(session_id).entries
    stimuli = [entry.stimulus for entry in log[1:]]
    assert [entry.sequence for entry in log] == list(range(1, len(log) + 1))
    assert all(a.time.ToNanoseconds() <= b.time.ToNanoseconds() for a, b in pairwise(log))
    for name, batches in enumerate(writers):
        sent = [(f"{name}.{number}", one) for number, batch in enumerate(batches) for one in batch]
        assert [(one.note, bare(one)) for one in stimuli if one.note.startswith(f"{name}.")] == sent
    assert len(stimuli) == sum(len(batch) for batches in writers for batch in batches)
    assert_batches_are_whole(stimuli)
    path = replayed(log)
    for state in reported:
        assert same(state, path[state.version - 1].moment)
    now = client.state(session_id)
    assert same(now, path[-1].at(now.time.ToMicroseconds()))


def write(client: Client, session_id: str, name: int, batches: list[list[Stimulus]]) -> list[pb.EmotionalState]:
    """One writer's batches, one after the other, each marked in its note."""
    states = []
    for number, batch in enumerate(batches):
        marked = [Stimulus() for _ in batch]
        for mark, stimulus in zip(marked, batch, strict=True):
            mark.CopyFrom(stimulus)
            mark.note = f"{name}.{number}"
        states.append(client.apply_stimuli(session_id, marked).state)
    return states


def bare(stimulus: Stimulus) -> Stimulus:
    """A stimulus without its mark."""
    copy = Stimulus()
    copy.CopyFrom(stimulus)
    copy.note = ""
    return copy


def assert_batches_are_whole(stimuli: list[Stimulus]) -> None:
    """Nothing of another writer stands between the stimuli of a batch."""
    notes = [stimulus.note for stimulus in stimuli]
    for note, count in Counter(notes).items():
        first = notes.index(note)
        assert notes[first : first + count] == [note] * count


def test_sessions_do_not_touch_each_other(client: Client) -> None:
    names = [f"isolated-{index}" for index in range(6)]
    for name in names:
        client.create_session(name)
    quiet = client.create_session("isolated-quiet")
    with ThreadPoolExecutor(max_workers=6) as pool:
        sent = [
            pool.submit(client.apply, name, threat=index / 10) for _ in range(10) for index, name in enumerate(names)
        ]
        for one in sent:
            one.result(PATIENCE)
    for index, name in enumerate(names):
        log = client.export_session(name).entries
        assert [entry.stimulus.event.threat for entry in log[1:]] == [index / 10] * 10
    assert client.state("isolated-quiet").version == 1
    assert client.state("isolated-quiet").chemistry == quiet.state.chemistry
