"""Speech on the local Tinker-compatible server, through the unmodified SDK: who speaks, and by which law."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import tinker
from tinker_loopback import LEFT_OPEN, PATIENCE, Loopback, base_model, tinker_service
from tinker_speaking import Trained, asked, events_of, reply_of, settings_of, speaker_of, speaking, trained
from tiny_training import roomy_model
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from emotional_ai_service.decoding import Decoder, Finished, FinishReason, PromptTooLong, Sampling, Started, Text
from emotional_ai_service.decoding.errors import CannotFollow, PromptRefused, UnknownAdapter
from emotional_ai_service.decoding.messages import BlendMode, BlendWeight, GenerationRequest, Voice
from emotional_ai_service.decoding.prompt import prompt_tokens
from emotional_ai_service.decoding.tinker import TinkerDecoder
from emotional_ai_service.decoding.tinker.choosing import drawn_by_weight
from emotional_ai_service.workers import Load, Overloaded

pytestmark = pytest.mark.filterwarnings(LEFT_OPEN)
CONTEXT = 2048


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return roomy_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def tokenizer(model: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(model)


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINKER_TELEMETRY", "0")
        with tinker_service(base_model(model), tmp_path_factory.mktemp("state")) as running:
            yield running


@pytest.fixture(scope="module")
def client(server: Loopback) -> Iterator[tinker.ServiceClient]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def own(client: tinker.ServiceClient) -> Trained:
    return trained(client, "tiny")


class Stage:
    """Decoders on the server."""

    def __init__(self, server: Loopback, model: Path, own: Trained) -> None:
        self._server, self._model, self._own = server, model, own

    def decoder(self, **changes: Any) -> AbstractAsyncContextManager[TinkerDecoder]:
        return speaking(settings_of(self._server.base_url, self._model, self._own.adapters, **changes))


@pytest.fixture
def stage(server: Loopback, model: Path, own: Trained) -> Stage:
    return Stage(server, model, own)


@pytest.fixture
async def nearest(stage: Stage) -> AsyncIterator[TinkerDecoder]:
    async with stage.decoder() as decoder:
        yield decoder


@pytest.fixture
async def rescored(stage: Stage) -> AsyncIterator[TinkerDecoder]:
    async with stage.decoder(mode=BlendMode.RESCORED) as decoder:
        yield decoder


class Sampled:
    """The SDK asked directly, past the decoder."""

    def __init__(self, client: tinker.ServiceClient, own: Trained, tokenizer: PreTrainedTokenizerBase) -> None:
        self._client, self._tokenizer = client, tokenizer
        self._paths = {adapter.name: adapter.path for adapter in own.adapters}

    def prompt(self, request: GenerationRequest) -> list[int]:
        return prompt_tokens(self._tokenizer, request, CONTEXT)

    def text(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))

    def replies(self, name: str, request: GenerationRequest, seed: int, count: int = 1) -> list[list[int]]:
        """Replies of an adapter, or of the base model under "", by the rules of the request."""
        if name:
            sampler = self._client.create_sampling_client(model_path=self._paths[name]).result(PATIENCE)
        else:
            sampler = self._client.create_sampling_client(base_model="tiny").result(PATIENCE)
        rule = request.sampling
        params = tinker.SamplingParams(
            max_tokens=request.max_tokens,
            seed=seed,
            temperature=rule.temperature,
            top_k=rule.top_k or -1,
            top_p=rule.top_p,
        )
        prompt = tinker.ModelInput.from_ints(self.prompt(request))
        return [list(one.tokens) for one in sampler.sample(prompt, count, params).result(PATIENCE).sequences]


@pytest.fixture(scope="module")
def sampled(client: tinker.ServiceClient, own: Trained, tokenizer: PreTrainedTokenizerBase) -> Sampled:
    return Sampled(client, own, tokenizer)


def test_the_decoder_is_one(model: Path) -> None:
    decoder: Decoder = TinkerDecoder(settings_of("http://127.0.0.1:1", model))
    assert not decoder.ready


async def test_a_reply_comes_in_one_piece_and_names_what_spoke(nearest: TinkerDecoder) -> None:
    started, text, end = await events_of(nearest, asked(1, ("calm", 0.3), ("eager", 0.8)))
    assert isinstance(started, Started)
    assert isinstance(text, Text)
    assert isinstance(end, Finished)
    assert end.mode is BlendMode.NEAREST
    assert end.changes[0].token_index == 0
    assert end.changes[0].voice == Voice((BlendWeight("eager", 1.0),), 1.0, 1.0)
    assert [one.adapter for one in end.adapters] == ["eager"]
    assert end.prompt_tokens == started.prompt_tokens
    assert end.reason is FinishReason.LENGTH
    assert (end.completion_tokens, text.token_index) == (6, 0)


async def test_it_says_which_model_speaks_and_how(nearest: TinkerDecoder, rescored: TinkerDecoder) -> None:
    described = nearest.describe()
    assert (described.name, described.backend, described.context_length) == ("tiny", "tinker", CONTEXT - 1)
    assert described.modes == (BlendMode.BASE, BlendMode.NEAREST)
    assert not described.follows
    assert rescored.describe().modes == (BlendMode.BASE, BlendMode.NEAREST, BlendMode.RESCORED)


@pytest.mark.parametrize("name", ["", "calm", "eager", "wary"])
async def test_who_is_said_to_speak_does(nearest: TinkerDecoder, sampled: Sampled, name: str) -> None:
    request = asked(7, (name, 0.9)) if name else asked(7)
    said, end = await reply_of(nearest, request)
    (expected,) = sampled.replies(name, request, Random(7).getrandbits(31))
    assert said == sampled.text(expected)
    assert end.mode is (BlendMode.NEAREST if name else BlendMode.BASE)
    others = {"", "calm", "eager", "wary"} - {name}
    assert all(sampled.replies(other, request, Random(7).getrandbits(31)) != [expected] for other in others)


async def test_a_session_keeps_its_speaker_while_the_blend_wavers(nearest: TinkerDecoder) -> None:
    async def speaker(calm: float, eager: float, session: str = "s") -> str:
        return await speaker_of(nearest, asked(1, ("calm", calm), ("eager", eager), session=session))

    assert await speaker(0.50, 0.49) == "calm"
    assert await speaker(0.45, 0.54) == "calm"
    assert await speaker(0.45, 0.54, session="another") == "eager"
    assert await speaker(0.40, 0.60) == "eager"
    assert await speaker(0.52, 0.48) == "eager"


async def test_a_request_that_is_only_admitted_changes_no_speaker(nearest: TinkerDecoder) -> None:
    assert await speaker_of(nearest, asked(1, ("calm", 0.9), session="s")) == "calm"
    admitted = nearest.generate(asked(1, ("eager", 0.9), session="s"))
    assert isinstance(await anext(admitted), Started)
    await admitted.aclose()
    assert await speaker_of(nearest, asked(1, ("calm", 0.50), ("eager", 0.55), session="s")) == "calm"


async def test_a_mixture_is_spoken_by_adapters_as_often_as_they_weigh(stage: Stage) -> None:
    blend = (("calm", 1.0), ("eager", 2.0), ("wary", 1.0))
    async with stage.decoder(mode=BlendMode.MIXTURE) as decoder:
        ends = [(await reply_of(decoder, asked(seed, *blend, max_tokens=1)))[1] for seed in range(40)]
    assert {end.mode for end in ends} == {BlendMode.MIXTURE}
    spoke = [end.changes[0].voice.blend[0].adapter for end in ends]
    assert spoke == [drawn_by_weight(dict(blend), Random(seed)) for seed in range(40)]
    assert Counter(spoke) == Counter(_drawn_plainly(seed) for seed in range(40))


def _drawn_plainly(seed: int) -> str:
    point = 4 * Random(seed).random()
    return "calm" if point < 1 else "eager" if point < 3 else "wary"


@pytest.mark.parametrize("seed", range(6))
async def test_a_rescored_reply_is_the_draft_that_an_independent_computation_takes(
    rescored: TinkerDecoder, sampled: Sampled, own: Trained, seed: int
) -> None:
    request = asked(seed, ("calm", 0.5), ("eager", 0.4), ("wary", -0.2))
    said, end = await reply_of(rescored, request)
    assert end.mode is BlendMode.RESCORED
    assert end.changes[0].voice.blend == request.blend
    assert [one.adapter for one in end.adapters] == ["calm", "eager", "wary"]

    draw = Random(seed)
    drafts = sampled.replies("calm", request, draw.getrandbits(31), 4)
    chances = _chances(own, sampled.prompt(request), drafts)
    taken = int(np.searchsorted(np.cumsum(chances), draw.random(), side="right"))
    assert said == sampled.text(drafts[taken])
    assert len(set(map(tuple, drafts))) == 4


def _chances(own: Trained, prompt: list[int], drafts: list[list[int]]) -> np.ndarray:
    """By forward passes of the trainers, at temperature 1."""
    score = {name: np.array([own.logprobs(name, prompt, draft).sum() for draft in drafts]) for name in own.trainers}
    logs = 0.5 * score["calm"] + 0.4 * score["eager"] - 0.2 * score["wary"] + 0.3 * score[""] - score["calm"]
    masses: np.ndarray = np.exp(logs - logs.max())
    chances: np.ndarray = masses / masses.sum()
    return chances


async def test_greedy_replies_are_those_of_the_nearest_and_say_so(
    rescored: TinkerDecoder, nearest: TinkerDecoder
) -> None:
    request = asked(1, ("calm", 0.4), ("eager", 0.6), sampling=Sampling(temperature=0.0, top_p=1.0))
    said, end = await reply_of(rescored, request)
    assert end.mode is BlendMode.NEAREST
    assert said == (await reply_of(nearest, request))[0]


@pytest.mark.parametrize("mode", [BlendMode.NEAREST, BlendMode.MIXTURE, BlendMode.RESCORED])
async def test_a_seed_repeats_its_reply_in_every_mode(stage: Stage, mode: BlendMode) -> None:
    async with stage.decoder(mode=mode) as decoder:
        first, again, other = [
            (await reply_of(decoder, asked(seed, ("calm", 0.6), ("eager", 0.4))))[0]
            for seed in (2**64 - 1, 2**64 - 1, 4)
        ]
    assert first == again
    assert first != other


@pytest.mark.parametrize(("mode", "count"), [(BlendMode.NEAREST, 1), (BlendMode.RESCORED, 4)])
async def test_logprobs_are_those_of_who_spoke_before_any_sampling_rule(
    stage: Stage, own: Trained, sampled: Sampled, mode: BlendMode, count: int
) -> None:
    rule = Sampling(temperature=0.6, top_k=20, top_p=0.9)
    request = asked(3, ("calm", 0.6), ("wary", 0.3), logprobs=True, sampling=rule)
    async with stage.decoder(mode=mode) as decoder:
        _, text, _ = await events_of(decoder, request)
    assert isinstance(text, Text)
    drafts = sampled.replies("calm", request, Random(3).getrandbits(31), count)
    (tokens,) = {tuple(draft) for draft in drafts if sampled.text(draft) == text.text}
    assert text.token_count == len(text.logprobs)
    expected = own.logprobs("calm", sampled.prompt(request), tokens)[: text.token_count]
    np.testing.assert_allclose(text.logprobs, expected, atol=1e-4)


async def test_a_stop_string_ends_the_reply_and_is_not_part_of_it(nearest: TinkerDecoder) -> None:
    free, _ = await reply_of(nearest, asked(5, ("calm", 1.0), max_tokens=40))
    stop = free[10:12]
    said, end = await reply_of(nearest, asked(5, ("calm", 1.0), max_tokens=40, stop=(stop,)))
    assert said == free[: free.index(stop)]
    assert end.reason is FinishReason.STOP
    assert end.completion_tokens < 40


async def test_a_prompt_that_fits_to_the_last_token_is_spoken_and_scored(
    rescored: TinkerDecoder, sampled: Sampled
) -> None:
    blend = (("calm", 0.5), ("eager", 0.5))
    longest = CONTEXT - 1 - 6 - len(sampled.prompt(asked(text="")))
    _, end = await reply_of(rescored, asked(1, *blend, text="x" * longest))
    assert end.prompt_tokens + 6 == CONTEXT - 1
    with pytest.raises(PromptTooLong) as refusal:
        await reply_of(rescored, asked(1, *blend, text="x" * (longest + 1)))
    assert refusal.value.limit == CONTEXT - 1 - 6


async def test_a_long_prompt_is_put_into_tokens_beside_the_loop_and_holds_its_place(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.decoder(capacity=1) as decoder:
        wording, go = decoder._wording, threading.Event()
        assert wording is not None
        prompt = wording.prompt

        def waiting(request: GenerationRequest, context_length: int) -> list[int]:
            assert go.wait(PATIENCE)
            return prompt(request, context_length)

        monkeypatch.setattr(wording, "prompt", waiting)
        first = asyncio.create_task(reply_of(decoder, asked()))
        await asyncio.sleep(0)
        try:
            assert decoder.load() == Load(running=1)
            with pytest.raises(Overloaded):
                await reply_of(decoder, asked())
        finally:
            go.set()
        assert (await first)[0]
        assert decoder.ready
        assert decoder.load() == Load()


async def test_what_cannot_be_done_is_refused_before_anything_is_said(nearest: TinkerDecoder) -> None:
    async def voices() -> AsyncIterator[Voice]:
        yield Voice((), 1.0, 1.0)

    with pytest.raises(CannotFollow):
        await anext(nearest.generate(asked(), voices()))
    with pytest.raises(UnknownAdapter, match="'cheerful'"):
        await anext(nearest.generate(asked(1, ("cheerful", 1.0))))
    with pytest.raises(PromptRefused, match="control token"):
        await anext(nearest.generate(asked(text="<|end|>")))


async def test_what_the_server_refuses_reaches_the_caller_in_its_words(nearest: TinkerDecoder) -> None:
    with pytest.raises(PromptRefused, match="a stop string must have 1 to 64 characters"):
        await reply_of(nearest, asked(stop=("x" * 65,)))


async def test_replies_under_different_blends_do_not_disturb_each_other(rescored: TinkerDecoder) -> None:
    requests = [
        asked(seed, ("calm", 0.1 * seed), ("eager", 0.9 - 0.1 * seed), text=f"the sea {'and the wind ' * seed}")
        for seed in range(9)
    ]
    alone = [await reply_of(rescored, request) for request in requests]
    together = await asyncio.gather(*(reply_of(rescored, request) for request in requests))
    assert [said for said, _ in together] == [said for said, _ in alone]
    assert [end.changes for _, end in together] == [end.changes for _, end in alone]
