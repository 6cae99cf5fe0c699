"""GoEmotions texts as replies: a text that people labelled with one state answers a prompt it is similar to."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.dataset.drafting import Cell, Draft
from emotional_ai_training.dataset.filtering import StateJudge
from emotional_ai_training.dataset.language import is_speakable
from emotional_ai_training.dataset.preparing import PrepareConfig, Report
from emotional_ai_training.dataset.prompts import Prompt
from emotional_ai_training.dataset.rows import Source, Split
from emotional_ai_training.emotions.goemotions import Split as Part
from emotional_ai_training.emotions.goemotions import load_split
from emotional_ai_training.judge.states import state_labels

LICENCE: Final = "CC-BY-4.0"
"""Licence of the data card of GoEmotions; attribution: Demszky et al. 2020."""


def pair_goemotions(
    directory: Path, prompts: Sequence[Prompt], judge: StateJudge, config: PrepareConfig, report: Report
) -> list[Draft]:
    """Pairs training prompts with texts at least as similar as `config` asks, the most similar first, no text twice.

    Raises DatasetUnusable if the directory does not hold the release.
    """
    asked = [prompt for prompt in prompts if prompt.split is Split.TRAIN]
    spelled = [prompt.template.spell(random.Random(f"{config.seed}:{prompt.id}")) for prompt in asked]
    texts, states = _candidates(directory, config.states)
    report(f"comparing {len(texts)} texts of GoEmotions with {len(asked)} prompts")
    likeness = judge.judge(texts).embeddings @ judge.judge(spelled).embeddings.T
    nearest = likeness.argmax(axis=1) if likeness.size else np.zeros(0, dtype=np.int64)
    closeness = likeness[np.arange(len(texts)), nearest]
    drafts = []
    for index in np.argsort(-closeness, kind="stable"):
        if closeness[index] < config.similarity:
            break
        prompt = asked[nearest[index]]
        cell = Cell(states[index], Split.TRAIN, prompt.news)
        source = Source.GOEMOTIONS
        drafts.append(Draft(cell, prompt.topic, spelled[nearest[index]], texts[index], source, LICENCE))
    return drafts


def _candidates(directory: Path, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Speakable training texts that express exactly one wanted state, and that state."""
    rows = load_split(directory, Part.TRAIN)
    labels, _ = state_labels(rows.labels)
    texts: dict[str, str] = {}
    for row in np.flatnonzero(labels.sum(axis=1) == 1):
        state = ADAPTERS[int(labels[row].argmax())]
        if state in wanted and is_speakable(rows.texts[row]):
            texts.setdefault(rows.texts[row], state)
    return list(texts), list(texts.values())
