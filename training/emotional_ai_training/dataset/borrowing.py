"""Replies that others wrote, as drafts: from GoEmotions and from dialogues, whichever is given."""

from pathlib import Path

from emotional_ai_training.dataset.dialogues import load_dialogues
from emotional_ai_training.dataset.drafting import Draft
from emotional_ai_training.dataset.filtering import StateJudge
from emotional_ai_training.dataset.pairing import pair_goemotions
from emotional_ai_training.dataset.preparing import PrepareConfig, Report
from emotional_ai_training.dataset.prompts import COMMITTED, load_prompts


def borrow(
    config: PrepareConfig,
    judge: StateJudge,
    report: Report,
    *,
    goemotions: Path | None = None,
    dialogues: Path | None = None,
    content: Path = COMMITTED,
) -> list[Draft]:
    """Reads what is given; best pairs first, then dialogues. Raises DatasetUnusable, naming file and line."""
    drafts: list[Draft] = []
    if goemotions is not None:
        pairs = pair_goemotions(goemotions, load_prompts(content), judge, config, report)
        report(f"{len(pairs)} texts of GoEmotions answer a prompt")
        drafts += pairs
    if dialogues is not None:
        spoken = load_dialogues(dialogues)
        report(f"{len(spoken)} replies of {dialogues.name} express a state")
        drafts += spoken
    return drafts
