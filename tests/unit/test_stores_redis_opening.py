"""Which Redis servers are taken for a store, and what is told of the others."""

import asyncio
import traceback
from pathlib import Path

import pytest
from issuing import certificate
from ports import free_port
from redis_server import RedisServer

from emotional_ai_service.stores import Record, RedisAddress, StoreUnfit, StoreUnreachable, StoreUnusable
from emotional_ai_service.stores.redis import RedisStore

RIGHTS = (
    "~ea:* &ea:* -@all +@read +@write +@connection +@scripting +ssubscribe +sunsubscribe +spublish +info +cluster|info"
)
"""What the user of a service needs, as specs/redis-store/design.md says."""


async def assert_kept(address: RedisAddress) -> None:
    """That a store there keeps what it is given."""
    store = await RedisStore.open(address)
    await store.append("a", 0, [Record(1, 0, b"one")])
    assert await store.read("a") == [Record(1, 0, b"one")]
    await store.close()


async def test_no_server_at_the_start_is_told_with_the_flag_that_names_it(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    with pytest.raises(StoreUnreachable, match=rf"127\.0\.0\.1:{server.port}.*--redis-url"):
        await RedisStore.open(server.address)
    with pytest.raises(StoreUnreachable, match=r"unix://.*--redis-url"):
        await RedisStore.open(RedisAddress.parse(f"unix://{tmp_path}/socket"))


async def test_a_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--requirepass", "right") as server:
        for url in (server.url, f"redis://:wr0ng@127.0.0.1:{server.port}"):
            with pytest.raises(StoreUnreachable, match="EMOTIONAL_AI_REDIS_URL") as caught:
                await RedisStore.open(RedisAddress.parse(url))
            assert "wr0ng" not in f"{caught.value!r} {caught.value.__cause__!r}"
        await assert_kept(RedisAddress.parse(f"redis://:right@127.0.0.1:{server.port}/3"))


async def test_a_server_that_keeps_nothing_is_taken_only_by_name(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--appendonly", "no") as server:
        with pytest.raises(StoreUnfit, match=r"appendonly.*--redis-volatile"):
            await RedisStore.open(server.address)
        await (await RedisStore.open(server.address, volatile=True)).close()


async def test_a_server_that_would_drop_sessions_or_cannot_write_is_refused(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru") as server:
        with pytest.raises(StoreUnfit, match="maxmemory-policy noeviction"):
            await RedisStore.open(server.address)
        server.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.ask("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(StoreUnfit, match="name the primary"):
            await RedisStore.open(server.address)


def info(**facts: str) -> bytes:
    text = "".join(f"{name}:{value}\r\n" for name, value in facts.items())
    return f"${len(text)}\r\n{text}\r\n".encode()


HELLO, NO_CLUSTER, PONG = b"%0\r\n", b"-ERR This instance has cluster support disabled\r\n", b"+PONG\r\n"
CLUSTER_OF_THREE = info(cluster_size="3")


@pytest.mark.parametrize(
    ("answers", "error", "words"),
    [
        ([b"220 mail.example ESMTP\r\n"], StoreUnreachable, "--redis-url"),
        ([b"-ERR unknown command `HELLO`\r\n"], StoreUnfit, "older than Redis 6; 7.0 or newer"),
        ([HELLO, info(redis_version="6.2.14") + NO_CLUSTER + PONG], StoreUnfit, "is Redis 6.2.14; 7.0 or newer"),
        (
            [HELLO, info(redis_version="7.2.4", cluster_enabled="1") + CLUSTER_OF_THREE + PONG],
            StoreUnfit,
            "one node of a cluster",
        ),
        ([HELLO, b"-NOPERM no permissions\r\n" + NO_CLUSTER + PONG], StoreUnfit, "NOPERM.*ea:"),
        ([HELLO, b""], StoreUnreachable, "went away"),
    ],
)
async def test_a_server_of_another_kind_is_told(answers: list[bytes], error: type[StoreUnusable], words: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for one in answers:
            await reader.read(65_536)
            writer.write(one)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(error, match=words):
            await RedisStore.open(RedisAddress("127.0.0.1", port))


@pytest.mark.parametrize("words", ["unknown command `HELLO`, with args beginning with: `3`, `AUTH`,", "what is"])
async def test_a_server_that_repeats_the_password_is_not_repeated(words: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = await reader.read(65_536)
        writer.write(f"-ERR {words} {' '.join(said.decode().split())}\r\n".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(StoreUnusable) as caught:
            await RedisStore.open(RedisAddress.parse(f"redis://:s3cr3t@127.0.0.1:{port}"))
    told = "".join(traceback.format_exception(caught.value))
    assert words in told
    assert "***" in told
    assert "s3cr3t" not in told.replace("redis://:s3cr3t@", "")


async def test_a_server_is_reached_by_its_unix_socket(tmp_path: Path) -> None:
    socket = tmp_path / "redis.sock"
    with RedisServer(tmp_path, "--unixsocket", str(socket)):
        await assert_kept(RedisAddress.parse(f"unix://{socket}?db=2"))


async def test_a_server_is_reached_by_tls_and_its_certificate_checked(tmp_path: Path) -> None:
    own, other, port = certificate(tmp_path, "own"), certificate(tmp_path, "other"), free_port()
    options = ["--tls-cert-file", str(own.certificate), "--tls-key-file", str(own.key), "--tls-auth-clients", "no"]
    with RedisServer(tmp_path, "--tls-port", str(port), "--tls-ca-cert-file", str(own.certificate), *options):
        await assert_kept(RedisAddress.parse(f"rediss://127.0.0.1:{port}?ca={own.certificate}"))
        for url in (f"rediss://127.0.0.1:{port}", f"rediss://127.0.0.1:{port}?ca={other.certificate}"):
            with pytest.raises(StoreUnreachable, match=r"CERTIFICATE_VERIFY_FAILED.*\?ca=FILE"):
                await RedisStore.open(RedisAddress.parse(url))
        with pytest.raises(StoreUnreachable, match=r"missing\.pem cannot be read"):
            await RedisStore.open(RedisAddress.parse(f"rediss://127.0.0.1:{port}?ca={tmp_path}/missing.pem"))


async def test_a_user_with_few_rights_is_enough(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        server.ask("ACL", "SETUSER", "ea", "on", ">pw", *RIGHTS.split())
        address = RedisAddress.parse(f"redis://ea:pw@127.0.0.1:{server.port}")
        await assert_kept(address)
        store, woken = await RedisStore.open(address), asyncio.Event()
        store.watch("a", woken.set)
        await asyncio.wait_for(woken.wait(), 30)
        await store.put_snapshot("a", 1, b"s")
        await store.note("a", {"m": 1})
        await store.trim("a", Record(1, 0, b"first"))
        assert [row.session_id for row in await store.list_sessions()] == ["a"]
        assert (await store.marks("a"), await store.recent_requests("a")) == ({"m": 1}, [])
        await store.delete("a")
        assert server.all_keys() == []
        await store.close()


async def test_a_session_that_the_index_would_not_take_is_listed_once_it_does(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        server.ask("ACL", "SETUSER", "ea", "on", ">pw", *RIGHTS.replace("~ea:*", "~ea:{a}:*").split())
        store = await RedisStore.open(RedisAddress.parse(f"redis://ea:pw@127.0.0.1:{server.port}"))
        await store.append("a", 0, [Record(1, 0, b"one")])
        server.ask("ACL", "SETUSER", "ea", "~ea:*")
        async with asyncio.timeout(60):
            while [row.session_id for row in await store.list_sessions()] != ["a"]:
                pass
        await store.close()


async def test_a_user_that_may_not_listen_is_told_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with RedisServer(tmp_path) as server:
        server.ask("ACL", "SETUSER", "ea", "on", ">pw", *RIGHTS.replace("&ea:*", "resetchannels").split())
        store = await RedisStore.open(RedisAddress.parse(f"redis://ea:pw@127.0.0.1:{server.port}"))
        store.watch("a", lambda: None)
        async with asyncio.timeout(60):
            while "needs &ea:*" not in caplog.text:
                await store.get_session("a")
        await store.close()
