"""Text from tokens: whole characters, stop strings held back, token accounting."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotional_ai_service.decoding import Text
from emotional_ai_service.decoding.streaming import TextStream


def decode(tokens: Sequence[int]) -> str:
    """Every token is one byte."""
    return bytes(tokens).decode("utf-8", errors="replace")


def stream_of(text: str | bytes, stop: Sequence[str] = ()) -> tuple[list[Text], TextStream]:
    stream = TextStream(decode, stop, logprobs=True)
    pieces: list[Text | None] = []
    for token in text.encode() if isinstance(text, str) else text:
        pieces.append(stream.push(token, -float(token)))
        if stream.stopped:
            break
    pieces.append(stream.finish())
    return [piece for piece in pieces if piece is not None], stream


@given(st.text(st.characters(exclude_characters="\ufffd", exclude_categories=("Cs",)), max_size=60))
def test_pieces_are_whole_characters_and_join_to_the_text(text: str) -> None:
    pieces, _ = stream_of(text)
    assert "".join(piece.text for piece in pieces) == text
    assert all("\ufffd" not in piece.text for piece in pieces)
    assert sum(piece.token_count for piece in pieces) == len(text.encode())


@given(st.text("abc", max_size=30), st.lists(st.text("abc", min_size=1, max_size=4), max_size=4))
def test_a_reply_ends_before_the_first_stop_string_that_completes(text: str, stop: list[str]) -> None:
    pieces, stream = stream_of(text, stop)
    complete = next((end for end in range(len(text) + 1) if any(text[:end].endswith(s) for s in stop)), None)
    read = text[:complete]
    expected = text if complete is None else read[: min(read.find(s) for s in stop if s in read)]
    assert "".join(piece.text for piece in pieces) == expected
    assert stream.stopped == (complete is not None)


def test_the_beginning_of_a_stop_string_is_held_back_and_released_when_it_does_not_come() -> None:
    stream = TextStream(decode, ["END"], logprobs=False)
    assert stream.push(ord("E"), 0) is None
    assert stream.push(ord("N"), 0) is None
    assert stream.push(ord("."), 0) == Text("EN.", 0, 3)
    assert stream.push(ord("E"), 0) is None
    assert stream.finish() == Text("E", 3, 1)


def test_pieces_count_their_tokens_and_carry_their_log_probabilities() -> None:
    pieces, _ = stream_of("aéb")
    assert [(piece.text, piece.token_index, piece.token_count) for piece in pieces] == [
        ("a", 0, 1),
        ("é", 1, 2),
        ("b", 3, 1),
    ]
    assert [value for piece in pieces for value in piece.logprobs] == [-float(byte) for byte in "aéb".encode()]


@pytest.mark.parametrize("rubbish", [b"a\xff\xfe\xfd\xfcb", b"\x80" * 9, b"a\xf0\x9f"])
def test_bytes_that_are_no_character_do_not_hold_the_text_back_for_ever(rubbish: bytes) -> None:
    pieces, _ = stream_of(rubbish)
    assert "".join(piece.text for piece in pieces).strip("\ufffd") == rubbish.decode(errors="replace").strip("\ufffd")
    assert sum(piece.token_count for piece in pieces) == len(rubbish)
