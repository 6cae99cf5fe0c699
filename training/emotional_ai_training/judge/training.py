"""Trains the judge's heads on human labels and own sentences, and measures them.

    embed every text once           (the encoder stays as it is)
    states from embeddings, terms   one logistic regression a state, each on the training part
    each half calibrated            on the dev part, for texts of which one in five expresses the state
    the two joined                  one small logistic regression a state on the dev part, calibrated the same way
    measured                        on the test part, and on companion replies if a file of them is given

Deterministic for one machine, data and seed. The reply grammar of the training data is no part of it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]

from emotional_ai_training.conditioning import ADAPTERS
from emotional_ai_training.emotions import DatasetUnusable, LinearHead, SentenceEncoder, clean
from emotional_ai_training.emotions.goemotions import LabelledTexts, Split, load_split
from emotional_ai_training.emotions.grammar import load_grammar, spell_all
from emotional_ai_training.emotions.terms import TermWeighting, terms
from emotional_ai_training.judge.judge import judged, logits_by_terms
from emotional_ai_training.judge.scores import JudgeScore, score
from emotional_ai_training.judge.states import EXPRESSES, SILENT, state_labels
from emotional_ai_training.judge.weights import COMMITTED, JudgeWeights, save_judge
from emotional_ai_training.recipes_appraiser import embed_part, fit_head

SENTENCES: Final = COMMITTED / "judge_sentences.txt"

Floats = NDArray[np.float32]
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class JudgeConfig:
    """Settings of the training.

    `*_strictness` are the inverse of the penalty on a head's weights (C); own_weight is how much an own sentence weighs
    beside a comment; prior is the share of texts expressing a state that probabilities are calibrated for.
    """

    seed: int = 7
    most_terms: int = 12_000
    least_texts: int = 3
    term_strictness: float = 3.0
    embedding_strictness: float = 30.0
    mix_strictness: float = 1.0
    sentences_each: int = 12
    own_weight: float = 3.0
    prior: float = 0.2


@dataclass(frozen=True, slots=True)
class Examples:
    """Texts, their embeddings, and labels and weights of shape (texts, states)."""

    texts: tuple[str, ...]
    embeddings: Floats
    labels: NDArray[np.int8]
    weights: Floats


def train_judge(
    goemotions: Path,
    encoder_directory: Path,
    into: Path,
    report: Report,
    *,
    replies: Path | None = None,
    config: JudgeConfig | None = None,
) -> list[JudgeScore]:
    """Trains, measures, writes the weights into `into`, and returns the scores.

    `replies` is a file of companion replies, one JSON object {text, state, split} a line, that are measured only.
    Raises DatasetUnusable or EncoderUnusable. Nothing is written unless everything went well.
    """
    config = config or JudgeConfig()
    encoder = SentenceEncoder(encoder_directory)
    measured_on = [] if replies is None else _replies(replies, encoder)
    rows = {split: load_split(goemotions, split) for split in Split}
    parts = {split: _labelled(part, encoder, split, report) for split, part in rows.items()}
    report("fitting the states")
    weights = fit_judge(_joined(parts[Split.TRAIN], _own(encoder, config)), parts[Split.DEV], config)
    scores = measure([("GoEmotions test", parts[Split.TEST]), *measured_on], weights)
    card = {
        "expresses": EXPRESSES,
        "silent": SILENT,
        "config": asdict(config),
        "data_sha256": {split.value: part.digest for split, part in rows.items()},
        "scores": [asdict(row) for row in scores],
    }
    report(f"wrote {into}, SHA-256 {save_judge(weights, card, into)}")
    return scores


def fit_judge(train: Examples, dev: Examples, config: JudgeConfig) -> JudgeWeights:
    """Fits both halves on `train`, calibrates and joins them on `dev`."""
    vectoriser = TfidfVectorizer(
        analyzer=terms, min_df=config.least_texts, max_features=config.most_terms, sublinear_tf=True, dtype=np.float32
    )
    features = vectoriser.fit_transform(train.texts)
    vocabulary = {term: int(column) for term, column in vectoriser.vocabulary_.items()}
    states = len(ADAPTERS)
    weights = JudgeWeights(
        weighting=TermWeighting(vocabulary, vectoriser.idf_.astype(np.float32)),
        by_embedding=fit_head(train.embeddings, train.labels, config.embedding_strictness, train.weights),
        by_terms=fit_head(features, train.labels, config.term_strictness, train.weights),
        mix=np.ones((2, states), dtype=np.float32),
        mix_bias=np.zeros(states, dtype=np.float32),
    )
    return _calibrated(weights, dev, config)


def _calibrated(weights: JudgeWeights, dev: Examples, config: JudgeConfig) -> JudgeWeights:
    by_embedding, by_terms = weights.by_embedding.logits(dev.embeddings), logits_by_terms(weights, dev.texts)
    embedding_scale, embedding_bias = _fit_mix(by_embedding[None], dev, config)
    term_scale, term_bias = _fit_mix(by_terms[None], dev, config)
    halves = np.stack([by_embedding * embedding_scale + embedding_bias, by_terms * term_scale + term_bias])
    mix, mix_bias = _fit_mix(halves, dev, config)
    return JudgeWeights(
        weighting=weights.weighting,
        by_embedding=_scaled(weights.by_embedding, embedding_scale, embedding_bias),
        by_terms=_scaled(weights.by_terms, term_scale, term_bias),
        mix=mix,
        mix_bias=mix_bias,
    )


def _fit_mix(halves: Floats, dev: Examples, config: JudgeConfig) -> tuple[Floats, Floats]:
    """Fits each state's label from its logits, halves of shape (halves, texts, states); returns scales and biases."""
    mix = np.empty((halves.shape[0], len(ADAPTERS)), dtype=np.float32)
    bias = np.empty(len(ADAPTERS), dtype=np.float32)
    for column in range(len(ADAPTERS)):
        labels, weights = dev.labels[:, [column]], dev.weights[:, [column]]
        share = float((labels * weights).sum() / weights.sum())
        # Weighed so that the state is as frequent as the prior says, whatever it is in the data.
        balance = np.where(labels == 1, config.prior / share, (1 - config.prior) / (1 - share)).astype(np.float32)
        head = fit_head(halves[:, :, column].T, labels, config.mix_strictness, weights * balance)
        mix[:, column], bias[column] = head.weights[:, 0], head.bias[0]
    return mix, bias


def _scaled(head: LinearHead, scale: Floats, bias: Floats) -> LinearHead:
    return LinearHead((head.weights * scale).astype(np.float32), (head.bias * scale + bias).astype(np.float32).ravel())


def measure(sets: Sequence[tuple[str, Examples]], weights: JudgeWeights) -> list[JudgeScore]:
    """Scores the embedding half alone and both halves on each named set of texts."""
    scores = []
    for name, rows in sets:
        judgement = judged(weights, rows.texts, rows.embeddings)
        for half, found in (("embedding", judgement.by_embedding), ("both", judgement.both)):
            scores.append(score(name, half, rows.labels, rows.weights, found))
    return scores


def _labelled(rows: LabelledTexts, encoder: SentenceEncoder, split: Split, report: Report) -> Examples:
    return Examples(rows.texts, embed_part(rows, encoder, split, report), *state_labels(rows.labels))


def _own(encoder: SentenceEncoder, config: JudgeConfig) -> Examples:
    grammar = load_grammar(SENTENCES, ADAPTERS)
    spelled = spell_all(grammar, config.sentences_each, config.seed)
    labels = _one_hot([grammar.templates[template].signals[0] for _, template in spelled])
    texts = tuple(sentence for sentence, _ in spelled)
    return Examples(texts, encoder.encode(texts), labels, np.full(labels.shape, config.own_weight, dtype=np.float32))


def _joined(first: Examples, second: Examples) -> Examples:
    return Examples(
        first.texts + second.texts,
        np.concatenate([first.embeddings, second.embeddings]),
        np.concatenate([first.labels, second.labels]),
        np.concatenate([first.weights, second.weights]),
    )


def _replies(path: Path, encoder: SentenceEncoder) -> list[tuple[str, Examples]]:
    """Reads companion replies, one set a split. Raises DatasetUnusable, naming file and line."""
    rows: dict[str, list[tuple[str, str]]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DatasetUnusable(path, f"cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            text, state, split = row["text"], row["state"], row["split"]
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetUnusable(path, f"line {number}: not an object of text, state and split") from error
        if state not in ADAPTERS:
            raise DatasetUnusable(path, f"line {number}: the state {state!r} is not one of {', '.join(ADAPTERS)}")
        rows.setdefault(f"replies, {split}", []).append((clean(text), state))
    sets = []
    for name, pairs in sorted(rows.items()):
        texts, labels = tuple(text for text, _ in pairs), _one_hot([state for _, state in pairs])
        weights = np.ones(labels.shape, dtype=np.float32)
        sets.append((name, Examples(texts, encoder.encode(texts), labels, weights)))
    return sets


def _one_hot(states: Sequence[str]) -> NDArray[np.int8]:
    return np.eye(len(ADAPTERS), dtype=np.int8)[[ADAPTERS.index(state) for state in states]]
