"""Where things are kept and where calls come in: the store, directories, ports."""

import asyncio
import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from emotional_ai_service.doctor.finding import Finding, ok, warn, wrong
from emotional_ai_service.doctor.settings import DoctorSettings

if TYPE_CHECKING:
    from emotional_ai_service.settings import StoreSettings
    from emotional_ai_service.stores import StoreError

TCP: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENING: Final = "0A"
LEAD_US: Final = 1_000_000
"""How far ahead of this clock an entry may lie: clocks of two machines differ a little."""


def store(settings: DoctorSettings) -> Iterator[Finding]:
    """Whether the store can be opened, as the service would, and whether its times have passed."""
    if settings.redis_url:
        yield from _redis(settings)
        return
    path = settings.db
    if path is None:
        yield warn("store", "in memory: sessions are gone when the service ends", "emotional-ai serve --db FILE")
        return
    if not path.exists():
        yield from _to_be_made(path)
        return
    from emotional_ai_service.settings import StoreSettings
    from emotional_ai_service.stores import StoreCorrupt, StoreLocked

    problem = _opened(StoreSettings(path=path))
    if problem is None:
        yield ok("store", f"{path} can be opened")
        yield from _times(path)
    elif isinstance(problem, StoreLocked):
        yield warn(
            "store",
            str(problem),
            f"one service has it: emotional-ai status; a second needs its own: serve --db {path}.2",
        )
    else:
        # Only what is damaged is ours to move.
        damaged = f"mv {path} {path}.damaged; then restore a backup in its place, or begin anew"
        another = "emotional-ai serve --db FILE, with another file"
        yield wrong("store", str(problem), damaged if isinstance(problem, StoreCorrupt) else another)


def _redis(settings: DoctorSettings) -> Iterator[Finding]:
    from emotional_ai_service.settings import StoreKind, StoreSettings
    from emotional_ai_service.stores import RedisAddress

    try:
        address = RedisAddress.parse(settings.redis_url)
    except ValueError as error:
        yield wrong("store", f"--redis-url {error}", "set EMOTIONAL_AI_REDIS_URL to redis://HOST:6379/0")
        return
    problem = _opened(StoreSettings(StoreKind.REDIS, redis=address, redis_volatile=settings.redis_volatile))
    if problem is None:
        yield ok("store", f"{address} answers, and can keep sessions")
    else:
        yield wrong(
            "store", str(problem), "see to the Redis server: redis-cli -u URL ping; or name another with --redis-url"
        )


def _opened(settings: "StoreSettings") -> "StoreError | None":
    """Opens and closes a store as the service does; why it cannot be, or None."""
    from emotional_ai_service.stores import StoreError
    from emotional_ai_service.storing import open_store

    async def tried() -> None:
        opened = await open_store(settings)
        await opened.close()

    try:
        asyncio.run(tried())
    except StoreError as error:
        return error
    return None


def _to_be_made(path: Path) -> Iterator[Finding]:
    parent = next(one for one in path.parents if one.exists())
    if os.access(parent, os.W_OK | os.X_OK):
        yield ok("store", f"{path} will be made at the first start")
    else:
        yield wrong(
            "store", f"{path} cannot be made: {parent} cannot be written", f"chmod u+wx {parent}; or serve --db FILE"
        )


def _times(path: Path) -> Iterator[Finding]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        ((newest,),) = database.execute("SELECT max(updated_us) FROM sessions")
    if newest is not None and newest > time.time_ns() // 1000 + LEAD_US:
        when = datetime.fromtimestamp(newest / 1e6, UTC).isoformat(timespec="seconds")
        yield wrong(
            "clock",
            f"a session was written at {when}, which is still to come: this clock was turned back",
            "set the clock; its sessions stand still until then",
        )


def directories(settings: DoctorSettings) -> Iterator[Finding]:
    """Whether jobs and adapters can be written."""
    for subject, place, flag in (("jobs", settings.jobs, "--jobs"), ("loras", settings.loras, "--loras")):
        there = next(one for one in (place.absolute(), *place.absolute().parents) if one.exists())
        if not there.is_dir():
            yield wrong(subject, f"{there} is no directory", f"emotional-ai serve {flag} DIR")
        elif not os.access(there, os.W_OK | os.X_OK):
            yield wrong(subject, f"{there} cannot be written", f"chmod u+wx {there}; or emotional-ai serve {flag} DIR")
        else:
            yield ok(subject, f"{place} can be written")


def port(settings: DoctorSettings, *, ours: bool) -> Iterator[Finding]:
    """Whether the service's port is free, or taken by a service of this kind (`ours`)."""
    where, taken = f"{settings.host}:{settings.port}", _taken(settings.host, settings.port)
    if not taken:
        yield ok("port", f"{where} is free")
    elif ours:
        yield ok("port", f"{where} is this service's, which runs")
    else:
        yield wrong("port", f"{where} {taken}", f"emotional-ai serve --port {_next(settings.port)}")


def page_port(settings: DoctorSettings) -> Iterator[Finding]:
    """Whether the page's port is free; the page may be what has it."""
    where, taken = f"127.0.0.1:{settings.web_port}", _taken("127.0.0.1", settings.web_port)
    if taken:
        advice = f"unless it is the page: emotional-ai run --web-port {_next(settings.web_port)}"
        yield warn("port of the page", f"{where} {taken}", advice)
    else:
        yield ok("port of the page", f"{where} is free")


def _next(number: int) -> int:
    return number + 1 if number < 65_535 else number - 1


def _taken(host: str, number: int) -> str:
    """Why an address cannot be listened on, and which process has it; empty if it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host.strip("[]"), number), family=family).close()
    except OSError as error:
        said = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        return f"cannot be listened on ({said}){_owner(number)}"
    return ""


def _owner(number: int) -> str:
    """Which process listens on a port, where the system tells."""
    inodes = {
        fields[9]
        for table in TCP
        if table.exists()
        for fields in (line.split() for line in table.read_text(encoding="ascii").splitlines()[1:])
        if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == number
    }
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or is another user's
            if any(_target(one) in wanted for one in (process / "fd").iterdir()):
                return f": process {process.name} ({(process / 'comm').read_text(encoding='utf-8').strip()}) has it"
    return ""


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:  # closed meanwhile
        return ""
