"""Flags of the command line that say where sessions are kept; those of a store that was not chosen are refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from emotional_ai_service.flags.extra import check_installed
from emotional_ai_service.places import PlaceUnusable, sessions_file
from emotional_ai_service.settings import StoreKind, StoreSettings
from emotional_ai_service.stores import Durability, RedisAddress

URL_VARIABLE: Final = "EMOTIONAL_AI_REDIS_URL"
DEFAULT_URL: Final = "redis://127.0.0.1:6379"

Store = Annotated[StoreKind, typer.Option("--store", help="Where the logs of sessions are kept.")]
Database = Annotated[
    Path | None, typer.Option("--db", help="SQLite file. Default: ~/.local/state/emotional-ai/sessions.db")
]
Durable = Annotated[
    Durability, typer.Option(help="What an acknowledged stimulus survives: the process, or loss of power too.")
]
RedisUrl = Annotated[
    str | None,
    typer.Option(
        "--redis-url",
        metavar="URL",
        help=f"redis: the server, as redis://host:6379/0, rediss:// for TLS, or unix:///socket. {URL_VARIABLE} names it too; a "
        "password belongs there, as command lines can be read by others.",
        show_default=DEFAULT_URL,
    ),
]
RedisVolatile = Annotated[
    bool,
    typer.Option("--redis-volatile", help="redis: take a server that keeps nothing when it ends (appendonly no)."),
]
LiveSessions = Annotated[
    int,
    typer.Option(
        "--live-sessions",
        min=1,
        max=10_000_000,
        help="Sessions kept in memory, 1 to 2 KB each; others are read from the store when they are asked for.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFlags:
    """What was given; None for what was not."""

    redis_url: str | None
    redis_volatile: bool


def store_of(
    kind: StoreKind, flags: StoreFlags, path: Path, durability: Durability, environ: Mapping[str, str]
) -> StoreSettings:
    """The store the flags describe; the address of a Redis server may come from `environ`.

    Raises BadParameter naming a flag that belongs to another store, a URL that cannot be, or the extra that is missing.
    """
    if durability is Durability.POWER and kind is not StoreKind.SQLITE:
        beyond = "; what Redis survives is said by its own appendfsync" if kind is StoreKind.REDIS else ""
        raise typer.BadParameter(f"power belongs to --store sqlite{beyond}", param_hint="--durability")
    if kind is not StoreKind.REDIS:
        for given, name in ((flags.redis_url, "--redis-url"), (flags.redis_volatile, "--redis-volatile")):
            if given:
                raise typer.BadParameter("belongs to --store redis", param_hint=name)
        return StoreSettings(kind, path, durability)
    check_installed("--store redis", "hiredis", "redis", find_spec)
    try:
        address = RedisAddress.parse(flags.redis_url or environ.get(URL_VARIABLE) or DEFAULT_URL)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--redis-url" if flags.redis_url else URL_VARIABLE) from None
    return StoreSettings(kind, path, durability, address, flags.redis_volatile)


def file_of(chosen: Path | None, kind: StoreKind) -> Path:
    """The file of a SQLite store: the one chosen, or the default one, whose directory is made if it is to be used.

    Raises PlaceUnusable where that cannot be.
    """
    if chosen is not None:
        return chosen
    path = sessions_file()
    if kind is StoreKind.SQLITE:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"{path.parent} cannot be made: {error}; name a file with --db, or use --store memory"
            raise PlaceUnusable(problem) from error
    return path
