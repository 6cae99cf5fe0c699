"""How the recipes reach the Tinker API: the address, a deadline on every future, and what to do when something breaks.

    errors        what can go wrong, and what of it a new attempt may mend
    servers       where training takes place: a server by its address, or an embedded one, started by the command itself
    deadlines     `within`: the result of a future, or an error in bounded time; `in_background`: calls that block
    supervision   `supervised`: attempts from the last saved state
    base_models   which base models a server trains, by its own word
    prices        what a hosted run costs, before it starts
    downloads     an adapter's files from their signed addresses

The SDK retries its own requests; nothing here retries what it retries.
"""

from emotional_ai_training.tinker_api.base_models import choose_base_model
from emotional_ai_training.tinker_api.deadlines import Future, T, in_background, within
from emotional_ai_training.tinker_api.downloads import download_adapter
from emotional_ai_training.tinker_api.errors import (
    BaseModelUnavailable,
    CostRefused,
    DeadlineExceeded,
    DownloadFailed,
    FutureFailed,
    KeyRefused,
    ServerLost,
    TinkerFailure,
    explain,
    mendable,
)
from emotional_ai_training.tinker_api.prices import Estimate, check_cost
from emotional_ai_training.tinker_api.servers import (
    Address,
    EmbeddedServer,
    RemoteServer,
    TinkerServer,
    rest_client,
    session,
)
from emotional_ai_training.tinker_api.supervision import supervised

__all__ = [
    "Address",
    "BaseModelUnavailable",
    "CostRefused",
    "DeadlineExceeded",
    "DownloadFailed",
    "EmbeddedServer",
    "Estimate",
    "Future",
    "FutureFailed",
    "KeyRefused",
    "RemoteServer",
    "ServerLost",
    "T",
    "TinkerFailure",
    "TinkerServer",
    "check_cost",
    "choose_base_model",
    "download_adapter",
    "explain",
    "in_background",
    "mendable",
    "rest_client",
    "session",
    "supervised",
    "within",
]
