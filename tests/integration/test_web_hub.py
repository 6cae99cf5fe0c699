"""What the pages of one process share: one stream a session, told of at most so often, whatever the service or a page does."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from loopback import IN_MEMORY, PATIENCE, hosted, in_file, service

from emotional_ai import (
    AsyncClient,
    AsyncStateStream,
    Backoff,
    DeadlineExceeded,
    Deadlines,
    EmotionalAIError,
    InvalidArgument,
    NotFound,
    Unavailable,
)
from emotional_ai.v1 import engine_pb2 as pb
from emotional_ai.v1.inference_pb2 import Expression
from emotional_ai.web.hub import RATE, Followed, Hub, Moment

SOON = Backoff(first_seconds=0.05, longest_seconds=0.2)
FROZEN = pb.SessionConfig(dynamics=pb.DynamicsConfig(time_scale=0))


class CountingClient(AsyncClient):
    """A client that counts the streams it opens and the explanations it asks for, and fails to preview when told to."""

    streams = 0
    explanations = 0
    failing = 0
    """Previews and explanations that will fail."""

    def fail(self) -> None:
        if self.failing:
            self.failing -= 1
            raise Unavailable("not now")

    async def explain(self, *args: Any, **kwargs: Any) -> pb.ExplainResponse:
        self.explanations += 1
        self.fail()
        return await super().explain(*args, **kwargs)

    async def preview_expression(self, *args: Any, **kwargs: Any) -> Expression:
        self.fail()
        return await super().preview_expression(*args, **kwargs)

    def stream(self, session_id: str, *, credit: int = 0, interval_ms: int = 0) -> AsyncStateStream:
        self.streams += 1
        return super().stream(session_id, credit=credit, interval_ms=interval_ms)


@dataclass
class Page:
    """What one page was told."""

    moments: list[Moment] = field(default_factory=list)
    entries: list[pb.LogEntry] = field(default_factory=list)
    ended: list[EmotionalAIError] = field(default_factory=list)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def seen(self, moment: Moment) -> None:
        self.moments.append(moment)
        self.told.set()

    def heard(self, entries: Sequence[pb.LogEntry]) -> None:
        self.entries += entries
        self.told.set()

    def over(self, error: EmotionalAIError) -> None:
        self.ended.append(error)
        self.told.set()

    async def until(self, so: Callable[[], bool]) -> None:
        """Waits until what was told makes something so."""
        async with asyncio.timeout(PATIENCE):
            while not so():
                await self.told.wait()
                self.told.clear()

    @property
    def version(self) -> int:
        """Version of the newest moment."""
        return self.moments[-1].state.version if self.moments else 0


@asynccontextmanager
async def showing(hub: Hub, session_id: str, page: Page) -> AsyncIterator[Followed]:
    async with hub.following(session_id, page.seen, heard=page.heard, ended=page.over) as followed:
        yield followed


@pytest.fixture
def address() -> Iterator[str]:
    with service() as running:
        yield running


@pytest.fixture
async def client(address: str) -> AsyncIterator[CountingClient]:
    async with CountingClient(address, backoff=SOON) as one:
        yield one


@pytest.fixture
async def hub(client: CountingClient) -> AsyncIterator[Hub]:
    one = Hub(client)
    yield one
    await one.close()


def reward(strength: float = 0.5) -> pb.Stimulus:
    return pb.Stimulus(event=pb.Signals(reward=strength))


async def test_a_page_is_shown_the_session_as_it_is_and_how_it_speaks(hub: Hub, client: CountingClient) -> None:
    await client.create_session("ada", initial=pb.Chemistry(dopamine=0.9, serotonin=0.6, cortisol=0.3, oxytocin=0.5))
    async with showing(hub, "ada", Page()) as followed:
        latest = followed.latest
    assert latest.state.session_id == "ada"
    assert latest.expression.chemistry == latest.state.chemistry
    assert latest.expression.label == latest.state.label
    assert latest.expression.temperature > 0.8
    assert latest.config.dynamics.baseline.dopamine == 0.5
    assert [one.WhichOneof("effect") for one in followed.entries] == ["created"]


async def test_two_pages_share_one_stream_and_are_told_the_same(hub: Hub, client: CountingClient) -> None:
    await client.create_session("ada", config=FROZEN)
    one, other = Page(), Page()
    async with showing(hub, "ada", one) as first, showing(hub, "ada", other) as second:
        assert first is second
        await first.apply([reward()])
        await second.apply([pb.Stimulus(event=pb.Signals(loss=0.4))])
        for page in (one, other):
            await page.until(lambda page=page: page.version == 3)  # type: ignore[misc]
        assert one.moments[-1] is other.moments[-1]
        assert [entry.sequence for entry in other.entries] == [2, 3]
    assert client.streams == 1


async def test_the_stream_goes_with_the_last_page(hub: Hub, client: CountingClient) -> None:
    await client.create_session("ada")
    async with showing(hub, "ada", Page()):
        async with showing(hub, "ada", Page()):
            pass
        async with showing(hub, "ada", Page()):
            pass
        assert client.streams == 1
    async with showing(hub, "ada", Page()):
        pass
    assert client.streams == 2


async def test_what_was_applied_is_stored(hub: Hub, client: CountingClient) -> None:
    await client.create_session("ada")
    async with showing(hub, "ada", Page()) as followed:
        await followed.apply([reward(), reward(), pb.Stimulus(skip_minutes=5)])
        assert (await client.state("ada")).version == 4


async def test_many_changes_are_told_as_few_and_the_last_of_them_surely(hub: Hub, client: CountingClient) -> None:
    await client.create_session("ada", config=FROZEN)
    page = Page()
    async with showing(hub, "ada", page) as followed:
        began = time.monotonic()
        for _ in range(40):
            await followed.apply([reward(0.05)] * 10)
        await page.until(lambda: page.version == 401 and len(page.entries) == 401)
        seconds = time.monotonic() - began
    assert len(page.moments) <= seconds * RATE + 2
    assert page.moments[-1].state.chemistry == (await client.state("ada")).chemistry
    assert [entry.sequence for entry in page.entries] == list(range(1, 402))


async def test_of_a_session_that_does_not_move_nothing_is_told(hub: Hub, client: CountingClient) -> None:
    await client.create_session("still")
    config = pb.SessionConfig(dynamics=pb.DynamicsConfig(time_scale=600))
    await client.create_session("moving", config=config, initial=pb.Chemistry(cortisol=1.0))
    still, moving = Page(), Page()
    async with showing(hub, "still", still), showing(hub, "moving", moving):
        await moving.until(lambda: len(moving.moments) > 15)
    assert len(still.moments) == 1


async def test_a_page_that_fails_keeps_nobody_from_being_told(
    hub: Hub, client: CountingClient, caplog: pytest.LogCaptureFixture
) -> None:
    await client.create_session("ada", config=FROZEN)
    page = Page()

    def broken(_: Moment) -> None:
        raise RuntimeError("this page is broken")

    async with hub.following("ada", broken), showing(hub, "ada", page) as followed:
        for _ in range(3):
            await followed.apply([reward()])
        await page.until(lambda: page.version == 4)
    assert "this page is broken" in caplog.text


async def test_a_page_that_does_not_read_on_slows_nobody(hub: Hub, client: CountingClient) -> None:
    await client.create_session("ada", config=FROZEN)
    page = Page()
    stalled: list[Moment] = []
    async with hub.following("ada", stalled.append), showing(hub, "ada", page) as followed:
        for _ in range(20):
            await followed.apply([reward(0.1)])
        await page.until(lambda: page.version == 21)
    assert stalled[-len(page.moments) :] == page.moments


async def test_what_the_service_refuses_is_told_to_who_asked_and_the_page_goes_on(
    hub: Hub, client: CountingClient
) -> None:
    await client.create_session("ada", config=FROZEN)
    page = Page()
    async with showing(hub, "ada", page) as followed:
        with pytest.raises(InvalidArgument):
            await followed.apply([reward(7.0)])
        await followed.apply([reward()])
        await page.until(lambda: page.version == 2)


async def test_a_press_that_was_not_stored_in_time_keeps_no_later_one_waiting(address: str) -> None:
    page = Page()
    async with CountingClient(address, backoff=SOON, deadlines=Deadlines(update=1e-6)) as client:
        await client.create_session("ada", config=FROZEN, timeout=PATIENCE)
        hub = Hub(client)
        async with showing(hub, "ada", page) as followed:
            for _ in range(2):
                with pytest.raises(DeadlineExceeded):
                    await asyncio.wait_for(followed.apply([reward()]), PATIENCE)
            await page.until(lambda: page.version == 3)
            assert client.streams == 1
        await hub.close()


async def test_pages_that_want_to_know_what_the_same_entries_did_ask_once(hub: Hub, client: CountingClient) -> None:
    await client.create_session("ada", config=FROZEN)
    page = Page()
    async with showing(hub, "ada", page) as followed:
        await followed.apply([reward(), reward()])
        await page.until(lambda: len(page.entries) == 3)
        told = await asyncio.gather(*[followed.explained(page.entries[1]) for _ in range(50)])
        assert client.explanations == 1
        assert [entry.sequence for entry in told[0].entries] == [2, 3]
        await followed.apply([reward()])
        await page.until(lambda: len(page.entries) == 4)
        assert [entry.sequence for entry in (await followed.explained(page.entries[3])).entries] == [4]
        assert client.explanations == 2


async def test_what_could_not_be_explained_is_asked_for_anew(hub: Hub, client: CountingClient) -> None:
    await client.create_session("ada", config=FROZEN)
    async with showing(hub, "ada", Page()) as followed:
        client.failing = 1
        with pytest.raises(Unavailable):
            await followed.explained(followed.entries[0])
        assert (await followed.explained(followed.entries[0])).after.session_id == "ada"


async def test_entries_that_could_not_be_told_are_told_with_the_next_moment(hub: Hub, client: CountingClient) -> None:
    await client.create_session("ada", config=FROZEN)
    page = Page()
    async with showing(hub, "ada", page) as followed:
        client.failing = 1
        await followed.apply([reward()])
        await page.until(lambda: page.version == 2)
        assert [entry.sequence for entry in page.entries] == [1, 2]


async def test_another_personality_is_told_and_another_pace_kept(hub: Hub, client: CountingClient) -> None:
    await client.create_session("ada", config=FROZEN, initial=pb.Chemistry(cortisol=0.9))
    page = Page()
    async with showing(hub, "ada", page) as followed:
        config = pb.SessionConfig(dynamics=pb.DynamicsConfig(time_scale=6000))
        await client.update_session("ada", config)
        await page.until(lambda: len(page.moments) > 6)
        assert followed.latest.config.dynamics.time_scale == 6000
        await followed.apply([reward()])
    assert client.streams == 2
    times = [moment.state.time.ToNanoseconds() for moment in page.moments]
    assert times == sorted(times)


async def test_a_session_that_does_not_exist_is_not_followed(hub: Hub) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        async with showing(hub, "nowhere", Page()):
            pass


async def test_the_pages_of_a_session_are_told_that_it_was_deleted(hub: Hub, client: CountingClient) -> None:
    await client.create_session("ada")
    page = Page()
    async with showing(hub, "ada", page) as followed:
        await client.delete_session("ada")
        await page.until(lambda: bool(page.ended))
        with pytest.raises(NotFound):
            await followed.apply([reward()])
        await client.create_session("ada")
        async with showing(hub, "ada", Page()) as again:
            await again.apply([reward()])
    assert [type(error) for error in page.ended] == [NotFound]


async def test_what_was_said_in_a_session_goes_with_it(hub: Hub, client: CountingClient) -> None:
    session = await client.create_session("ada")
    said = hub.conversations.of(session)
    page = Page()
    async with showing(hub, "ada", page):
        assert hub.conversations.of(session) is said
        await client.delete_session("ada")
        await page.until(lambda: bool(page.ended))
        assert hub.conversations.of(session) is not said


async def test_without_a_service_nothing_is_followed_and_away_says_why() -> None:
    async with AsyncClient("127.0.0.1:9", backoff=SOON) as client:
        hub = Hub(client)
        told: asyncio.Queue[str | None] = asyncio.Queue()
        with hub.on_away(told.put_nowait):
            why = await asyncio.wait_for(told.get(), PATIENCE)
            assert why
            assert hub.away == why
        assert hub.away is None
        with pytest.raises(Unavailable):
            async with showing(hub, "ada", Page()):
                pass
        await hub.close()


async def test_a_service_that_went_away_and_came_back_is_followed_on(tmp_path: Path) -> None:
    settings = in_file(tmp_path / "sessions.db")
    page, told = Page(), asyncio.Queue[str | None]()
    with hosted(settings) as first:
        async with CountingClient(first.address, backoff=SOON) as client:
            await client.create_session("ada", config=FROZEN)
            hub = Hub(client)
            with hub.on_away(told.put_nowait):
                async with showing(hub, "ada", page) as followed:
                    await followed.apply([reward()])
                    await asyncio.to_thread(first.end)
                    assert await asyncio.wait_for(told.get(), PATIENCE)
                    with pytest.raises(Unavailable):
                        await followed.apply([reward()])
                    port = int(first.address.rpartition(":")[2])
                    with hosted(replace(settings, port=port)):
                        while await asyncio.wait_for(told.get(), PATIENCE) is not None:
                            pass  # why it is away may change
                        await followed.apply([reward(0.9)])
                        await page.until(lambda: page.version == 3)
            await hub.close()
    assert not page.ended


async def test_another_session_under_the_same_id_is_told_from_its_beginning() -> None:
    page = Page()
    with hosted(IN_MEMORY) as first:
        async with CountingClient(first.address, backoff=SOON) as client:
            await client.create_session("ada", config=FROZEN)
            hub = Hub(client)
            async with showing(hub, "ada", page) as followed:
                await followed.apply([reward()] * 5)
                await page.until(lambda: page.version == 6)
                await client.delete_session("ada")
                await page.until(lambda: bool(page.ended))
            await client.create_session("ada", config=FROZEN)
            again = Page()
            async with showing(hub, "ada", again) as followed:
                assert [entry.sequence for entry in followed.entries] == [1]
                assert followed.latest.state.version == 1
            await hub.close()
