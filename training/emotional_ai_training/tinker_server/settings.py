"""Everything the server is told, frozen; the command reads flags and environment into it."""

import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from emotional_ai_training.tinker_server.errors import NotServable

KEY: Final = re.compile(r"tml-[A-Za-z0-9_-]{1,200}")
LOCALHOST: Final = "localhost"
READY: Final = "ready "
"""What a child server prints, followed by its address, once it takes requests."""


class Device(StrEnum):
    """Where the model is computed; AUTO takes a GPU where torch sees one."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Dtype(StrEnum):
    """Number format of the frozen weights; adapters are always fp32. AUTO is bf16 where the device multiplies in it."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What to serve, where, and to whom; NotServable says what does not fit."""

    model: Path
    state: Path
    key: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 0
    listen_beyond_loopback: bool = False
    threads: int = 0
    """Threads of the model; 0 takes every processor."""
    device: Device = Device.AUTO
    dtype: Dtype = Dtype.AUTO
    max_queue: int = 256
    """Requests accepted and not finished; more are answered 429."""
    max_runs: int = 32
    """Models in training at once."""
    with_parent: bool = False
    """Whether the server ends when its standard input does."""

    def __post_init__(self) -> None:
        if KEY.fullmatch(self.key) is None:
            raise NotServable("the key must be tml- followed by letters, digits, '_' and '-': the SDK sends no other")
        if not self.listen_beyond_loopback and not is_loopback(self.host):
            raise NotServable(
                f"{self.host} is reachable from other machines, which could train and read checkpoints with the key; "
                "add --listen-beyond-loopback if that is wanted"
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    if host == LOCALHOST:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def new_key() -> str:
    """A key nobody knows yet."""
    return f"tml-{secrets.token_urlsafe(24)}"
