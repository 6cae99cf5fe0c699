"""Reads replies: what they express, by two judges that see the words alone; whether they are whole, and about the prompt."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.emotions import EMOTIONS, EmotionReader, SentenceEncoder, load_heads
from emotional_ai_training.emotions.labels import NEGATIVE, POSITIVE
from emotional_ai_training.evaluation.measures import broken
from emotional_ai_training.judge import Judge
from emotional_ai_training.steering.asking import Answer
from emotional_ai_training.steering.lexicon import cue_scores

Floats = NDArray[np.float64]

# Upper and lower half of the circumplex (Russell 1980), for the emotions whose place in it is plain.
AROUSED: Final = frozenset(["anger", "annoyance", "desire", "excitement", "fear", "nervousness", "surprise"])
CALM: Final = frozenset(["disappointment", "grief", "relief", "sadness", "neutral"])


@dataclass(frozen=True, slots=True)
class Readings:
    """What replies were read as, one row a reply.

    `judged` (n, 5) and `by_embedding` (n, 5) are probabilities of the states in the order of ADAPTERS, by the judge as a whole
    and by its embedding half; `cues` (n, 4) the second judge's counts. `valence` and `arousal` (n,) are in [-1, 1]. `topic`
    (n,) is the cosine similarity to the prompt, `off_topic` (n,) that to the prompt of another reply, `broken` (n,) whether
    there are no words or a loop.
    """

    judged: Floats
    by_embedding: Floats
    cues: Floats
    valence: Floats
    arousal: Floats
    topic: Floats
    off_topic: Floats
    broken: NDArray[np.bool_]

    def of(self, rows: Sequence[int]) -> Self:
        """The readings of some replies."""
        index = np.asarray(rows, dtype=int)
        return type(self)(**{field.name: getattr(self, field.name)[index] for field in fields(self)})


class Reader:
    """Reads replies with the committed judges. Deterministic on one machine. Raises what `Judge` raises."""

    def __init__(self, encoder: Path) -> None:
        self._judge = Judge(encoder)
        self._emotions = EmotionReader(SentenceEncoder(encoder), load_heads())

    def read(self, answers: Sequence[Answer]) -> Readings:
        """The readings of replies, in their order. The judges are given the words of a reply and nothing else."""
        texts = [answer.text for answer in answers]
        judgement = self._judge.judge(texts)
        prompts = list(dict.fromkeys(answer.question.text for answer in answers))
        asked = self._judge.embed(prompts).astype(np.float64)
        place = {prompt: i for i, prompt in enumerate(prompts)}
        own = np.array([place[answer.question.text] for answer in answers], dtype=int)
        other = np.array(
            [_another(answer.question.prompt_id, i, len(prompts)) for answer, i in zip(answers, own, strict=True)]
        )
        replies = judgement.embeddings.astype(np.float64)
        emotions = self._read_emotions(texts)
        return Readings(
            judged=judgement.both.astype(np.float64),
            by_embedding=judgement.by_embedding.astype(np.float64),
            cues=cue_scores(texts),
            valence=_balance(emotions, POSITIVE, NEGATIVE),
            arousal=_balance(emotions, AROUSED, CALM),
            topic=(replies * asked[own]).sum(axis=1),
            off_topic=(replies * asked[other]).sum(axis=1),
            broken=np.array([broken(text) for text in texts], dtype=bool),
        )

    def _read_emotions(self, texts: Sequence[str]) -> Floats:
        """Probabilities of shape (texts, emotions); of an unreadable text they are all 0."""
        found = np.zeros((len(texts), len(EMOTIONS)))
        readable = [i for i, text in enumerate(texts) if any(character.isalnum() for character in text)]
        for i, reading in zip(readable, self._emotions.read([texts[i] for i in readable]), strict=True):
            found[i] = reading.emotions
        return found


def _balance(emotions: Floats, more: Collection[str], less: Collection[str]) -> Floats:
    """Strongest emotion of one side less the strongest of the other, in [-1, 1]."""

    def strongest(side: Collection[str]) -> Floats:
        return np.asarray(emotions[:, [i for i, name in enumerate(EMOTIONS) if name in side]].max(axis=1))

    return strongest(more) - strongest(less)


def _another(prompt_id: str, own: int, count: int) -> int:
    """A prompt other than a reply's own, the same whenever it is asked for; its own where there is no other."""
    return (own + random.Random(prompt_id).randrange(1, count)) % count if count > 1 else own
