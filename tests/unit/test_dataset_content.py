"""The written content: prompts and replies as files, their errors named by line, and what the committed ones hold."""

import itertools
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from emotional_ai_training.conditioning import ADAPTERS, BASELINE, NOTICEABLE, RATHER, gloss, relative_deviation
from emotional_ai_training.dataset import News, Split, UnknownState, held_out_prompts
from emotional_ai_training.dataset.drafting import Cell, grammar_drafts
from emotional_ai_training.dataset.prompts import load_prompts, split_of
from emotional_ai_training.dataset.replies import MOST_WORDS, Part, load_voices
from emotional_ai_training.dataset.rows import LOWS, MILDS, UNSHOWN
from emotional_ai_training.dataset.states import STRONG, draw_levels
from emotional_ai_training.dataset.written import load_written
from emotional_ai_training.emotions import DatasetUnusable

SECTIONS = [f"[{news} {part}]" for news in News for part in Part]


def prompts_of(directory: Path, *lines: str) -> Path:
    (directory / "prompts.txt").write_text("\n".join(["# what people say", *lines]), encoding="utf-8")
    return directory


def replies_of(directory: Path, *lines: str) -> Path:
    (directory / "replies").mkdir()
    (directory / "replies" / "balanced.txt").write_text("\n".join(lines), encoding="utf-8")
    return directory


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("good : exam : I passed", "line 2: not `news : topic id : topic phrase : text`"),
        ("great : exam : your exam : I passed", "line 2: 'great' is not one of good, bad, neutral"),
        ("good : exam : your exam : I {passed|} it", r"line 2: \{passed\|\} is no choice"),
        ("good : exam : your exam : I {passed} it", r"line 2: \{passed\} is no choice"),
        ("good : exam : your exam : I {passed it", "line 2: a choice is"),
        ("good : exam : your exam : I passed @topic", "line 2: @topic: only @topic may stand here"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(DatasetUnusable, match=rf"prompts\.txt: {complaint}"):
        load_prompts(prompts_of(tmp_path, line))


def test_two_prompts_of_one_id_are_refused(tmp_path: Path) -> None:
    line = "good : exam : your exam : I passed"
    with pytest.raises(DatasetUnusable, match="line 3: good:exam is the id of an earlier prompt"):
        load_prompts(prompts_of(tmp_path, line, line))


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["[great opener]"], r"line 1: \[great opener\] is no section; they are \[good opener\]"),
        (["Hello."], "line 1: a sentence before the first section"),
        (["[good opener]", "{Hello|}."], r"line 2: \{Hello\|\} is no choice"),
        (["[good opener]", "About @exam."], "line 2: @exam: only @topic may stand here"),
        (["[good opener]", "@topic, @topic!"], "line 2: @topic stands here twice"),
        (["[good opener]", "Hello."], r"\[good middle\] needs a sentence without @topic, and has none"),
        (["[good opener]", "So @topic."], r"\[good opener\] needs a sentence without @topic"),
    ],
)
def test_replies_that_cannot_be_read_are_refused_with_file_and_line(
    tmp_path: Path, lines: list[str], complaint: str
) -> None:
    with pytest.raises(DatasetUnusable, match=rf"balanced\.txt: {complaint}"):
        load_voices(["balanced"], replies_of(tmp_path, *lines))


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnusable, match=r"prompts\.txt: cannot be read"):
        load_prompts(tmp_path)
    with pytest.raises(DatasetUnusable, match=r"balanced\.txt: cannot be read"):
        load_voices(["balanced"], tmp_path)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("good : exam", "line 1: not `news : topic id : reply`"),
        ("good : exam : ", "line 1: not `news : topic id : reply`"),
        ("good : car : Nice.", "line 1: there is no prompt good:car"),
        ("bad : exam : Oh no.", "line 1: there is no prompt bad:exam"),
        ("good : exam : About @topic.", "line 1: @topic: only @topic may stand here"),
        ("good : exam : Well, {done|}.", r"line 1: \{done\|\} is no choice"),
        ("good : exam : Well done.\ngood : exam : Oh.", "line 2: a second reply to good:exam"),
    ],
)
def test_a_written_reply_that_cannot_be_read_is_refused_with_file_and_line(
    tmp_path: Path, line: str, complaint: str
) -> None:
    prompts = load_prompts(prompts_of(tmp_path, "good : exam : your exam : I passed"))
    (tmp_path / "written").mkdir()
    (tmp_path / "written" / "balanced.txt").write_text(line, encoding="utf-8")
    with pytest.raises(DatasetUnusable, match=rf"balanced\.txt: {complaint}"):
        load_written(["balanced"], prompts, tmp_path)


def test_every_prompt_that_is_learned_from_has_a_written_reply_in_every_state_and_none_that_is_kept_back() -> None:
    prompts = load_prompts()
    learned = {prompt.id for prompt in prompts if prompt.split is not Split.TEST}
    for state, replies in load_written((*ADAPTERS, *LOWS, *MILDS), prompts).items():
        assert set(replies) == learned, state
        assert len(set(replies.values())) == len(replies)
        for reply in replies.values():
            assert 8 <= len(reply.split()) <= MOST_WORDS + 4, reply


def test_a_reply_names_its_topic_at_most_once(tmp_path: Path) -> None:
    lines = [
        line for section in SECTIONS for line in (section, "It is what it is today, as ever.", "So much for @topic.")
    ]
    voice = load_voices(["balanced"], replies_of(tmp_path, *lines))["balanced"]
    said = [voice.reply(News.BAD, "your exam", random.Random(seed)) for seed in range(60)]
    assert Counter(text.count("your exam") for text in said).keys() == {0, 1}


def test_what_fits_any_news_is_said_to_every_news(tmp_path: Path) -> None:
    lines = [line for part in Part for line in (f"[any {part}]", f"An {part} of five words.")]
    voice = load_voices(["balanced"], replies_of(tmp_path, *lines))["balanced"]
    expected = "An opener of five words. An middle of five words. An closing of five words."
    assert {voice.reply(news, "it", random.Random(1)) for news in News} == {expected}


def test_the_committed_prompts_are_many_and_of_every_news() -> None:
    counts = Counter(prompt.news for prompt in load_prompts())
    assert all(counts[news] >= 60 for news in News)


def test_enough_prompts_are_held_out_of_every_news() -> None:
    test, dev = (Counter(p.news for p in held_out_prompts(split)) for split in (Split.TEST, Split.DEV))
    assert test.total() >= 48
    assert dev.total() >= 16
    assert min(test[news] for news in News) >= 16
    assert min(dev[news] for news in News) >= 5


def test_held_out_prompts_are_spelled_the_same_every_time() -> None:
    held_out_prompts.cache_clear()
    first = held_out_prompts(Split.TEST)
    held_out_prompts.cache_clear()
    assert held_out_prompts(Split.TEST) == first
    assert not [prompt.text for prompt in first if set("{}|@") & set(prompt.text)]


def test_the_part_of_a_prompt_follows_from_its_id_alone(tmp_path: Path) -> None:
    prompts = load_prompts()
    lines = [f"{p.news} : {p.topic} : another phrase : another text" for p in prompts[::-3]]
    fewer = load_prompts(prompts_of(tmp_path, *lines))
    assert [p.split for p in fewer] == [p.split for p in prompts[::-3]]
    shares = Counter(split_of(str(i)) for i in range(4000))
    assert shares[Split.TEST] / 4000 == pytest.approx(0.26, abs=0.02)
    assert shares[Split.DEV] / 4000 == pytest.approx(0.10, abs=0.02)


@pytest.mark.parametrize("state", ADAPTERS)
def test_replies_of_the_committed_content_leave_no_mark_and_keep_their_length(state: str) -> None:
    prompts, voice = load_prompts(), load_voices([state])[state]
    for news in News:
        drafts = grammar_drafts(Cell(state, Split.TRAIN, news), prompts, voice, seed=5)
        replies = [draft.reply for draft in itertools.islice(drafts, 200)]
        assert not [reply for reply in replies if set("{}|@[]") & set(reply)]
        assert max(len(reply.split()) for reply in replies) <= MOST_WORDS
        assert len(set(replies)) >= 190


def test_every_sentence_of_the_content_belongs_to_one_state() -> None:
    voices = load_voices()
    said = {
        state: {template.text for found in voice.sentences.values() for template in found}
        for state, voice in voices.items()
    }
    assert not [pair for pair in itertools.combinations(said, 2) if said[pair[0]] & said[pair[1]]]


def test_drafts_of_a_cell_are_the_same_for_the_same_seed_and_differ_for_another() -> None:
    prompts, voice = load_prompts(), load_voices(["balanced"])["balanced"]
    cell = Cell("balanced", Split.DEV, News.GOOD)

    def drafts(seed: int) -> list[str]:
        return [draft.reply for draft in itertools.islice(grammar_drafts(cell, prompts, voice, seed), 30)]

    assert drafts(1) == drafts(1) != drafts(2)


@pytest.mark.parametrize("state", [*ADAPTERS, *LOWS, *MILDS])
def test_the_words_of_a_drawn_state_name_that_state_alone(state: str) -> None:
    own = next(states.index(state) for states in (ADAPTERS, LOWS, MILDS) if state in states)
    for seed in range(300):
        levels = draw_levels(state, random.Random(seed))
        if state == "balanced":
            assert gloss(levels) == " mood: even and balanced"
        else:
            assert gloss(levels) not in (" mood: even and balanced", " mood: ")
            assert ";" not in gloss(levels)
            assert (levels[own] > BASELINE[own]) == (state not in LOWS)
            assert ("a little" in gloss(levels) or "rather" in gloss(levels)) or state not in MILDS
            assert "a little" not in gloss(levels) or state not in ADAPTERS
            assert 0 <= levels[own] <= 1
        assert all(abs(levels[i] - BASELINE[i]) <= 0.1 for i in range(4) if i != own)


@pytest.mark.parametrize(
    ("state", "least", "most", "grows"),
    [
        ("high_cortisol", STRONG, 1.0, True),
        ("mild_cortisol", NOTICEABLE, RATHER, False),
        ("low_oxytocin", NOTICEABLE, 1.0, True),
        (UNSHOWN, NOTICEABLE, RATHER, False),
    ],
)
def test_the_stronger_a_level_is_told_the_more_often_and_the_more_it_shows(
    state: str, least: float, most: float, grows: bool
) -> None:
    """Densities 2 d and 2 (1 - d) of the share of the room: distribution functions d^2 and 1 - (1 - d)^2."""
    drawn = [relative_deviation(draw_levels(state, random.Random(seed)), BASELINE) for seed in range(2000)]
    doses = np.array([(max(map(abs, levels)) - least) / (most - least) for levels in drawn])
    for quarter in (0.25, 0.5, 0.75):
        expected = quarter**2 if grows else 1 - (1 - quarter) ** 2
        assert np.mean(doses < quarter) == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("end", [0.0, 1 - 1e-12])
@pytest.mark.parametrize("state", [*LOWS, *MILDS, UNSHOWN])
def test_at_the_ends_of_its_range_a_level_is_told_in_the_words_it_was_drawn_for(state: str, end: float) -> None:
    class End(random.Random):
        """The end of the range first; then as it comes."""

        first = True

        def random(self) -> float:
            if self.first:
                self.first = False
                return end
            return super().random()

        def getrandbits(self, k: int, /) -> int:  # or whole numbers would be made of what `random` gives
            return super().getrandbits(k)

    drawn = [draw_levels(state, End(seed)) for seed in range(40)]
    assert len(set(drawn)) > 20
    words = [gloss(levels).removeprefix(" mood: ") for levels in drawn]
    found = {next((grade for grade in ("a little", "rather", "very") if one.startswith(grade)), one) for one in words}
    assert found <= {"a little", "rather", "very"}
    assert "very" not in found or state in LOWS


def test_levels_that_do_not_show_are_low_ones_of_every_chemical() -> None:
    drawn = [relative_deviation(draw_levels(UNSHOWN, random.Random(seed)), BASELINE) for seed in range(2000)]
    strongest = [max(range(4), key=lambda i: abs(levels[i])) for levels in drawn]
    assert all(levels[i] < 0 for i, levels in zip(strongest, drawn, strict=True))
    assert min(Counter(strongest).values()) > 400


def test_an_unknown_state_is_refused_with_the_list_of_states() -> None:
    with pytest.raises(UnknownState, match="there is no state 'happy'; the states are high_dopamine, high_serotonin"):
        draw_levels("happy", random.Random(1))
