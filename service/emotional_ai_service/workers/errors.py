"""What a worker process refuses or fails with.

ServiceError
+-- WorkerFault            one request met an unexpected exception; the process goes on
+-- ModelUnavailable
    +-- WorkerUnavailable  the process is starting, died with the request, or was closed
    +-- Overloaded         as many requests as the worker holds are under way
RuntimeError
+-- WorkerStartFailed      the first start did not succeed: a configuration to correct
"""

from emotional_ai_service.errors import ModelUnavailable, ServiceError


class WorkerUnavailable(ModelUnavailable):
    """The process is starting, died with the request, or was closed; try again after `retry_seconds`."""

    def __init__(self, worker: str, problem: str, retry_seconds: float) -> None:
        super().__init__(f"the {worker} {problem}; try again in {retry_seconds:.1f} s", retry_seconds)


class Overloaded(ModelUnavailable):
    """As many requests as the worker holds are under way; try again after `retry_seconds`."""

    def __init__(self, worker: str, capacity: int, retry_seconds: float) -> None:
        super().__init__(
            f"the {worker} holds {capacity} requests already; try again in {retry_seconds:.1f} s", retry_seconds
        )


class WorkerFault(ServiceError):
    """One request met an unexpected exception in the worker; the message carries its traceback."""


class WorkerStartFailed(RuntimeError):
    """The first start of a worker did not succeed; the message says what the target raised."""
