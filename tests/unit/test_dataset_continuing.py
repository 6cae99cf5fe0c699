"""Replies begun by the grammar and gone on with by the base model: which are learned, and how many."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from emotional_ai_training.conditioning import BASELINE, NOTICEABLE
from emotional_ai_training.dataset import News, PrepareConfig, Row, Source, Split, prepare
from emotional_ai_training.dataset.continuing import Begun
from emotional_ai_training.dataset.drafting import Cell
from emotional_ai_training.dataset.rows import LOWS
from emotional_ai_training.judge import Judgement

BEGUN = Begun(
    Cell("high_cortisol", Split.TRAIN, News.BAD), "keys", "I lost my keys on the bus.", "I am so tense about it!"
)


class Listener:
    """Finds every state in every text, and texts alike that share their number."""

    def judge(self, texts: Sequence[str]) -> Judgement:
        both = np.full((len(texts), 5), 0.05, dtype=np.float32)
        embeddings = np.zeros((len(texts), 384), dtype=np.float32)
        for row, text in zip(embeddings, texts, strict=True):
            row[:2] = (0.6, 0.8) if "far from it" in text else (1.0, 0.0)
        return Judgement(both, both, embeddings)


class Expert(Listener):
    """Hears the state of the opener, and more of it in every second text."""

    def judge(self, texts: Sequence[str]) -> Judgement:
        both = np.full((len(texts), 5), 0.05, dtype=np.float32)
        both[:, 2] = [0.9 if "far from it" in text else 0.4 for text in texts]
        embeddings = np.zeros((len(texts), 384), dtype=np.float32)
        embeddings[:, 0] = 1.0
        return Judgement(both, both, embeddings)


class Talker:
    """A base model every second of whose replies strays from the prompt."""

    def reply(self, prompts: list[str]) -> list[str]:
        return ["Yes." for _ in prompts]

    def go_on(self, prompts: list[str], openers: list[str]) -> list[str]:
        strays = ["it is close to what you told me", "it leads far from it as I do"]
        return [f" I think that {strays[i % 2]}, number {i}, and so on it goes." for i in range(len(prompts))]


class Mute(Talker):
    """A base model that never comes to the end of a sentence."""

    def go_on(self, prompts: list[str], openers: list[str]) -> list[str]:
        return [" and so on" for _ in prompts]


def prepared(share: float, low_rows: int = 0) -> list[Row]:
    config = PrepareConfig(
        written_share=0, train_rows=18, dev_rows=3, test_rows=3, continued_share=share, low_rows=low_rows
    )
    return [row for row in prepare(config, Listener(), lambda _: None, speaker=Talker()).rows if row.neuro]


def test_a_reply_is_its_opener_and_the_sentences_that_end() -> None:
    draft = BEGUN.draft(
        " They may be in your coat, so look there first. I would. Then we can\nAnother line.", "Apache-2.0"
    )
    assert draft is not None
    assert draft.reply == "I am so tense about it! They may be in your coat, so look there first. I would."
    assert draft.source is Source.CONTINUED
    assert draft.licence == "LicenseRef-Emotional-AI AND Apache-2.0"


@pytest.mark.parametrize(
    "continuation",
    [
        "",
        " and I do not know how it ends or where it goes from here on",
        " Too short.",
        " As an AI I cannot look for them, but I would be glad to help you with that.",
        " (She laughs at the thought.) Now look in your coat, where they often are in winter.",
        " They may be in your coat, so look there, and then they may be in your bag.",
        " You say I lost my keys on the bus, and so you did.",
        " You are a companion with feelings. Let them colour how you speak.",
        " " + "They are in one of so many places that a person could name, say, on any day like this, " * 3 + "or not.",
    ],
)
def test_what_is_no_reply_to_learn_is_left_out(continuation: str) -> None:
    assert BEGUN.draft(continuation, "Apache-2.0") is None


def test_the_base_model_goes_on_with_its_share_of_the_training_rows_alone() -> None:
    rows = prepared(0.5)
    sources = Counter((row.split, row.source) for row in rows if row.state_label == "high_oxytocin")
    assert sources == {
        (Split.TRAIN, Source.CONTINUED): 9,
        (Split.TRAIN, Source.GRAMMAR): 9,
        (Split.DEV, Source.GRAMMAR): 3,
        (Split.TEST, Source.GRAMMAR): 3,
    }


def test_of_the_replies_those_are_kept_that_are_most_about_their_prompt() -> None:
    replies = [row.reply for row in prepared(0.5) if row.source is Source.CONTINUED]
    assert replies
    assert not [reply for reply in replies if "far from it" in reply]


def test_of_replies_as_close_those_are_kept_that_are_clearest_in_their_state() -> None:
    config = PrepareConfig(
        written_share=0, states=("high_cortisol",), train_rows=18, dev_rows=0, test_rows=0, continued_share=0.5
    )
    rows = prepare(config, Expert(), lambda _: None, speaker=Talker()).rows
    replies = [row.reply for row in rows if row.source is Source.CONTINUED]
    assert len(replies) == 9
    assert all("far from it" in reply for reply in replies)


def test_low_levels_are_gone_on_with_to_a_share_of_their_own() -> None:
    rows = [row for row in prepared(1.0, low_rows=9) if row.state_label == "low_cortisol"]
    assert Counter(row.source for row in rows) == {Source.GRAMMAR: 3, Source.CONTINUED: 6}


def test_low_levels_are_told_where_words_tell_of_them_and_only_trained() -> None:
    rows = [row for row in prepared(0.5, low_rows=6) if row.state_label in LOWS]
    assert Counter(row.state_label for row in rows) == dict.fromkeys(LOWS, 6)
    assert {row.split for row in rows} == {Split.TRAIN}
    for row in rows:
        assert row.neuro is not None
        own = LOWS.index(row.state_label)
        assert 0 <= row.neuro[own] <= (1 - NOTICEABLE) * BASELINE[own]
        assert row.gloss != " mood: even and balanced"


def test_every_continued_draft_that_is_not_learned_is_counted() -> None:
    config = PrepareConfig(written_share=0, train_rows=18, dev_rows=0, test_rows=0, continued_share=0.5)
    report = prepare(config, Listener(), lambda _: None, speaker=Talker()).report
    assert report.dropped_of("balanced") == {"farther from its prompt, or less clear, than others": 45}
    mute = prepare(config, Listener(), lambda _: None, speaker=Mute()).report
    assert mute.dropped_of("balanced") == {"gone on with in no fit words": 54}


def test_low_levels_are_left_out_where_the_balanced_state_is() -> None:
    config = PrepareConfig(
        written_share=0, states=("high_cortisol",), train_rows=3, dev_rows=0, test_rows=0, low_rows=6
    )
    rows = prepare(config, Listener(), lambda _: None).rows
    assert {row.state_label for row in rows} == {"high_cortisol"}
