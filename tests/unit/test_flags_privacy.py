"""The flags of privacy become settings; what is no span of time to keep is refused."""

import pytest
import typer

from emotional_ai_service.flags.privacy import privacy_of


def test_a_span_is_kept_and_without_one_everything() -> None:
    assert privacy_of("30d").keep_us == 30 * 86_400_000_000
    assert privacy_of(None).keep_us is None


@pytest.mark.parametrize(("span", "words"), [("30 parsecs", "such as 90d"), ("0d", "at least 1s")])
def test_what_is_no_span_to_keep_is_refused(span: str, words: str) -> None:
    with pytest.raises(typer.BadParameter, match=words):
        privacy_of(span)
