"""Whoever watches a session hears of what others write to it."""

import asyncio
from pathlib import Path

from emotional_ai_service.stores import MemoryStore, Record, SqliteStore

RECORD = Record(1, 0, b"")


async def test_a_store_of_one_process_is_not_shared_and_wakes_nobody(tmp_path: Path) -> None:
    sqlite = await SqliteStore.open(tmp_path / "sessions.db")
    for store in (MemoryStore(), sqlite):
        calls: list[int] = []
        end = store.watch("a", lambda calls=calls: calls.append(1))  # type: ignore[misc]
        pending = store.append("a", 0, [RECORD])
        if pending is not None:
            await pending
        await store.delete("a")
        await asyncio.sleep(0)
        end()
        assert not store.shared
        assert calls == []
    await sqlite.close()


async def test_a_shared_memory_wakes_every_watch_of_a_session_once_for_each_write() -> None:
    store, calls = MemoryStore(shared=True), list[str]()
    store.watch("a", lambda: calls.append("first"))
    end = store.watch("a", lambda: calls.append("second"))
    store.watch("b", lambda: calls.append("of another session"))
    store.append("a", 0, [RECORD])
    assert calls == []
    await asyncio.sleep(0)
    assert store.shared
    assert calls == ["first", "second"]
    end()
    end()
    await store.delete("a")
    await asyncio.sleep(0)
    assert calls == ["first", "second", "first"]


async def test_a_watch_that_ends_just_after_a_write_is_not_woken() -> None:
    store, calls = MemoryStore(shared=True), list[int]()
    end = store.watch("a", lambda: calls.append(1))
    store.append("a", 0, [RECORD])
    end()
    await asyncio.sleep(0)
    assert calls == []
