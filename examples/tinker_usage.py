"""Each primitive of training on the Tinker SDK, by itself: gradients, a loss of one's own, steps, saving, blending, sampling.

    emotional-ai tinker-server                   prints the two settings to copy
    TINKER_BASE_URL=... TINKER_API_KEY=... python examples/tinker_usage.py

On hosted Tinker, leave TINKER_BASE_URL unset and name a model and its tokenizer: MODEL_NAME=... MODEL_TOKENIZER=...
"""

import os
import sys
import tempfile
from pathlib import Path

import tinker
import torch

from emotional_ai_training.adapters.concatenation import concatenate
from emotional_ai_training.models import cache_dir, default_model_dir
from emotional_ai_training.recipes.examples import ChatTokenizer
from emotional_ai_training.recipes.exporting import export
from emotional_ai_training.tinker_api import choose_base_model

SECONDS = 120.0
CHAT = [("system", "You are a companion."), ("user", "I passed my exam!"), ("assistant", "I'm thrilled! Tell me all!")]


def main() -> None:
    os.environ.setdefault("TINKER_TELEMETRY", "0")
    rest = tinker.RestClient()
    model = choose_base_model(rest, os.environ.get("MODEL_NAME", ""), SECONDS)
    tokenizer = ChatTokenizer(Path(os.environ.get("MODEL_TOKENIZER") or default_model_dir(cache_dir(os.environ))))
    example = tokenizer.example("example", CHAT)
    prompt = tinker.ModelInput.from_ints(tokenizer.prompt_of(CHAT[:-1]))

    with tinker.ServiceClient() as service:
        # A new adapter on the base model.
        client = service.create_lora_training_client(model, rank=8, seed=0, train_unembed=False).result(SECONDS)

        # forward_backward and optim_step, submitted together; the loss is a sum over tokens.
        gradient = client.forward_backward([example.datum(1 / example.trained)], "cross_entropy")
        step = client.optim_step(tinker.AdamParams(learning_rate=1e-3))
        print(f"cross-entropy {gradient.result(SECONDS).metrics['loss:sum']:.3f} nats per token")
        step.result(SECONDS)

        # A backward of one's own: any function of the log-probabilities, differentiated by torch.
        def hinge(data: list[tinker.Datum], logprobs: list[torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
            loss = torch.stack([torch.relu(-1.0 - found[-example.trained :]).mean() for found in logprobs]).sum()
            return loss, {"hinge": float(loss.detach())}

        custom = client.forward_backward_custom([example.datum(1.0)], hinge).result(SECONDS)
        client.optim_step(tinker.AdamParams(learning_rate=1e-3)).result(SECONDS)
        print(f"own loss {custom.metrics['hinge']:.3f}")

        # Save: to train on, to sample with, to download.
        state = client.save_state("usage").result(SECONDS).path
        sampler = client.save_weights_for_sampler("usage").result(SECONDS).path
        external = client.save_weights_external("usage").result(SECONDS).path
        print(f"saved {state}")

        # A second adapter, trained on from the first.
        other = service.create_training_client_from_state(state).result(SECONDS)
        other.forward_backward([example.datum(1 / example.trained)], "cross_entropy").result(SECONDS)
        other.optim_step(tinker.AdamParams(learning_rate=1e-3)).result(SECONDS)
        second = other.save_weights_external("usage").result(SECONDS).path

        # Blend: the API mixes no weights, so the sum is made here, exactly, from the exported adapters.
        with tempfile.TemporaryDirectory() as folder:
            parts = []
            for number, path in enumerate((external, second)):
                into = Path(folder) / str(number)
                into.mkdir()
                export(rest, path, into, SECONDS)
                parts.append((into, 0.5))
            print(f"blended into one adapter of rank {concatenate(parts, Path(folder) / 'blend')}")

        # Sample.
        sampling = service.create_sampling_client(model_path=sampler).result(SECONDS)
        params = tinker.SamplingParams(max_tokens=24, temperature=0.7, seed=0, stop=[tokenizer.end])
        reply = sampling.sample(prompt, 1, params).result(SECONDS).sequences[0]
        print(f"says {tokenizer.decode(reply.tokens)!r}")


if __name__ == "__main__":
    sys.exit(main())
