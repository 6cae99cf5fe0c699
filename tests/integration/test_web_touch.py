"""The panel `touch` and a real service: it judges what is edited, and nothing anybody wrote is lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from loopback import PATIENCE, service

from emotional_ai import Aborted, AsyncClient, Client, DynamicsConfig, InvalidArgument, SessionConfig
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.web.hub import Hub
from emotional_ai.web.page.touch import form, keeping, passing, press, published, replacing
from emotional_ai.web.page.touch.checking import EVENTS, preview, verdict


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with service() as running:
        yield running


@pytest.fixture
async def client(address: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(address) as made, asyncio.timeout(PATIENCE):
        yield made


def edited(path: str, value: float) -> SessionConfig:
    """The defaults, everything switched on, with one number changed."""
    config = published.everything()
    *parts, last = path.split(".")
    of: object = config
    for part in parts:
        of = getattr(of, part)
    setattr(of, last, value)
    return config


# ---- what the page knows of the defaults is what the service fills in


@pytest.mark.parametrize(
    "given",
    [
        SessionConfig(),
        SessionConfig(
            dynamics=DynamicsConfig(
                mood=pb.MoodConfig(), circadian=pb.CircadianConfig(), habituation=pb.HabituationConfig()
            )
        ),
        SessionConfig(
            dynamics=DynamicsConfig(
                baseline=pb.Chemistry(dopamine=0.2, serotonin=0.3, cortisol=0.4, oxytocin=0.5),
                coupling=pb.ChemicalMatrix(cortisol=pb.ChemicalVector(dopamine=1)),
                gains=[pb.SignalGain(signal=pb.SIGNAL_LOSS, gain=pb.ChemicalVector(cortisol=2))],
                mood=pb.MoodConfig(tau_minutes=30),
                time_scale=0,
            ),
            expression=pb.ExpressionConfig(base_top_p=0.7),
        ),
    ],
)
async def test_what_is_left_out_is_filled_in_as_the_service_does(client: AsyncClient, given: SessionConfig) -> None:
    session = await client.create_session(config=given)
    assert published.filled(given) == session.config
    assert form.read(form.written(given)) == session.config


async def test_traits_stay_traits_in_a_file_and_come_to_a_baseline(client: AsyncClient) -> None:
    anxious = published.filled(SessionConfig(dynamics=DynamicsConfig(personality=pb.BigFive(neuroticism=0.9))))
    session = await client.create_session(config=anxious)
    said = await verdict(client, anxious)
    assert said.rest == {name: getattr(session.config.dynamics.baseline, name) for name in said.rest}
    assert said.rest["cortisol"] > 0.3


# ---- the service is the judge


@pytest.mark.parametrize(
    ("path", "value", "field", "words"),
    [
        ("dynamics.coupling.dopamine.serotonin", 3.0, "dynamics.coupling.dopamine", "must be below 4"),
        ("dynamics.buffering.cortisol.dopamine", 0.1, "dynamics.buffering.cortisol", "sum to at most 0.5"),
        ("dynamics.half_life_minutes.serotonin", 0.0, "dynamics.half_life_minutes.serotonin", "100000"),
        ("dynamics.baseline.oxytocin", 1.5, "dynamics.baseline.oxytocin", "1.5"),
        ("dynamics.mood.tau_minutes", 0.5, "dynamics.mood.tau_minutes", "0.5"),
        ("dynamics.circadian.peak_hour", 24, "dynamics.circadian.peak_hour", "24"),
        ("dynamics.habituation.rho", 1.5, "dynamics.habituation.rho", "1.5"),
        ("expression.base_temperature", 9, "expression.base_temperature", "1.3"),
    ],
)
async def test_what_cannot_be_is_told_at_its_field(
    client: AsyncClient, path: str, value: float, field: str, words: str
) -> None:
    said = await verdict(client, edited(path, value))
    assert field in said.faults
    assert words in said.faults[field]
    assert not said.rest


async def test_wrong_gains_are_told_by_their_signal(client: AsyncClient) -> None:
    config = published.everything()
    config.dynamics.gains[6].gain.cortisol = 11
    assert list((await verdict(client, config)).faults) == ["dynamics.gains.threat.cortisol"]


async def test_what_can_be_has_no_faults(client: AsyncClient) -> None:
    said = await verdict(client, published.everything())
    assert not said.faults
    assert said.rest == pytest.approx({"dopamine": 0.5, "serotonin": 0.6, "cortisol": 0.3, "oxytocin": 0.5})


async def test_a_preview_shows_events_under_both_configurations(client: AsyncClient) -> None:
    slow = edited("dynamics.half_life_minutes.dopamine", 400)
    shown = await preview(client, slow.dynamics, published.everything().dynamics)
    praise, threat = shown["pictures"]
    assert [praise["title"], threat["title"]] == list(EVENTS)
    assert shown["times"][0] < 0 < shown["times"][-1]
    lines = {(line["name"], line["faint"]): line["values"] for line in praise["lines"]}
    assert len(lines) == 8
    assert lines["dopamine", False][0] == lines["dopamine", True][0] == 0.5
    assert max(lines["dopamine", False]) > 0.55
    middle = len(shown["times"]) // 4
    assert lines["dopamine", False][middle] > lines["dopamine", True][middle] + 0.01
    assert max(next(line["values"] for line in threat["lines"] if line["name"] == "cortisol")) > 0.45


# ---- two editors, and a session that moves meanwhile


async def test_of_two_editors_the_second_is_told_and_writes_nothing(client: AsyncClient) -> None:
    session = await client.create_session()
    began = session.config
    mine, theirs = pb.SessionConfig(), pb.SessionConfig()
    mine.CopyFrom(began)
    theirs.CopyFrom(began)
    mine.dynamics.half_life_minutes.dopamine, theirs.dynamics.half_life_minutes.dopamine = 30, 50
    await replacing.reconfigured(client, session.session_id, replacing.instead_of(began, theirs))
    with pytest.raises(Aborted, match="changed elsewhere"):
        await replacing.reconfigured(client, session.session_id, replacing.instead_of(began, mine))
    now = await client.get_session(session.session_id)
    assert now.config.dynamics.half_life_minutes.dopamine == 50
    saved = await replacing.reconfigured(client, session.session_id, replacing.instead_of(now.config, mine))
    assert saved.config.dynamics.half_life_minutes.dopamine == 30


async def test_freezing_and_going_on_is_no_conflict_for_an_editor(client: AsyncClient) -> None:
    session = await client.create_session()
    edit = pb.SessionConfig()
    edit.CopyFrom(session.config)
    edit.dynamics.half_life_minutes.dopamine = 30
    frozen = await replacing.reconfigured(client, session.session_id, lambda now: passing.at_scale(now, 0))
    assert frozen.config.dynamics.time_scale == 0
    saved = await replacing.reconfigured(client, session.session_id, replacing.instead_of(session.config, edit))
    assert saved.config.dynamics.time_scale == 0
    assert saved.config.dynamics.half_life_minutes.dopamine == 30


async def test_a_stimulus_between_reading_and_writing_loses_nothing(client: AsyncClient, address: str) -> None:
    session_id = (await client.create_session()).session_id
    readings = 0

    def faster(now: pb.SessionConfig) -> pb.SessionConfig:
        nonlocal readings
        readings += 1
        if readings < 4:
            with Client(address) as other:
                other.apply(session_id, praise=0.1)
        return passing.at_scale(now, 60)

    saved = await replacing.reconfigured(client, session_id, faster)
    assert readings == 4
    assert saved.config.dynamics.time_scale == 60
    assert saved.state.version == 5


async def test_a_session_that_never_rests_is_left_as_it_is(client: AsyncClient, address: str) -> None:
    session_id = (await client.create_session()).session_id

    def restless(now: pb.SessionConfig) -> pb.SessionConfig:
        with Client(address) as other:
            other.apply(session_id, praise=0.1)
        return passing.at_scale(now, 60)

    with pytest.raises(Aborted) as told:
        await replacing.reconfigured(client, session_id, restless)
    assert told.value.reason != replacing.REPLACED
    assert (await client.get_session(session_id)).config.dynamics.time_scale == 10


# ---- over the stream that the page follows


async def test_what_is_pressed_is_stored_and_seen_at_once(client: AsyncClient) -> None:
    session = await client.create_session()
    hub = Hub(client)
    seen = asyncio.Event()
    async with hub.following(
        session.session_id, lambda moment: seen.set() if moment.state.version == 4 else None
    ) as one:
        await one.apply([press.event({"praise": 0.7})])
        await one.apply([press.held({"threat": 0.5}, 30)])
        await one.apply([press.held({}, 0)])
        assert (await client.state(session.session_id)).version == 4
        await seen.wait()
        assert not one.latest.state.HasField("sustained")
        assert [entry.sequence for entry in one.entries] == [1, 2, 3, 4]
    await hub.close()


# ---- sessions as files


async def test_an_export_is_imported_under_a_new_id_and_a_wrong_one_told_by_its_path(client: AsyncClient) -> None:
    session = await client.create_session()
    await client.apply(session.session_id, praise=0.7, note="<b>well done</b>")
    text = await client.export_json(session.session_id)
    copy = await client.import_json(text, session_id=f"{session.session_id}-copy")
    assert copy.state.version == 2
    with pytest.raises(InvalidArgument) as wrong:
        await client.import_json(text.replace('"praise": 0.7', '"praise": 7'), session_id="another")
    (line,) = keeping.wrongs(wrong.value)
    assert line.startswith("session.entries[1].stimulus.event.praise: ")
