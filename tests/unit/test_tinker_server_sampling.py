"""Which tokens are drawn, and that a sample depends on its own request alone."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from tinker_loopback import base_model, sequences
from tiny_model import tiny_tokenizer, write_tiny_model
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import PreTrainedTokenizerFast

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
from emotional_ai_training.tinker_server.engine.choosing import LONGEST_STOP, choose, text_stops
from emotional_ai_training.tinker_server.engine.sampling import TOGETHER, sample
from emotional_ai_training.tinker_server.errors import InvalidRequest

LOGITS = torch.log_softmax(torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -3.0]), -1)
WIDE = ("é", "日", "🧬")
"""Characters of two, three and four bytes."""


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


def bytewise() -> PreTrainedTokenizerFast:
    """Letters and their pairs, and bytes for all else, which are read together or not at all."""
    letters = {letter: place for place, letter in enumerate(["\u2581", "a", "b", "ab"])}
    core = Tokenizer(
        models.BPE(
            {f"<0x{byte:02X}>": byte for byte in range(256)} | {text: 256 + place for text, place in letters.items()},
            [("a", "b")],
            byte_fallback=True,
        )
    )
    core.normalizer = normalizers.Replace(" ", "\u2581")
    core.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=core)


TOKENIZERS = {"bytes in letters": tiny_tokenizer(), "bytes apart": bytewise()}
TEXTS = st.text(st.sampled_from("ab \n" + "".join(WIDE)), max_size=150)
STOP = st.text(st.sampled_from("ab " + "".join(WIDE)), min_size=1, max_size=LONGEST_STOP)
LONG_STOP = st.text(st.sampled_from(WIDE), min_size=LONGEST_STOP // 2, max_size=LONGEST_STOP)
STOPS = st.lists(STOP | LONG_STOP, min_size=1, max_size=3)


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("character", WIDE)
def test_the_longest_stop_string_of_wide_characters_is_found(name: str, character: str) -> None:
    tokenizer, stop = TOKENIZERS[name], character * LONGEST_STOP
    tokens = tokenizer.encode("b" + stop, add_special_tokens=False)
    assert len(tokens) > LONGEST_STOP
    assert text_stops(tokenizer.decode, tokens, (stop,))
    assert not text_stops(tokenizer.decode, tokens[:-1], (stop,))


@given(st.sampled_from(list(TOKENIZERS)), TEXTS, STOPS)
def test_a_text_stops_with_the_token_that_completes_a_stop_string(name: str, said: str, stops: list[str]) -> None:
    tokenizer = TOKENIZERS[name]
    tokens = tokenizer.encode(said + stops[0], add_special_tokens=False)
    assume(any(stop in tokenizer.decode(tokens) for stop in stops))  # a space that begins a text may be dropped
    first = next(
        end for end in range(1, len(tokens) + 1) if any(stop in tokenizer.decode(tokens[:end]) for stop in stops)
    )
    found = [text_stops(tokenizer.decode, tokens[:end], tuple(stops)) for end in range(1, first + 1)]
    assert found == [False] * (first - 1) + [True]


def test_a_short_stop_string_is_looked_for_in_few_tokens() -> None:
    asked: list[int] = []

    def decode(tokens: Sequence[int]) -> str:
        asked.append(len(tokens))
        return "a" * len(tokens)

    assert not text_stops(decode, range(1000), ("\n\n", "é"))
    assert asked == [3]


def test_a_stop_string_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="1 to 64 characters"):
        Stops(frozenset(), ("日" * (LONGEST_STOP + 1),))


def test_a_prompt_as_long_as_the_context_is_refused_with_the_length_that_fits(base: BaseModel) -> None:
    request(base.context_length - 2, 1, 0, 1).check(base)
    with pytest.raises(
        InvalidRequest, match=r"256 prompt tokens leave no room .* a prompt may have 255, for compute_log"
    ):
        request(base.context_length - 1, 1, 0, 1).check(base)
