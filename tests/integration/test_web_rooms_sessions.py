"""The room of the sessions, over a real service."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import hosted, in_file, service
from ports import nowhere
from web_rooms import entered

from emotional_ai import AsyncClient, NotFound
from emotional_ai.web.conversation import Conversations
from emotional_ai.web.page.sessions import sessions

SEARCHED = {"search": "", "by": "updated", "downwards": True, "page": 0}


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    with service() as target:
        async with AsyncClient(target) as client:
            yield client


def sessions_alone(client: AsyncClient) -> None:
    """The room on a page where nobody has said anything."""
    sessions(client, Conversations(client))


async def test_every_session_is_listed_the_one_changed_last_first(client: AsyncClient) -> None:
    await client.create_session("ada")
    await client.create_session("bob")
    await client.apply("ada", reward=0.5)
    async with entered(sessions_alone, client) as sight:
        listing = await sight.until("fill")
        assert [(row["id"], row["entries"]) for row in listing["rows"]] == [("ada", 2), ("bob", 1)]
        assert listing["rows"][0]["updated"] > listing["rows"][0]["created"]


async def test_more_sessions_than_a_page_of_the_contract_are_found_and_only_those_shown_are_sent(
    client: AsyncClient,
) -> None:
    await asyncio.gather(*(client.create_session(f"s{number:04}") for number in range(1001)))
    async with entered(sessions_alone, client) as sight:
        listing = await sight.until("fill")
        assert (len(listing["rows"]), listing["every"], listing["pages"]) == (50, 1001, 21)
        sight.does("wished", SEARCHED | {"search": "S100", "by": "id", "downwards": False})
        found = await sight.until("fill")
        assert [row["id"] for row in found["rows"]] == ["s1000"]


async def test_a_session_is_made_and_listed(client: AsyncClient) -> None:
    async with entered(sessions_alone, client) as sight:
        sight.does("made", " ada ")
        assert await sight.until("made_one") == "ada"
        await sight.shows("fill", lambda listing: [row["id"] for row in listing["rows"]] == ["ada"])
        sight.does("made", "")
        named = await sight.until("made_one")
        assert (await client.get_session(named)).session_id == named


async def test_a_session_that_cannot_be_made_is_refused_in_words(client: AsyncClient) -> None:
    await client.create_session("ada")
    async with entered(sessions_alone, client) as sight:
        sight.does("made", "ada")
        assert "ada" in await sight.until("refused")
        sight.does("made", "a b")
        assert "beginning with a letter or digit" in await sight.until("refused")
        assert len([one async for one in client.list_sessions()]) == 1


async def test_a_session_is_deleted_and_one_that_is_gone_is_said_to_be(client: AsyncClient) -> None:
    await client.create_session("ada")
    async with entered(sessions_alone, client) as sight:
        await sight.until("fill", lambda listing: listing["every"] == 1)
        sight.does("deleted", "ada")
        assert await sight.until("told") == "Deleted ada."
        await sight.shows("fill", lambda listing: listing["every"] == 0)
        with pytest.raises(NotFound):
            await client.get_session("ada")
        sight.does("deleted", "ada")
        assert (await sight.until("told")).startswith("ada was not deleted: ")


async def test_who_deletes_a_session_is_told_of_its_copies(client: AsyncClient) -> None:
    await client.create_session("copied")
    await client.export_session("copied")
    async with entered(sessions_alone, client) as sight:
        sight.does("deleted", "copied")
        assert await sight.until("told") == "Deleted copied. It was exported once; those copies are not deleted."


async def test_what_was_said_in_a_session_goes_with_it(client: AsyncClient) -> None:
    conversations = Conversations(client)
    session = await client.create_session("ada")
    said = conversations.of(session)
    async with entered(lambda on: sessions(on, conversations), client) as sight:
        assert conversations.of(session) is said
        sight.does("deleted", "ada")
        await sight.until("told")
        assert conversations.of(session) is not said


async def test_what_others_do_is_seen_and_nothing_is_sent_while_nothing_changes(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with entered(sessions_alone, client) as sight:
        monkeypatch.setattr(type(sight.room), "SECONDS", 0.02)
        monkeypatch.setattr(type(sight.room), "REST", 0.0)
        await sight.until("fill")
        sight.does("looking")
        await client.create_session("ada")
        await sight.until("fill", lambda listing: listing["every"] == 1)
        await client.create_session("bob")
        await sight.until("fill", lambda listing: listing["every"] == 2)
        assert [name for name, _ in sight.sent] == ["fill", "stale", "fill", "fill"]


async def test_nothing_is_asked_while_nobody_looks(client: AsyncClient) -> None:
    async with entered(sessions_alone, client) as sight:
        await sight.until("fill")
        sight.does("away")
        assert not sight.room.looked_at
        await client.create_session("ada")
        sight.does("looking")
        await sight.until("fill", lambda listing: listing["every"] == 1)


async def test_a_list_says_that_it_may_be_out_of_date_and_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = nowhere()
    settings = replace(in_file(tmp_path / "sessions.db"), port=int(target.rpartition(":")[2]))
    async with AsyncClient(target) as client, entered(sessions_alone, client) as sight:
        monkeypatch.setattr(type(sight.room), "SECONDS", 0.05)
        sight.does("looking")
        assert await sight.shows("stale", bool)
        with hosted(settings):
            await client.create_session("ada", timeout=20)
            await sight.shows("fill", lambda listing: listing["every"] == 1)
            await sight.shows("stale", lambda words: not words)
            sight.does("away")
