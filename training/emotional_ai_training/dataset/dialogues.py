"""Replies from a file in the format of EmpatheticDialogues that the user brings.

    conv_id,utterance_idx,context,prompt,speaker_idx,utterance,...      `_comma_` stands for a comma in a text

Utterance 1 opens a conversation about a moment in which its speaker felt `context`. What that speaker answers later is
taken as a reply that expresses the feeling; what the other one said just before is taken as its prompt.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotional_ai_training.dataset.drafting import Cell, Draft
from emotional_ai_training.dataset.language import is_speakable
from emotional_ai_training.dataset.prompts import split_of
from emotional_ai_training.dataset.rows import News, Source
from emotional_ai_training.emotions import DatasetUnusable, clean
from emotional_ai_training.emotions.files import decoded
from emotional_ai_training.showing import shown

COLUMNS: Final = ("conv_id", "utterance_idx", "context", "prompt", "speaker_idx", "utterance")
"""The columns every file starts with; what follows them is not read."""
MOST_DIGITS: Final = 9
"""Digits of an utterance_idx, leading zeros and all."""
LICENCE: Final = "LicenseRef-brought-by-user"
"""EmpatheticDialogues itself is CC-BY-NC-4.0; another file of the format may not be."""

_FEELINGS: Final[Mapping[str, tuple[str, News]]] = {
    "excited": ("high_dopamine", News.GOOD),
    "anticipating": ("high_dopamine", News.GOOD),
    "content": ("high_serotonin", News.GOOD),
    "confident": ("high_serotonin", News.GOOD),
    "hopeful": ("high_serotonin", News.GOOD),
    "prepared": ("high_serotonin", News.NEUTRAL),
    "afraid": ("high_cortisol", News.BAD),
    "anxious": ("high_cortisol", News.BAD),
    "apprehensive": ("high_cortisol", News.BAD),
    "terrified": ("high_cortisol", News.BAD),
    "caring": ("high_oxytocin", News.NEUTRAL),
    "faithful": ("high_oxytocin", News.NEUTRAL),
    "grateful": ("high_oxytocin", News.GOOD),
    "trusting": ("high_oxytocin", News.NEUTRAL),
}
"""The state a feeling expresses, and the news a talk about it mostly brings."""
_UNUSED: Final = frozenset(
    {
        *("angry", "annoyed", "ashamed", "devastated", "disappointed", "disgusted", "embarrassed", "furious", "guilty"),
        *("impressed", "jealous", "joyful", "lonely", "nostalgic", "proud", "sad", "sentimental", "surprised"),
    }
)
"""Feelings that express none of the states, or as often one as another."""


@dataclass(frozen=True, slots=True)
class _Utterance:
    conversation: str
    number: int
    feeling: str
    speaker: str
    text: str


def load_dialogues(path: Path) -> list[Draft]:
    """Reads the replies that express a state. Raises DatasetUnusable, naming the line, for a row that is not of the format."""
    utterances = _utterances(path)
    openers = {said.conversation: said.speaker for said in utterances if said.number == 1}
    drafts = []
    for before, said in itertools.pairwise(utterances):
        follows = said.conversation == before.conversation and said.number == before.number + 1
        is_reply = follows and said.speaker == openers.get(said.conversation) != before.speaker
        if is_reply and said.feeling in _FEELINGS and is_speakable(before.text) and is_speakable(said.text):
            drafts.append(_draft(before, said))
    return drafts


def _draft(before: _Utterance, said: _Utterance) -> Draft:
    state, news = _FEELINGS[said.feeling]
    cell = Cell(state, split_of(said.conversation), news)
    return Draft(cell, said.conversation, before.text, said.text, Source.DIALOGUES, LICENCE)


def _utterances(path: Path) -> list[_Utterance]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetUnusable(path, f"cannot be read: {error.strerror}") from error
    lines = _lines(decoded(path, content))
    if tuple(lines[0].split(",")[: len(COLUMNS)]) != COLUMNS:
        raise DatasetUnusable(path, f"line 1: the columns do not start with {','.join(COLUMNS)}")
    columns = len(lines[0].split(","))
    return [_parsed(path, i, line, columns) for i, line in enumerate(lines[1:], start=2) if line.strip()]


def _lines(text: str) -> list[str]:
    """The lines of a file as any system writes them; what Unicode also calls the end of a line may stand in a text."""
    if "\n" not in text:
        return text.split("\r")
    return [line.removesuffix("\r") for line in text.split("\n")]


def _parsed(path: Path, line: int, text: str, columns: int) -> _Utterance:
    fields = text.split(",")
    # The release leaves trailing columns out where they are empty.
    if not len(COLUMNS) <= len(fields) <= columns:
        raise DatasetUnusable(
            path, f"line {line}: {len(fields)} fields, not {len(COLUMNS)} to {columns}; a comma in a text is _comma_"
        )
    conversation, number, feeling, _, speaker, said = fields[: len(COLUMNS)]
    if not number.isascii() or not number.isdigit() or len(number) > MOST_DIGITS:
        raise DatasetUnusable(
            path, f"line {line}: utterance_idx: {shown(number)} is not a number of at most {MOST_DIGITS} digits"
        )
    if feeling not in _FEELINGS and feeling not in _UNUSED:
        known = ", ".join(sorted({*_FEELINGS, *_UNUSED}))
        raise DatasetUnusable(path, f"line {line}: context: {shown(feeling)} is not one of {known}")
    if not conversation or not speaker:
        raise DatasetUnusable(path, f"line {line}: conv_id and speaker_idx may not be empty")
    return _Utterance(conversation, int(number), feeling, speaker, clean(said.replace("_comma_", ",")))
