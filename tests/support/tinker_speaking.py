"""Adapters trained on the local Tinker-compatible server, and replies of a decoder that speaks with them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
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


def trained(client: tinker.ServiceClient, base_model: str, names: Sequence[str] = NAMES) -> tuple[HostedAdapter, ...]:
    """An adapter for each name, each trained on data of its own until it speaks differently."""
    return tuple(
        HostedAdapter(name, _sampler_path(client, base_model, name, number)) for number, name in enumerate(names)
    )


def _sampler_path(client: tinker.ServiceClient, base_model: str, name: str, number: int) -> str:
    trainer = client.create_lora_training_client(base_model, rank=4, seed=number).result(PATIENCE)
    for _ in range(3):
        trainer.forward_backward(training_data((20, 30), seed=number), "cross_entropy")
        trainer.optim_step(ADAM)
    return trainer.save_weights_for_sampler(name).result(PATIENCE).path


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


def token_logprobs(trainer: tinker.TrainingClient, tokens: Sequence[int]) -> np.ndarray:
    """Log-probability of each token but the first, by a forward pass of the trainer."""
    datum = tinker.Datum(
        model_input=tinker.ModelInput.from_ints(list(tokens[:-1])),
        loss_fn_inputs={"target_tokens": list(tokens[1:]), "weights": [1.0] * (len(tokens) - 1)},
    )
    (out,) = trainer.forward([datum], "cross_entropy").result(PATIENCE).loss_fn_outputs
    return np.asarray(out["logprobs"].to_numpy())
