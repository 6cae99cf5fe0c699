"""Replies others wrote: dialogues by their columns, GoEmotions texts by their nearness to a prompt."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from emotional_ai_training.dataset import News, PrepareConfig, Source, Split
from emotional_ai_training.dataset.borrowing import borrow
from emotional_ai_training.dataset.dialogues import load_dialogues
from emotional_ai_training.dataset.language import is_speakable
from emotional_ai_training.emotions import DatasetUnusable
from emotional_ai_training.emotions.terms import terms
from emotional_ai_training.judge import Judgement

HEADER = "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags"
TALK = (
    "hit:1,1,terrified,I heard a noise,7,I heard a strange noise in the cellar last night.,5|5,",
    "hit:1,2,terrified,I heard a noise,8,Oh no_comma_ did you go down to look at it?,5|5,",
    "hit:1,3,terrified,I heard a noise,7,No_comma_ I was far too scared to even move.,5|5,",
)


class WordJudge:
    """Texts are as near as the share of words they have in common."""

    def judge(self, texts: Sequence[str]) -> Judgement:
        vectors = np.zeros((len(texts), 4096), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in terms(text):
                vectors[row, sum(map(ord, word)) * 31 % 4096] += 1
        both = np.full((len(texts), 5), 0.5, dtype=np.float32)
        return Judgement(both, both, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def silent(_: str) -> None:
    """Progress nobody listens to."""


def dialogues(directory: Path, *lines: str, header: str = HEADER) -> Path:
    path = directory / "talk.csv"
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    return path


def goemotions(directory: Path, *rows: tuple[str, int]) -> Path:
    content = "".join(f"{text}\t{label}\tid{i}\n" for i, (text, label) in enumerate(rows))
    (directory / "train.tsv").write_text(content, encoding="utf-8")
    return directory


def test_what_the_opener_answers_expresses_the_feeling(tmp_path: Path) -> None:
    (draft,) = load_dialogues(dialogues(tmp_path, *TALK))
    assert (draft.cell.state, draft.cell.news, draft.topic) == ("high_cortisol", News.BAD, "hit:1")
    assert draft.prompt == "Oh no, did you go down to look at it?"
    assert draft.reply == "No, I was far too scared to even move."
    assert draft.source is Source.DIALOGUES


def test_what_the_listener_says_is_no_reply(tmp_path: Path) -> None:
    assert load_dialogues(dialogues(tmp_path, *TALK[:2])) == []


def test_a_feeling_that_expresses_no_state_is_left_out(tmp_path: Path) -> None:
    assert load_dialogues(dialogues(tmp_path, *(line.replace("terrified", "jealous") for line in TALK))) == []


def test_utterances_of_two_conversations_do_not_answer_each_other(tmp_path: Path) -> None:
    assert load_dialogues(dialogues(tmp_path, *TALK[:2], TALK[2].replace("hit:1", "hit:2"))) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("hit:1,1,terrified", "line 3: 3 fields, not 6 to 8; a comma in a text is _comma_"),
        (TALK[1].replace("_comma_", ",") + ",", "line 3: 10 fields"),
        (TALK[1].replace(",2,", ",two,"), "line 3: utterance_idx: 'two' is not a number"),
        (
            TALK[1].replace(",2,", f",{'2' * 5000},"),
            "line 3: utterance_idx: '2{79}... is not a number of at most 9 digits",
        ),
        (TALK[1].replace("terrified", "x" * 5000), "line 3: context: 'x{79}... is not one of afraid"),
        (TALK[1].replace("terrified", "gloomy"), "line 3: context: 'gloomy' is not one of afraid, angry"),
        (TALK[1].replace("hit:1", ""), "line 3: conv_id and speaker_idx may not be empty"),
    ],
)
def test_a_row_that_is_not_of_the_format_is_refused_with_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(DatasetUnusable, match=rf"talk\.csv: {complaint}"):
        load_dialogues(dialogues(tmp_path, TALK[0], line))


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r"])
def test_a_line_separator_within_a_text_does_not_end_its_row(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "talk.csv"
    path.write_bytes("\n".join([HEADER, *TALK]).replace("go down", f"go{separator}down").encode())
    assert [draft.prompt for draft in load_dialogues(path)] == ["Oh no, did you go down to look at it?"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_is_read_as_any_system_and_excel_write_it(tmp_path: Path, mark: str, end: str) -> None:
    path = tmp_path / "talk.csv"
    path.write_bytes((mark + end.join([HEADER, *TALK, ""])).encode())
    assert load_dialogues(path) == load_dialogues(dialogues(tmp_path, *TALK)) != []


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_that_is_not_utf_8_is_refused_with_line_and_byte(tmp_path: Path, mark: bytes) -> None:
    path = tmp_path / "talk.csv"
    path.write_bytes(mark + "\n".join([HEADER, "hit:1,é"]).encode("latin-1"))
    with pytest.raises(DatasetUnusable, match=r"talk\.csv: line 2: not UTF-8: .* at byte 6; save the file as UTF-8"):
        load_dialogues(path)


def test_a_file_of_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnusable, match="line 1: the columns do not start with conv_id,utterance_idx"):
        load_dialogues(dialogues(tmp_path, header="a,b"))
    with pytest.raises(DatasetUnusable, match="cannot be read"):
        load_dialogues(tmp_path / "none.csv")


def test_a_text_near_a_training_prompt_answers_it_and_others_do_not(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("neutral : w : tea : I drink green tea in the morning\n", encoding="utf-8")
    love, excitement = 18, 13
    near, far = "I love green tea in the morning", "I love the people who live in that town"
    eager = "So excited for some green tea in the morning"
    directory = goemotions(
        tmp_path, (near, love), (far, love), (eager, excitement), ("I love [NAME] in the morning", love)
    )
    drafts = borrow(
        PrepareConfig(states=("high_oxytocin",)), WordJudge(), silent, goemotions=directory, content=tmp_path
    )
    assert [(draft.prompt, draft.reply) for draft in drafts] == [("I drink green tea in the morning", near)]
    assert drafts[0].cell.split is Split.TRAIN
    assert (drafts[0].source, drafts[0].licence) == (Source.GOEMOTIONS, "CC-BY-4.0")


def test_no_text_near_enough_is_no_pair(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("neutral : w : tea : I drink green tea in the morning\n", encoding="utf-8")
    directory = goemotions(tmp_path, ("I love the people who live in that town", 18))
    assert borrow(PrepareConfig(), WordJudge(), silent, goemotions=directory, content=tmp_path) == []


@pytest.mark.parametrize(
    ("text", "speakable"),
    [
        ("I am so glad that you came by today.", True),
        ("Too short.", False),
        ("That is a damn good plan, my dear friend.", False),
        ("I thought someone told me about it yesterday.", False),
        ("Look at https://example.org before you go there today", False),
        ("I AM SO GLAD THAT YOU CAME BY TODAY", False),
        ("I am so glad that you came by 🎉", False),
        (" ".join(["word"] * 40), False),
    ],
)
def test_an_agent_says_only_short_clean_text(text: str, speakable: bool) -> None:
    assert is_speakable(text) is speakable
