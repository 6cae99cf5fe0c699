"""Adapters trained on the local Tinker-compatible server, and replies of a decoder that speaks with them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tinker
from tinker_loopback import KEY, PATIENCE, training_data

from emotional_ai_service.decoding import Decoder, Finished, GenerationEvent, GenerationRequest, Message, Role, Text
from emotional_ai_service.decoding.messages import BlendWeight, Sampling
from emotional_ai_service.decoding.tinker import HostedAdapter, TinkerDecoder, TinkerSettings

ADAM = tinker.AdamParams(learning_rate=3e-2, eps=1e-8)
NAMES = ("calm", "eager", "wary")


@dataclass(frozen=True, slots=True)
class Trained:
    """Adapters on the server, and what trained them, which can still say what it thinks of a text."""

    adapters: tuple[HostedAdapter, ...]
    trainers: Mapping[str, tinker.TrainingClient]
    """By adapter; that of the base model, under "", was never trained."""

    def logprobs(self, name: str, prompt: Sequence[int], reply: Sequence[int]) -> np.ndarray:
        """Log-probability of each token of the reply, by a forward pass of the trainer."""
        tokens = [*prompt, *reply]
        datum = tinker.Datum(
            model_input=tinker.ModelInput.from_ints(tokens[:-1]),
            loss_fn_inputs={"target_tokens": tokens[1:], "weights": [1.0] * (len(tokens) - 1)},
        )
        (out,) = self.trainers[name].forward([datum], "cross_entropy").result(PATIENCE).loss_fn_outputs
        return np.asarray(out["logprobs"].to_numpy())[-len(reply) :]


def trained(client: tinker.ServiceClient, base_model: str, names: Sequence[str] = NAMES) -> Trained:
    """An adapter for each name, each trained on data of its own until it speaks differently."""
    trainers = {name: _trainer(client, base_model, seed, steps=3) for seed, name in enumerate(names)}
    paths = {name: one.save_weights_for_sampler(name).result(PATIENCE).path for name, one in trainers.items()}
    adapters = tuple(HostedAdapter(name, path) for name, path in paths.items())
    return Trained(adapters, {**trainers, "": _trainer(client, base_model, len(names), steps=0)})


def _trainer(client: tinker.ServiceClient, base_model: str, seed: int, steps: int) -> tinker.TrainingClient:
    trainer = client.create_lora_training_client(base_model, rank=4, seed=seed).result(PATIENCE)
    for _ in range(steps):
        trainer.forward_backward(training_data((20, 30), seed=seed), "cross_entropy")
        trainer.optim_step(ADAM)
    return trainer


def asked(seed: int = 1, *blend: tuple[str, float], text: str = "the sea", **changes: Any) -> GenerationRequest:
    """A request, spoken at temperature 1 without a rule of sampling unless said otherwise."""
    given: dict[str, Any] = {
        "messages": (Message(Role.USER, text),),
        "seed": seed,
        "sampling": Sampling(temperature=1.0, top_p=1.0),
        "max_tokens": 6,
        "blend": tuple(BlendWeight(name, weight) for name, weight in blend),
    }
    return GenerationRequest(**(given | changes))


def settings_of(base_url: str, model: Path, adapters: tuple[HostedAdapter, ...] = (), **changes: Any) -> TinkerSettings:
    """Settings for the server at that address."""
    given: dict[str, Any] = {
        "base_url": base_url,
        "api_key": KEY,
        "base_model": model.name,
        "model_dir": model,
        "adapters": adapters,
        "reply_seconds": PATIENCE,
    }
    return TinkerSettings(**(given | changes))


@asynccontextmanager
async def speaking(settings: TinkerSettings) -> AsyncIterator[TinkerDecoder]:
    """A started decoder."""
    decoder = TinkerDecoder(settings)
    await decoder.start()
    try:
        yield decoder
    finally:
        await decoder.close()


async def events_of(decoder: Decoder, request: GenerationRequest) -> list[GenerationEvent]:
    """Everything a reply consists of."""
    async with aclosing(decoder.generate(request)) as events:
        return [event async for event in events]


async def reply_of(decoder: Decoder, request: GenerationRequest) -> tuple[str, Finished]:
    """What was said, and how."""
    *said, end = await events_of(decoder, request)
    assert isinstance(end, Finished)
    return "".join(event.text for event in said if isinstance(event, Text)), end


async def speaker_of(decoder: Decoder, request: GenerationRequest) -> str:
    """The one adapter that spoke."""
    _, end = await reply_of(decoder, request)
    (one,) = end.changes[0].voice.blend
    return one.adapter
