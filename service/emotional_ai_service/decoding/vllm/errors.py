"""What the server of this backend is refused for, or refuses.

WorkerStartFailed
+-- ServerUnfit      the server cannot be reached, or was started otherwise than this backend needs
ModelUnavailable
+-- ServerSilent     the server cannot be reached, or broke off
+-- AdapterChanged   an adapter was replaced between the planning of a blend and its writing
+-- Overloaded
    +-- BlendsInUse  every blend the server may hold is being spoken with
Exception
+-- NotServed        the server does not know the name of a model or blend; handled here
+-- BlendRefused     the server would not load or unload a blend; handled here
"""

from typing import Final

from emotional_ai_service.decoding.vllm.launch import server_command
from emotional_ai_service.decoding.vllm.settings import VllmSettings
from emotional_ai_service.errors import ModelUnavailable
from emotional_ai_service.workers import Overloaded, WorkerStartFailed

RETRY_SECONDS: Final = 5.0
"""How long to wait for a server that does not answer."""
BUSY_SECONDS: Final = 1.0
"""How long to wait for a request to end, when as many are under way as may be."""


class ServerUnfit(WorkerStartFailed):
    """The server cannot be reached, or was started otherwise than this backend needs; the message says how to start it."""

    def __init__(self, settings: VllmSettings, problem: str) -> None:
        super().__init__(f"vLLM at {settings.base_url} {problem}; start it so:\n  {server_command(settings)}")


class ServerSilent(ModelUnavailable):
    """The server cannot be reached, or broke off; try again after `retry_seconds`."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"vLLM {problem}; try again in {RETRY_SECONDS:.0f} s", RETRY_SECONDS)
        self.problem = problem


class AdapterChanged(ModelUnavailable):
    """An adapter was replaced between the planning of a blend and its writing; asked again, the blend is planned anew."""

    def __init__(self, adapter: str) -> None:
        message = f"adapter {adapter!r} was replaced while its blend was written; try again in {BUSY_SECONDS:.1f} s"
        super().__init__(message, BUSY_SECONDS)


class BlendsInUse(Overloaded):
    """Every blend the server may hold is being spoken with; try again after `retry_seconds`."""

    def __init__(self, blends: int) -> None:
        message = f"all {blends} blends the vLLM server may hold are in use; try again in {BUSY_SECONDS:.1f} s"
        ModelUnavailable.__init__(self, message, BUSY_SECONDS)


class NotServed(Exception):
    """The server does not know the name."""


class BlendRefused(Exception):
    """The server would not load or unload a blend; the message is its own."""
