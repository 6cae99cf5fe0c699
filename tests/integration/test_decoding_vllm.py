"""Blends on a real vLLM server, against transformers with the weighted sum merged into its weights, in fp32."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from itertools import cycle
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, DynamicCache, LlamaForCausalLM
from vllm_process import NOT_INSTALLED, PYTHON, vllm_server

from emotional_ai_service.decoding import (
    BlendWeight,
    Finished,
    FinishReason,
    GenerationEvent,
    GenerationRequest,
    Message,
    Role,
    Sampling,
    Started,
    Text,
    UnknownAdapter,
)
from emotional_ai_service.decoding.messages import Blend, BlendMode
from emotional_ai_service.decoding.prompt import prompt_tokens
from emotional_ai_service.decoding.vllm import VllmDecoder, VllmSettings
from emotional_ai_training.adapters import Registry, adapter_digest
from emotional_ai_training.models import cache_dir, default_model_dir, pull

pytestmark = [
    pytest.mark.skipif(not PYTHON.is_file(), reason=NOT_INSTALLED),
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]
LORAS = Path(__file__).parents[2] / "loras"
CACHE = cache_dir(os.environ)
HELD = 4
CONTEXT = 512
GREEDY = Sampling(temperature=0, repetition_penalty=1)
PROMPTS = ("How was your day?", "I lost my keys again.", "Tell me about the sea.")


def blend(**weights: float) -> Blend:
    return tuple(BlendWeight(name, weight) for name, weight in weights.items())


BLENDS = (
    blend(high_dopamine=1),
    blend(high_dopamine=0.4, high_cortisol=0.35, balanced=0.25),
    blend(high_oxytocin=0.9, high_cortisol=-0.6),
    (BlendWeight("high_serotonin", 0, tuple(layer / 30 for layer in range(30))), BlendWeight("balanced", 0.5)),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmSettings]:
    pull(CACHE)
    settings = VllmSettings(
        base_url="http://127.0.0.1",
        model="base",
        model_dir=default_model_dir(CACHE),
        cache_dir=CACHE,
        registry=Registry(LORAS),
        blends_dir=tmp_path_factory.mktemp("blends"),
        blends=HELD,
        max_rank=32,
    )
    with vllm_server(settings, "--dtype", "float32", "--max-model-len", str(CONTEXT)) as placed:
        yield placed


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def decoder(server: VllmSettings) -> AsyncIterator[VllmDecoder]:
    decoder = VllmDecoder(server)
    await decoder.start()
    yield decoder
    await decoder.close()


class Reference:
    """transformers in fp32 with a blend merged into its weights, one token at a time."""

    def __init__(self, directory: Path, blend: Blend) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        self.model = LlamaForCausalLM.from_pretrained(directory, dtype=torch.float32)
        listing = Registry(LORAS).list()
        for weight in blend:
            adapter = listing.named(weight.adapter)
            assert adapter is not None
            self._merge(LORAS / weight.adapter, adapter.scale, weight)

    def _merge(self, directory: Path, scale: float, weight: BlendWeight) -> None:
        tensors = load_file(directory / "adapter_model.safetensors")
        config = json.loads((directory / "adapter_config.json").read_text())
        alpha_over_rank = config["lora_alpha"] / config["r"]
        for name, down in tensors.items():
            if not name.endswith(".lora_A.weight"):
                continue
            module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            layer = int(module.split(".")[2])
            factor = scale * (weight.layers[layer] if weight.layers else weight.weight)
            up = tensors[name.replace("lora_A", "lora_B")]
            self.model.get_submodule(module).weight.data += factor * alpha_over_rank * up @ down

    @torch.inference_mode()
    def greedy(self, request: GenerationRequest) -> tuple[str, list[float]]:
        """Text, and the log-probability of each token under the model itself."""
        fresh = prompt_tokens(self.tokenizer, request, CONTEXT)
        cache = DynamicCache(config=self.model.config)
        said: list[int] = []
        logprobs: list[float] = []
        while len(said) < request.max_tokens:
            logits = self.model(torch.tensor([fresh]), past_key_values=cache).logits[0, -1]
            chosen = logits.clone()
            for token in set(said):
                penalty = request.sampling.repetition_penalty
                chosen[token] = chosen[token] / penalty if chosen[token] > 0 else chosen[token] * penalty
            token = int(chosen.argmax())
            logprobs.append(float(logits.log_softmax(-1)[token]))
            said.append(token)
            fresh = [token]
            if token == self.tokenizer.eos_token_id:
                break
        return str(self.tokenizer.decode(said, skip_special_tokens=True)), logprobs


def ask(prompt: str, blend: Blend = (), sampling: Sampling = GREEDY, **more: object) -> GenerationRequest:
    return GenerationRequest(
        (Message(Role.USER, prompt),), 7, sampling=sampling, blend=blend, **({"max_tokens": 12} | more)
    )  # type: ignore[arg-type]


async def reply(decoder: VllmDecoder, request: GenerationRequest) -> list[GenerationEvent]:
    async with aclosing(decoder.generate(request)) as events:
        return [event async for event in events]


def text_of(events: Sequence[GenerationEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def end_of(events: Sequence[GenerationEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


async def loaded(server: VllmSettings) -> set[str]:
    async with httpx.AsyncClient(base_url=server.base_url) as http:
        return {entry["id"] for entry in (await http.get("/v1/models")).json()["data"]} - {server.model}


async def metric(http: httpx.AsyncClient, name: str) -> float:
    """A number the server publishes; the first whose name and labels begin so."""
    lines = (await http.get("/metrics")).text.splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[-1])


async def test_blends_of_one_batch_speak_greedily_as_the_merged_model(
    decoder: VllmDecoder, server: VllmSettings
) -> None:
    requests = [ask(prompt, blend, logprobs=True) for prompt, blend in zip(cycle(PROMPTS), BLENDS)]
    replies = await asyncio.gather(*(reply(decoder, request) for request in requests))
    for events, request in zip(replies, requests, strict=True):
        text, logprobs = Reference(server.model_dir, request.blend).greedy(request)
        assert text_of(events) == text
        found = [value for event in events if isinstance(event, Text) for value in event.logprobs]
        assert found == pytest.approx(logprobs[: len(found)], abs=2e-3)
        end = end_of(events)
        assert end.mode is BlendMode.EXACT
        assert {part.adapter for part in end.adapters} == {weight.adapter for weight in request.blend}
        assert all(part.digest == adapter_digest(LORAS / part.adapter) for part in end.adapters)


async def test_a_blend_changes_what_is_said(decoder: VllmDecoder) -> None:
    base, blended = await asyncio.gather(*(reply(decoder, ask(PROMPTS[0], blend)) for blend in ((), BLENDS[0])))
    assert text_of(base) != text_of(blended)


async def test_without_weights_the_base_model_speaks(decoder: VllmDecoder, server: VllmSettings) -> None:
    request = ask(PROMPTS[0], blend(balanced=0, high_cortisol=-0.0))
    events = await reply(decoder, request)
    assert text_of(events) == Reference(server.model_dir, ()).greedy(request)[0]
    assert end_of(events).mode is BlendMode.BASE
    assert end_of(events).adapters == ()
    assert isinstance(events[0], Started)


async def test_the_repetition_penalty_counts_the_reply_alone(decoder: VllmDecoder, server: VllmSettings) -> None:
    request = ask("I said the sea, the sea, the sea.", BLENDS[1], Sampling(0, repetition_penalty=1.3), max_tokens=24)
    events = await reply(decoder, request)
    assert text_of(events) == Reference(server.model_dir, BLENDS[1]).greedy(request)[0]
    assert text_of(events) != text_of(await reply(decoder, ask(request.messages[0].content, BLENDS[1], max_tokens=24)))


async def test_a_sampled_reply_is_said_again_by_its_seed_and_the_voice_it_reports(decoder: VllmDecoder) -> None:
    first = await reply(decoder, ask(PROMPTS[0], blend(high_dopamine=0.4004), Sampling(1.1, top_k=40, top_p=0.9)))
    end = end_of(first)
    assert end.changes[0].voice.blend == blend(high_dopamine=0.4)
    again = await reply(decoder, ask(PROMPTS[0], sampling=Sampling(top_k=40), schedule=end.changes))
    assert text_of(again) == text_of(first)
    assert end_of(again).changes == end.changes
    other = GenerationRequest((Message(Role.USER, PROMPTS[0]),), 8, sampling=Sampling(top_k=40), schedule=end.changes)
    assert text_of(await reply(decoder, other)) != text_of(first)


async def test_a_blend_near_a_held_one_is_spoken_with_that_and_says_so(
    decoder: VllmDecoder, server: VllmSettings
) -> None:
    await reply(decoder, ask(PROMPTS[0], blend(high_oxytocin=0.3)))
    before = await loaded(server)
    events = await reply(decoder, ask(PROMPTS[0], blend(high_oxytocin=0.32, high_cortisol=0.02)))
    assert end_of(events).changes[0].voice.blend == blend(high_oxytocin=0.3)
    assert await loaded(server) == before


async def test_the_server_and_the_disk_hold_no_more_blends_than_allowed(
    decoder: VllmDecoder, server: VllmSettings
) -> None:
    for tenth in range(1, HELD + 3):
        await reply(decoder, ask(PROMPTS[0], blend(high_serotonin=tenth / 10), max_tokens=2))
    names = await loaded(server)
    assert len(names) == HELD
    assert {entry.name for entry in server.blends_dir.iterdir()} == names
    assert any(name.endswith(f"-{100 * (HELD + 2)}") for name in names)


async def test_a_blend_the_server_has_lost_is_loaded_again(decoder: VllmDecoder, server: VllmSettings) -> None:
    first = await reply(decoder, ask(PROMPTS[1], BLENDS[1]))
    async with httpx.AsyncClient(base_url=server.base_url) as http:
        for name in await loaded(server):
            assert (await http.post("/v1/unload_lora_adapter", json={"lora_name": name})).status_code == 200
    assert text_of(await reply(decoder, ask(PROMPTS[1], BLENDS[1]))) == text_of(first)


async def test_leaving_a_reply_early_ends_it_in_the_server(decoder: VllmDecoder, server: VllmSettings) -> None:
    async with asyncio.timeout(120), httpx.AsyncClient(base_url=server.base_url) as http:
        before = await metric(http, "vllm:generation_tokens_total")
        async with aclosing(decoder.generate(ask(PROMPTS[2], max_tokens=400))) as events:
            async for event in events:
                if isinstance(event, Text):
                    break
        await reply(decoder, ask(PROMPTS[0], max_tokens=8))  # in whose time the other would go on
        while await metric(http, "vllm:num_requests_running"):
            pass
        assert await metric(http, "vllm:generation_tokens_total") - before < 30


async def test_a_stop_string_ends_the_reply_and_is_not_part_of_it(decoder: VllmDecoder) -> None:
    whole = text_of(await reply(decoder, ask(PROMPTS[0])))
    stop = whole.split()[3]
    events = await reply(decoder, ask(PROMPTS[0], stop=(stop,)))
    assert text_of(events) == whole[: whole.index(stop)]
    assert end_of(events).reason is FinishReason.STOP


async def test_an_unknown_adapter_is_refused_by_name(decoder: VllmDecoder) -> None:
    with pytest.raises(UnknownAdapter, match="high_spirits"):
        await reply(decoder, ask(PROMPTS[0], blend(high_spirits=1)))
