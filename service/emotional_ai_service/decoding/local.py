"""The decoder on this machine: a worker process that loads a checkpoint directory and runs the scheduler.

`build` runs in the child; nothing else here may import torch, since the parent imports this module.
"""

from collections.abc import AsyncGenerator, AsyncIterator

from emotional_ai_service.decoding.messages import GenerationEvent, GenerationRequest, ModelDescription, Voice
from emotional_ai_service.decoding.model import LocalModel
from emotional_ai_service.observing.settings import LogSettings
from emotional_ai_service.workers import Load, Target, Worker, WorkerSpec
from emotional_ai_training.models import check_model_dir


class LocalDecoder:
    """Decodes in a process of its own. `start` before use, `close` after."""

    def __init__(
        self,
        model: LocalModel,
        *,
        threads: int = 0,
        niceness: int = 10,
        capacity: int = 64,
        log: LogSettings | None = None,
    ) -> None:
        self._worker: Worker[GenerationRequest, GenerationEvent] = Worker(
            WorkerSpec(
                name="decoder",
                target=f"{__name__}:build",
                arguments=model,
                capacity=capacity,
                niceness=niceness,
                threads=threads,
                log=log,
            )
        )

    @property
    def ready(self) -> bool:
        return self._worker.ready

    @property
    def pid(self) -> int | None:
        """Process id of the decoder process, None while there is none."""
        return self._worker.pid

    async def start(self) -> None:
        """Loads the model. Raises WorkerStartFailed with what is wrong with it."""
        await self._worker.start()

    async def close(self) -> None:
        await self._worker.close()

    def describe(self) -> ModelDescription:
        if not isinstance(self._worker.description, ModelDescription):
            raise RuntimeError("the decoder was not started")
        return self._worker.description

    def load(self) -> Load:
        return self._worker.load

    @property
    def restarts(self) -> int:
        """Times the decoder process was replaced."""
        return self._worker.restarts

    def generate(
        self, request: GenerationRequest, voices: AsyncIterator[Voice] | None = None
    ) -> AsyncGenerator[GenerationEvent, None]:
        return self._worker.request(request, voices)


def build(model: LocalModel) -> Target[GenerationRequest]:
    """Loads the model in the child. Raises NotAModel or DecoderUnsuited."""
    check_model_dir(model.directory)  # before torch is imported, which takes seconds
    from emotional_ai_service.decoding.loading import load

    return load(model)
