"""What tests of the scheduler ask of it, and a stage on which schedulers come and go while the model is loaded once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tiny_decoding import publish_tiny_adapters, tiny_speaker

from emotional_ai_service.decoding import BlendWeight, GenerationRequest, Message, Role, RuntimeKind, Sampling
from emotional_ai_service.decoding.batch import Batch, Runtime
from emotional_ai_service.decoding.llama import Floats
from emotional_ai_service.decoding.scheduler import Scheduler, Speaker

GREEDY: Final = Sampling(temperature=0, repetition_penalty=1)
WILD: Final = Sampling(temperature=1.5, top_p=1, repetition_penalty=1, min_p=0)
BLENDS: Final = (
    (),
    (BlendWeight("alpha", 1.0),),
    (BlendWeight("beta", -0.5), BlendWeight("gamma", 0.75)),
    (BlendWeight("alpha", 0.25), BlendWeight("beta", 0.5), BlendWeight("gamma", 0.0)),
    (BlendWeight("alpha", 0.0, (0.5, -0.25)), BlendWeight("gamma", 1.0)),
)
"""For the adapters of `publish_tiny_adapters`, in weights that the decoder need not round."""
BOTH: Final = (RuntimeKind.TORCH, RuntimeKind.OPENVINO)
MOST_ACTIVE: Final = 8


def ask(
    words: str = "the sea", seed: int = 1, sampling: Sampling = WILD, max_tokens: int = 24, **more: object
) -> GenerationRequest:
    """A request whose prompt takes little more than a token for each letter outside "the sea and the sky"."""
    messages = (Message(Role.SYSTEM, "Ada"), Message(Role.USER, words))
    return GenerationRequest(messages, seed, sampling=sampling, max_tokens=max_tokens, **more)  # type: ignore[arg-type]


def mixed(sampling: Sampling = WILD) -> list[GenerationRequest]:
    """Nine replies of other lengths, prompts, blends and seeds."""
    return [
        ask("x" * (1 + 30 * (seed % 4)), seed, sampling, 5 + 7 * seed, logprobs=True, blend=BLENDS[seed % 5])
        for seed in range(9)
    ]


@dataclass
class Watched:
    """A runtime that remembers the batches it computed, and fails at those whose number is in `failing`."""

    inner: Runtime
    failing: Sequence[int] = ()
    batches: list[Batch] = field(default_factory=list)

    @property
    def dtype(self) -> str:
        return self.inner.dtype

    @property
    def repeatable(self) -> bool:
        return self.inner.repeatable

    def forward(self, batch: Batch) -> Floats:
        self.batches.append(batch)
        if len(self.batches) - 1 in self.failing:
            raise RuntimeError("the processor caught fire")
        return self.inner.forward(batch)


class Stage:
    """The tiny model on both runtimes, with the three tiny adapters."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        publish_tiny_adapters(directory)
        self._speakers = {
            kind: tiny_speaker(directory, runtime=kind, active=MOST_ACTIVE, kv_bytes=1 << 20) for kind in BOTH
        }

    def speaker(self, kind: RuntimeKind, *, active: int = 4, blocks: int = 32) -> Speaker:
        """What a scheduler with these limits speaks with."""
        speaker = self._speakers[kind]
        context = min(speaker.shape.context, blocks * 32)
        return replace(
            speaker,
            active=active,
            blocks=blocks,
            description=replace(speaker.description, context_length=context),
        )

    def scheduler(self, kind: RuntimeKind = RuntimeKind.TORCH, *, active: int = 4, blocks: int = 32) -> Scheduler:
        """A scheduler with nothing under way and nothing kept."""
        return Scheduler(self.speaker(kind, active=active, blocks=blocks))

    def watched(
        self, kind: RuntimeKind, *failing: int, active: int = 4, blocks: int = 32
    ) -> tuple[Scheduler, list[Batch]]:
        """A scheduler, and the batches it has computed so far; those of the numbers in `failing` fail."""
        speaker = self.speaker(kind, active=active, blocks=blocks)
        runtime = Watched(speaker.runtime, failing)
        return Scheduler(replace(speaker, runtime=runtime)), runtime.batches


def whole(scheduler: Scheduler) -> bool:
    """Whether every block could be handed out."""
    return scheduler.pool.available == scheduler.pool.size
