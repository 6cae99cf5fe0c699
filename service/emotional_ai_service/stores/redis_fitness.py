"""Whether a Redis server can keep what is promised, asked once when a store is opened."""

from collections.abc import Mapping
from typing import Final

import hiredis

from emotional_ai_service.stores.base import StoreUnfit, StoreUnreachable
from emotional_ai_service.stores.redis_address import RedisAddress
from emotional_ai_service.stores.redis_connection import Connection, Refused, Reply, Unreachable, connect

OLDEST: Final = 7
"""The first version with sharded channels, and scripts that are refused whole when memory is full."""

_NEWER: Final = f"{OLDEST}.0 or newer is needed: name another server with --redis-url"


async def first_connection(address: RedisAddress) -> Connection:
    """A connection to a server that is there. Raises StoreUnreachable with what to do."""
    try:
        return await connect(address)
    except Unreachable as error:
        advice = "start the server, or name another with --redis-url"
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            advice = "name the file with its authority's certificate at the end of --redis-url: ?ca=FILE"
        raise StoreUnreachable(str(address), f"cannot be reached: {error}; {advice}") from error
    except Refused as error:
        if "unknown command" in str(error):
            raise StoreUnfit(str(address), f"is older than Redis 6; {_NEWER}") from error
        advice = "see the user and password in --redis-url or EMOTIONAL_AI_REDIS_URL"
        raise StoreUnreachable(str(address), f"lets nobody in like that: {error}; {advice}") from error


async def check_fitness(address: RedisAddress, connection: Connection, *, volatile: bool) -> None:
    """Raises StoreUnfit, or StoreUnreachable, unless the server can hold sessions; `volatile` allows it to lose them."""
    try:
        replies = await connection.exchange([("INFO",), ("CLUSTER", "INFO"), ("PING",)])
    except Unreachable as error:
        raise StoreUnreachable(str(address), f"went away: {error}; start it again") from error
    if isinstance(replies[0], hiredis.ReplyError):
        problem = f"does not tell about itself: {replies[0]}; its user needs all commands on the keys and channels ea:*"
        raise StoreUnfit(str(address), problem)
    facts = _facts(replies[0])
    problem = _problem(facts, replies[1], volatile=volatile)
    if problem:
        raise StoreUnfit(str(address), problem)


def _problem(facts: Mapping[str, str], cluster: Reply, *, volatile: bool) -> str:
    version = facts.get("redis_version", "0")
    if int(version.split(".")[0]) < OLDEST:
        return f"is Redis {version}; {_NEWER}"
    if facts.get("role", "master") != "master":
        return "is a replica, which takes no writes; name the primary with --redis-url"
    if facts.get("cluster_enabled") == "1" and _facts(cluster).get("cluster_size", "1") not in ("0", "1"):
        return "is one node of a cluster; name a server of its own, or a proxy that leads to the right node"
    if int(facts.get("maxmemory", "0")) > 0 and facts.get("maxmemory_policy", "noeviction") != "noeviction":
        return (
            f"drops keys when memory is full (maxmemory-policy {facts['maxmemory_policy']}), and sessions with them; set "
            "maxmemory-policy noeviction"
        )
    if facts.get("aof_enabled") != "1" and not volatile:
        return (
            "keeps nothing when it ends (appendonly no), and acknowledged means kept here; set appendonly yes, or allow the "
            "loss with --redis-volatile"
        )
    return ""


def _facts(reply: Reply) -> dict[str, str]:
    text = reply.decode() if isinstance(reply, bytes) else ""
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
