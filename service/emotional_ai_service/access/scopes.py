"""Which scope each rpc needs: one table over the whole contract, and reflection, which tells it."""

from collections.abc import Mapping
from typing import Final

from emotional_ai_service.callers import Scope

_BY_SERVICE: Final[Mapping[str, Mapping[Scope, tuple[str, ...]]]] = {
    "emotional_ai.v1.EmotionEngine": {
        Scope.READ: (
            "GetSession",
            "ListSessions",
            "GetState",
            "WatchState",
            "GetHistory",
            "Explain",
            "ReplayCounterfactual",
            "ExportSession",
            "Simulate",
        ),
        Scope.WRITE: (
            "CreateSession",
            "UpdateSession",
            "DeleteSession",
            "ResetSession",
            "ApplyStimuli",
            "StreamState",
            "ImportSession",
        ),
    },
    "emotional_ai.v1.Inference": {
        Scope.READ: ("Appraise", "PreviewExpression", "GetModel", "GetLoad", "ListAdapters"),
        Scope.WRITE: ("Converse", "Generate"),
    },
    "emotional_ai.v1.Training": {
        Scope.READ: ("GetJob", "ListJobs", "WatchJob"),
        Scope.TRAIN: ("StartJob", "CancelJob"),
    },
    "grpc.reflection.v1alpha.ServerReflection": {Scope.READ: ("ServerReflectionInfo",)},
}

SCOPES: Final[Mapping[str, Scope]] = {
    f"{service}.{method}": scope
    for service, by_scope in _BY_SERVICE.items()
    for scope, methods in by_scope.items()
    for method in methods
}
"""The scope of each rpc, by its full name, such as "emotional_ai.v1.Inference.Converse"."""


def allows(scopes: frozenset[Scope], needed: Scope) -> bool:
    """Whether a token of these scopes may do what needs that one. ADMIN may do everything; no other implies another."""
    return needed in scopes or Scope.ADMIN in scopes
