"""Names that come from clients, and the tinker:// paths made of them.

tinker://<run>/weights/<name>             can be trained on from
tinker://<run>/sampler_weights/<name>     can be sampled
tinker://<run>/external_weights/<name>    can be downloaded
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from emotional_ai_training.tinker_server.errors import InvalidRequest

NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
RUN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}:train:[0-9]{1,9}")
SCHEME: Final = "tinker://"


class Kind(StrEnum):
    """What a checkpoint is for; the value is its part of the path."""

    TRAINING = "weights"
    SAMPLER = "sampler_weights"
    EXTERNAL = "external_weights"
    EPHEMERAL = "ephemeral_weights"
    """Behind a sampler made without a name; never in a path a client sends."""

    @property
    def listed(self) -> str:
        """The word for it in listings."""
        return self.value.partition("_")[0] if self is not Kind.TRAINING else "training"


PUBLIC: Final = (Kind.TRAINING, Kind.SAMPLER, Kind.EXTERNAL)


@dataclass(frozen=True, slots=True)
class CheckpointPath:
    """Where a checkpoint lies: run, kind and name, each checked."""

    run_id: str
    kind: Kind
    name: str

    def __post_init__(self) -> None:
        check_run(self.run_id)
        check_name(self.name)

    def __str__(self) -> str:
        return f"{SCHEME}{self.run_id}/{self.kind}/{self.name}"


def parse_path(path: str) -> CheckpointPath:
    """The parts of a tinker:// path; InvalidRequest says what is wrong with it."""
    parts = path.removeprefix(SCHEME).split("/")
    if not path.startswith(SCHEME) or len(parts) != 3 or parts[1] not in PUBLIC:
        kinds = "|".join(PUBLIC)
        raise InvalidRequest(f"{path[:200]!r} is not a checkpoint path; expected tinker://<run>/{kinds}/<name>")
    return CheckpointPath(parts[0], Kind(parts[1]), parts[2])


def check_name(name: str) -> str:
    """The name of a checkpoint; InvalidRequest unless it is plain."""
    if NAME.fullmatch(name) is None:
        raise InvalidRequest(
            f"checkpoint name {name[:200]!r} must be 1 to 128 of letters, digits, '.', '_' and '-', and not begin with '.'"
        )
    return name


def check_run(run_id: str) -> str:
    """The id of a training run; InvalidRequest unless it has the form this server gives."""
    if RUN.fullmatch(run_id) is None:
        raise InvalidRequest(f"{run_id[:200]!r} is not the id of a training run")
    return run_id
