"""Which tokens are drawn, and that a sample depends on its own request alone."""

import numpy as np
import pytest
import torch
from tinker_loopback import base_model, sequences
from tiny_model import write_tiny_model

from emotional_ai_training.tinker_server.engine import (
    BaseModel,
    Choice,
    LoraSettings,
    Run,
    Sampled,
    SampleRequest,
    StopReason,
    Stops,
)
from emotional_ai_training.tinker_server.engine.choosing import choose
from emotional_ai_training.tinker_server.engine.sampling import TOGETHER, sample

LOGITS = torch.log_softmax(torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -3.0]), -1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return base_model(write_tiny_model(tmp_path_factory.mktemp("model") / "tiny"))


def shares(choice: Choice, draws: int = 20_000) -> np.ndarray:
    """How often each token is drawn."""
    source = torch.Generator().manual_seed(0)
    counts = np.bincount([choose(LOGITS, choice, source) for _ in range(draws)], minlength=len(LOGITS))
    return counts / draws


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_the_softmax_says(temperature: float) -> None:
    expected = torch.softmax(LOGITS / temperature, -1).numpy()
    np.testing.assert_allclose(shares(Choice(1, temperature)), expected, atol=0.015)


def test_top_k_leaves_the_likeliest_in_their_proportions() -> None:
    expected = np.zeros(6)
    expected[:3] = torch.softmax(LOGITS[:3], -1).numpy()
    np.testing.assert_allclose(shares(Choice(1, top_k=3)), expected, atol=0.015)


@pytest.mark.parametrize(("top_p", "kept"), [(0.01, 1), (0.55, 1), (0.6, 2), (0.85, 3), (1.0, 6)])
def test_top_p_leaves_the_fewest_tokens_that_reach_it(top_p: float, kept: int) -> None:
    expected = np.zeros(6)
    expected[:kept] = torch.softmax(LOGITS[:kept], -1).numpy()
    np.testing.assert_allclose(shares(Choice(1, top_p=top_p)), expected, atol=0.015)


def test_temperature_zero_takes_the_likeliest_without_a_draw() -> None:
    source = torch.Generator().manual_seed(0)
    before = source.get_state()
    assert choose(LOGITS, Choice(1, 0.0), source) == 0
    assert torch.equal(source.get_state(), before)


def request(length: int, samples: int, seed: int, tokens: int = 10) -> SampleRequest:
    return SampleRequest(
        tuple(sequences([length], seed=seed)[0]), samples, Choice(tokens, temperature=0.9), Stops(frozenset()), seed
    )


def tokens_of(sequences: tuple[Sampled, ...]) -> list[list[int]]:
    return [sequence.tokens for sequence in sequences]


def test_samples_depend_on_seed_and_place_and_not_on_company(base: BaseModel) -> None:
    requests = [request(length, 3, seed, 4 + length % 7) for seed, length in enumerate((3, 40, 12, 12, 1, 25))]
    together = sample(base, None, requests)
    for asked, found in zip(requests, together, strict=True):
        (alone,) = sample(base, None, [asked])
        assert tokens_of(found.sequences) == tokens_of(alone.sequences)
        assert len({tuple(tokens) for tokens in tokens_of(alone.sequences)}) == 3


def test_more_samples_than_are_decoded_together_begin_like_fewer(base: BaseModel) -> None:
    (many,) = sample(base, None, [request(9, TOGETHER + 10, 1, 6)])
    (few,) = sample(base, None, [request(9, 3, 1, 6)])
    assert len(many.sequences) == TOGETHER + 10
    assert tokens_of(many.sequences)[:3] == tokens_of(few.sequences)


def test_a_sequence_ends_at_its_own_end_while_others_go_on(base: BaseModel) -> None:
    asked = [request(9, 1, seed, 3 + 10 * seed) for seed in range(3)]
    lengths = [len(found.sequences[0].tokens) for found in sample(base, None, asked)]
    assert lengths == [3, 13, 23]


def test_an_adapter_is_worn_for_its_own_samples_only(base: BaseModel) -> None:
    run = Run("r", base, LoraSettings(4))
    run.adapter.initialise(0)
    with torch.no_grad():
        for pair in run.adapter.pairs.values():
            pair.b.fill_(0.3)
    asked = [request(9, 1, 1)]
    bare = tokens_of(sample(base, None, asked)[0].sequences)
    assert tokens_of(sample(base, run.adapter, asked)[0].sequences) != bare
    assert tokens_of(sample(base, None, asked)[0].sequences) == bare


def test_an_end_token_is_the_last_one_returned(base: BaseModel) -> None:
    (free,) = sample(base, None, [request(9, 1, 5, 20)])
    stop = free.sequences[0].tokens[7]
    asked = SampleRequest(request(9, 1, 5).prompt, 1, Choice(20, temperature=0.9), Stops(frozenset({stop})), 5)
    (ended,) = sample(base, None, [asked])
    (sequence,) = ended.sequences
    assert sequence.reason is StopReason.STOP
    assert sequence.tokens == free.sequences[0].tokens[: len(sequence.tokens)]
    assert sequence.tokens[-1] == stop
    assert stop not in sequence.tokens[:-1]
