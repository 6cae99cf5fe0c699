"""The model and its adapters, as small JSON and in words."""

from collections.abc import Mapping, Sequence
from typing import Final, TypedDict

from emotional_ai import names
from emotional_ai.v1 import inference_pb2 as pb
from emotional_ai.web.page import colours

BLENDS: Final[Mapping[pb.BlendMode.ValueType, str]] = {
    pb.BLEND_MODE_UNSPECIFIED: "the base model alone",
    pb.BLEND_MODE_EXACT: "exact: the weighted sum of adapters, token by token",
    pb.BLEND_MODE_NEAREST: "nearest: the adapter of greatest weight speaks the whole reply",
    pb.BLEND_MODE_MIXTURE: "mixture: one adapter, drawn by weight, speaks the whole reply",
    pb.BLEND_MODE_RESCORED: "rescored: drafts of one adapter, chosen by their score under the others",
}
"""How a backend realises a blend."""


class Model(TypedDict):
    """The language model."""

    name: str
    digest: str
    facts: dict[str, str]


class Adapter(TypedDict):
    """An adapter."""

    name: str
    colour: str
    prototype: dict[str, float]
    scale: float
    calibrated: bool
    rank: int
    digest: str
    base_model: str
    base_model_digest: str
    metrics: dict[str, float]
    """What it scored, in order of name."""
    refused: str


def model(told: pb.GetModelResponse) -> Model:
    """The model; what its backend does not say is left out."""
    facts = {
        "Backend": told.backend,
        "State": "ready" if told.ready else "not ready: it is starting, or busy",
        "Precision": told.dtype,
        "Blends": "; ".join(BLENDS.get(mode, f"mode {mode}, unknown to this page") for mode in told.blend_modes),
        "While it speaks": "a reply follows its session's state" if told.follows else "a reply stays as it began",
        "Context": f"{told.context_length} tokens" if told.context_length else "",
        "Layers": str(told.layers or ""),
    }
    return Model(name=told.name, digest=told.digest, facts={name: fact for name, fact in facts.items() if fact})


def adapters(told: Sequence[pb.Adapter]) -> list[Adapter]:
    """The adapters, in the order blends use."""
    return [_adapter(one, index) for index, one in enumerate(told)]


def _adapter(one: pb.Adapter, index: int) -> Adapter:
    return Adapter(
        name=one.name,
        colour=colours.adapter(one.name, index),
        prototype=names.levels(one.prototype),
        scale=one.scale,
        calibrated=one.scale_calibrated,
        rank=one.rank,
        digest=one.digest,
        base_model=one.base_model,
        base_model_digest=one.base_model_digest,
        metrics=dict(sorted(one.metrics.items())),
        refused=one.refused,
    )
