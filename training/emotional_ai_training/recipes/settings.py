"""What training is told by flags, `.env` and the environment, frozen once at the start.

TINKER_API_KEY       key of a Tinker server; without one the embedded server is started
TINKER_BASE_URL      its address; hosted Tinker if only the key is set
MODEL_NAME           base model by the name the server knows; the server's only model if empty
MODEL_TOKENIZER      directory of that model's tokenizer; the default model's for the embedded server
LORA_RANK            rank of the adapters, a power of two in 1..128 (8)
LEARNING_RATE        peak learning rate, in (0, 0.1] (0.001)
TINKER_TRAIN_PRICE, TINKER_SAMPLE_PRICE   dollars per million tokens, for the estimate before a hosted run
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emotional_ai_training.recipes.errors import SettingRefused
from emotional_ai_training.tinker_api import Address

RANKS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
GREATEST_LEARNING_RATE: Final = 0.1


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """Where to train, what, and how strongly."""

    remote: Address | None = field(default=None)
    """None: the embedded server."""
    model_name: str = ""
    tokenizer_dir: Path | None = None
    lora_rank: int = 8
    learning_rate: float = 1e-3
    train_price: float | None = None
    sample_price: float | None = None

    def __post_init__(self) -> None:
        if self.lora_rank not in RANKS:
            raise SettingRefused("LORA_RANK", self.lora_rank, "it must be a power of two in 1..128")
        if not 0 < self.learning_rate <= GREATEST_LEARNING_RATE:
            raise SettingRefused("LEARNING_RATE", self.learning_rate, f"it must be in (0, {GREATEST_LEARNING_RATE}]")


def training_settings(environ: Mapping[str, str]) -> TrainingSettings:
    """Reads the settings; raises SettingRefused naming the one that is wrong."""
    key, url = environ.get("TINKER_API_KEY", ""), environ.get("TINKER_BASE_URL", "")
    if url and not key:
        raise SettingRefused("TINKER_API_KEY", key, f"TINKER_BASE_URL is {url!r}, so set the key its server knows")
    if key and not key.startswith(("tml-", "eyJ")):
        raise SettingRefused("TINKER_API_KEY", key[:4] + "…", "a key begins with tml-")
    tokenizer = environ.get("MODEL_TOKENIZER", "")
    return TrainingSettings(
        remote=Address(url or None, key) if key else None,
        model_name=environ.get("MODEL_NAME", ""),
        tokenizer_dir=Path(tokenizer) if tokenizer else None,
        lora_rank=_whole(environ, "LORA_RANK", 8),
        learning_rate=_number(environ, "LEARNING_RATE") or 1e-3,
        train_price=_number(environ, "TINKER_TRAIN_PRICE"),
        sample_price=_number(environ, "TINKER_SAMPLE_PRICE"),
    )


def _whole(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    try:
        return int(text) if text else default
    except ValueError as error:
        raise SettingRefused(name, text, "it must be a whole number") from error


def _number(environ: Mapping[str, str], name: str) -> float | None:
    text = environ.get(name, "")
    try:
        return float(text) if text else None
    except ValueError as error:
        raise SettingRefused(name, text, "it must be a number") from error
