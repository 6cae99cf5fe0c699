"""What training is told by `.env` and the environment, frozen once at the start; rank and learning rate are the plan's.

TINKER_API_KEY       key of a Tinker server; without one the embedded server is started
TINKER_BASE_URL      its address; hosted Tinker if only the key is set
MODEL_NAME           base model by the name the server knows; the server's only model if empty
MODEL_TOKENIZER      directory of that model's tokenizer; the embedded server's model brings its own
EMOTIONAL_AI_MODEL   checkpoint directory the embedded server trains; the pulled model's if empty
TINKER_TRAIN_PRICE, TINKER_SAMPLE_PRICE   dollars per million tokens, for the estimate before a paid run
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from emotional_ai_training.recipes.errors import SettingRefused
from emotional_ai_training.tinker_api import Address
from emotional_ai_training.tinker_server.settings import is_loopback

RANKS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
GREATEST_LEARNING_RATE: Final = 0.1
HIDDEN: Final = "(not shown)"
"""What is told of a key."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Where to train, and on what."""

    remote: Address | None
    """None: the embedded server."""
    model_name: str
    tokenizer_dir: Path | None
    model_dir: Path | None
    train_price: float | None
    sample_price: float | None

    @property
    def paid(self) -> bool:
        """Whether somebody may send a bill: true but for the embedded server and servers on this machine."""
        if self.remote is None:
            return False
        return self.remote.base_url is None or not is_loopback(urlsplit(self.remote.base_url).hostname or "")


def _public(url: str) -> str:
    """An address without whatever stands in it to sign in with."""
    return url.rpartition("@")[2]


def training_settings(environ: Mapping[str, str]) -> TrainingSettings:
    """Reads the settings; raises SettingRefused naming the one that is wrong."""
    key, url = environ.get("TINKER_API_KEY", ""), environ.get("TINKER_BASE_URL", "")
    if url and not key:
        raise SettingRefused(
            "TINKER_API_KEY", key, f"TINKER_BASE_URL is {_public(url)!r}, so set the key its server knows"
        )
    if key and not key.startswith(("tml-", "eyJ")):
        raise SettingRefused("TINKER_API_KEY", HIDDEN, "a key begins with tml-")
    if not all("!" <= mark <= "~" for mark in key):
        raise SettingRefused("TINKER_API_KEY", HIDDEN, "a key is of printable ASCII characters without spaces")
    if url and not _is_address(url):
        raise SettingRefused("TINKER_BASE_URL", _public(url), "it must be http://HOST:PORT or https://HOST")
    return TrainingSettings(
        remote=Address(url or None, key) if key else None,
        model_name=environ.get("MODEL_NAME", ""),
        tokenizer_dir=_directory(environ, "MODEL_TOKENIZER"),
        model_dir=_directory(environ, "EMOTIONAL_AI_MODEL"),
        train_price=_price(environ, "TINKER_TRAIN_PRICE"),
        sample_price=_price(environ, "TINKER_SAMPLE_PRICE"),
    )


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def check_strength(lora_rank: int, learning_rate: float) -> None:
    """Raises SettingRefused if a plan's rank is no power of two in 1..128, or its learning rate not in (0, 0.1]."""
    if lora_rank not in RANKS:
        raise SettingRefused("LORA_RANK", lora_rank, "it must be a power of two in 1..128")
    if not 0 < learning_rate <= GREATEST_LEARNING_RATE:
        raise SettingRefused("LEARNING_RATE", learning_rate, f"it must be in (0, {GREATEST_LEARNING_RATE}]")


def _directory(environ: Mapping[str, str], name: str) -> Path | None:
    text = environ.get(name, "")
    return Path(text) if text else None


def _price(environ: Mapping[str, str], name: str) -> float | None:
    text = environ.get(name, "")
    try:
        value = float(text) if text else None
    except ValueError as error:
        raise SettingRefused(name, text, "it must be a number") from error
    if value is not None and not 0 <= value < math.inf:
        raise SettingRefused(name, text, "it must be 0 or more")
    return value
