"""Messages become tokens with exactly the reply to be learned."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import tiny_tokenizer, write_tiny_model

from emotional_ai_training.recipes.errors import ExampleTooLong, TokenizerUnusable
from emotional_ai_training.recipes.examples import LONGEST, ChatTokenizer

CHAT = [("system", "the sea"), ("user", "And you?"), ("assistant", "the sky and the wind")]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> ChatTokenizer:
    return ChatTokenizer(write_tiny_model(tmp_path_factory.mktemp("tiny")))


def test_the_learned_tokens_are_the_reply_and_the_end_of_its_turn(tokenizer: ChatTokenizer) -> None:
    example = tokenizer.example("row", CHAT)
    learned = example.tokens[-example.trained :]
    assert tokenizer.decode(learned) == "the sky and the wind"
    assert learned[-1] == tokenizer.end
    assert tokenizer.end not in learned[:-1]


@given(reply=st.text(min_size=1, max_size=40).filter(lambda text: text.strip() and "<|" not in text))
def test_an_example_begins_with_exactly_the_prompt_it_is_spoken_from(tokenizer: ChatTokenizer, reply: str) -> None:
    example = tokenizer.example("row", [*CHAT[:-1], ("assistant", reply)])
    assert list(example.tokens[: -example.trained]) == tokenizer.prompt_of(CHAT[:-1])


def test_a_datum_is_shifted_by_one_and_weighs_the_learned_tokens_alone(tokenizer: ChatTokenizer) -> None:
    example = tokenizer.example("row", CHAT)
    datum = example.datum(0.25)
    assert datum.model_input.to_ints() == list(example.tokens[:-1])
    assert datum.loss_fn_inputs["target_tokens"].tolist() == list(example.tokens[1:])
    weights = datum.loss_fn_inputs["weights"].tolist()
    assert weights == [0.0] * (len(example.tokens) - 1 - example.trained) + [0.25] * example.trained


def test_a_row_that_is_too_long_is_named(tokenizer: ChatTokenizer) -> None:
    with pytest.raises(ExampleTooLong, match=rf"row long-1 has \d+ tokens; at most {LONGEST} are allowed"):
        tokenizer.example("long-1", [*CHAT[:-1], ("assistant", "x" * LONGEST)])


def test_a_directory_without_a_tokenizer_is_refused_with_the_setting(tmp_path: Path) -> None:
    with pytest.raises(TokenizerUnusable, match="set MODEL_TOKENIZER"):
        ChatTokenizer(tmp_path)


def test_a_tokenizer_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    tiny_tokenizer(chat_template=None).save_pretrained(tmp_path)
    with pytest.raises(TokenizerUnusable, match="it lacks a chat template"):
        ChatTokenizer(tmp_path)
