"""GoEmotions texts as replies: a text that people labelled with one state answers a prompt it is similar to.

speakable texts of exactly one state -> those that share the rarest words with a prompt -> those near one in meaning

Near is not fitting: what strangers commented mostly talks beside the prompt, so nothing is paired unless asked for.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]

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

SHORTLIST: Final = 300
"""Texts of each state that are compared by meaning, which costs about 3 ms each on two cores."""
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
    texts, states = _shortlist(*_candidates(directory, config.states), spelled)
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


def _shortlist(texts: Sequence[str], states: Sequence[str], prompts: Sequence[str]) -> tuple[list[str], list[str]]:
    """The SHORTLIST texts of each state that are most alike to some prompt by their words (TF-IDF)."""
    if not texts or not prompts:
        return [], []
    features = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit_transform([*prompts, *texts])
    alike = (features[len(prompts) :] @ features[: len(prompts)].T).max(axis=1).toarray().ravel()
    places: dict[str, list[int]] = {}
    for index in np.argsort(-alike, kind="stable"):
        places.setdefault(states[index], []).append(int(index))
    chosen = [index for state in sorted(places) for index in places[state][:SHORTLIST]]
    return [texts[index] for index in chosen], [states[index] for index in chosen]
