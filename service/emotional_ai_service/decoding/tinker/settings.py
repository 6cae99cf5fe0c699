"""What the Tinker backend is told, frozen."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from emotional_ai_service.addresses import check_address
from emotional_ai_service.decoding.messages import BlendMode
from emotional_ai_service.decoding.tinker.errors import TinkerStartFailed

HOSTED: Final = "https://tinker.thinkingmachines.dev/services/tinker-prod"
"""Address of the hosted service."""
MODES: Final = (BlendMode.NEAREST, BlendMode.MIXTURE, BlendMode.RESCORED)
MOST_DRAFTS: Final = 64
_PATH: Final = re.compile(r"tinker://[^/\s]+/sampler_weights/[^/\s]+")


@dataclass(frozen=True, slots=True)
class HostedAdapter:
    """An adapter that lies on the server. Raises ValueError for a path that no sampler takes."""

    name: str
    """By which blends know it."""
    path: str
    """tinker://<run>/sampler_weights/<name>, as `save_weights_for_sampler` gave it."""

    def __post_init__(self) -> None:
        if not self.name or _PATH.fullmatch(self.path) is None:
            raise ValueError(
                f"adapter {self.name!r} needs a path of the form tinker://<run>/sampler_weights/<name>, got {self.path!r}; "
                "weights/ and external_weights/ cannot be sampled"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TinkerSettings:
    """Which server speaks, with what, and how it answers blends. Raises ValueError naming the field out of range."""

    base_model: str
    """As the server names it."""
    model_dir: Path
    """Directory with that model's tokenizer and chat template; weights need not lie there."""
    api_key: str = field(repr=False)
    """Begins with tml-, or is a token that begins with eyJ."""
    base_url: str = HOSTED
    adapters: tuple[HostedAdapter, ...] = ()
    """Trained on that base model; see `read_adapters`."""
    mode: BlendMode = BlendMode.NEAREST
    """NEAREST, MIXTURE or RESCORED."""
    drafts: int = 4
    """Drafts of a reply in RESCORED, 2..MOST_DRAFTS; each is paid for."""
    margin: float = 0.1
    """By how much another adapter must lead before a session's speaker changes, >= 0, in units of weight."""
    sessions: int = 4096
    """Sessions whose speaker is remembered, those that spoke last, at least 1."""
    capacity: int = 64
    """Replies under way at once, at least 1; more are refused with a retry hint."""
    start_seconds: float = 60.0
    """Wall seconds within which a session with the server must stand, > 0."""
    reply_seconds: float = 120.0
    """Wall seconds within which a reply must be complete, > 0."""

    def __post_init__(self) -> None:
        check_address("base_url", self.base_url)
        names = [adapter.name for adapter in self.adapters]
        for fits, problem in (
            (self.base_model != "", "base_model is empty: name a model the server samples"),
            (self.api_key.startswith(("tml-", "eyJ")), "api_key must begin with tml- (or eyJ): the SDK sends no other"),
            (len(names) == len(set(names)), f"adapters names one twice: {sorted(names)}"),
            (self.mode in MODES, f"mode must be one of {[mode.value for mode in MODES]}, got {self.mode.value}"),
            (2 <= self.drafts <= MOST_DRAFTS, f"drafts must be in 2..{MOST_DRAFTS}, got {self.drafts}"),
            (self.margin >= 0, f"margin must be 0 or more, got {self.margin}"),
            (min(self.sessions, self.capacity) >= 1, "sessions and capacity must be 1 or more"),
            (min(self.start_seconds, self.reply_seconds) > 0, "start_seconds and reply_seconds must be above 0"),
        ):
            if not fits:
                raise ValueError(problem)


def read_adapters(file: Path) -> tuple[HostedAdapter, ...]:
    """The adapters a JSON file names, in its order: `{"high_dopamine": "tinker://<run>/sampler_weights/<name>", ...}`.

    A finished training run has its path under "sampler" in the final.json of its directory. Raises TinkerStartFailed naming
    the file and what is wrong in it.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_once)
        if not isinstance(found, dict) or not all(isinstance(path, str) for path in found.values()):
            raise ValueError("it must be one object of names and paths")
        return tuple(HostedAdapter(name, path) for name, path in found.items())
    except OSError as error:
        raise TinkerStartFailed(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise TinkerStartFailed(f"{file} does not name adapters: {error}") from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("a name appears twice")
    return found
