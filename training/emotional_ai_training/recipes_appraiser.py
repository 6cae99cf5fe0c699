"""Trains the appraiser's heads on GoEmotions and on own sentences, and measures them.

    embed every text once                     (the encoder stays as it is)
    emotions from embeddings, from terms      one logistic regression a label, each on the training part
    the two joined                            one small logistic regression a label on the dev part: calibrated
    thresholds                                best F1 on the dev part
    signals from embeddings                   own sentences, and GoEmotions rows whose emotion implies or excludes a signal
    measured on the test part                 each half alone and both, 28 emotions and 7 Ekman groups

Deterministic for one machine, data and seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]

from emotional_ai_training.emotions import EMOTIONS, SIGNALS, HeadWeights, LinearHead, SentenceEncoder, save_heads
from emotional_ai_training.emotions.classifier import sigmoid, term_logits
from emotional_ai_training.emotions.goemotions import LabelledTexts, Split, load_split
from emotional_ai_training.emotions.grammar import COMMITTED, load_grammar, spell_all
from emotional_ai_training.emotions.scores import ekman, macro_f1, tune_thresholds
from emotional_ai_training.emotions.terms import TermWeighting, terms

Floats = NDArray[np.float32]
Report = Callable[[str], None]

# Texts between two lines of progress.
PROGRESS_EVERY: Final = 5_000

# Parts the own sentences are cut into, by template, to judge each by a fit that never saw it.
FOLDS: Final = 5

# Emotions whose GoEmotions rows count as examples of a signal, beside the own sentences.
IMPLIED: Final[Mapping[str, tuple[str, ...]]] = {
    "reward": ("joy", "excitement", "amusement"),
    "achievement": ("pride",),
    "relaxation": ("relief",),
    "threat": ("fear", "nervousness"),
    "uncertainty": ("confusion",),
    "novelty": ("surprise",),
    "loss": ("sadness", "grief", "disappointment"),
    "conflict": ("anger", "annoyance"),
}


@dataclass(frozen=True, slots=True)
class AppraiserConfig:
    """Settings of the training.

    `*_strictness` are the inverse of the penalty on a head's weights (C);
    signal_beta is how many times more a signal missed weighs than one found in vain.
    """

    seed: int = 7
    most_terms: int = 40_000
    least_texts: int = 3
    term_strictness: float = 3.0
    emotion_strictness: float = 30.0
    mix_strictness: float = 1.0
    sentences_each: int = 12
    signal_strictness: float = 10.0
    signal_beta: float = 1.25
    emotion_rows: int = 4_000
    emotion_row_weight: float = 0.3


@dataclass(frozen=True, slots=True)
class Score:
    """Macro-F1 on the test part, over 28 emotions and over 7 Ekman groups, each in [0, 1]."""

    model: str
    emotions: float
    ekman: float


@dataclass(frozen=True, slots=True)
class Data:
    """One part of the data: its texts and labels, and an embedding of each text, of shape (texts, dimension)."""

    rows: LabelledTexts
    embeddings: Floats


def train_appraiser(
    goemotions: Path, encoder_directory: Path, into: Path, report: Report, config: AppraiserConfig | None = None
) -> list[Score]:
    """Trains, measures on the test part, writes the weights into `into`, and returns the scores.

    Raises DatasetUnusable or EncoderUnusable. Nothing is written unless everything went well.
    """
    config = config or AppraiserConfig()
    encoder = SentenceEncoder(encoder_directory)
    train, dev, test = (_part(goemotions, split, encoder, report) for split in Split)
    report("fitting emotions from embeddings")
    emotion_head = fit_head(train.embeddings, train.rows.labels, config.emotion_strictness)
    report("fitting emotions from terms")
    weighting, term_head = fit_terms(train.rows, config)
    report("fitting signals")
    signal_head, signal_thresholds = fit_signals(encoder, train, config)
    heads = HeadWeights(
        emotions=EMOTIONS,
        signals=SIGNALS,
        weighting=weighting,
        emotion_head=emotion_head,
        term_head=term_head,
        mix=np.ones((2, len(EMOTIONS)), dtype=np.float32),
        mix_bias=np.zeros(len(EMOTIONS), dtype=np.float32),
        thresholds=np.full(len(EMOTIONS), 0.5, dtype=np.float32),
        signal_head=signal_head,
        signal_thresholds=signal_thresholds,
        digest="",
    )
    heads = join(heads, dev, config)
    scores = measure(heads, dev, test)
    digest = save_heads(heads, _metrics(scores, config, [train, dev, test]), into)
    report(f"wrote {into}, SHA-256 {digest}")
    return scores


def evaluate_appraiser(goemotions: Path, encoder_directory: Path, heads: HeadWeights, report: Report) -> list[Score]:
    """Measures trained heads on the test part; the halves alone get thresholds from the dev part, as when trained."""
    encoder = SentenceEncoder(encoder_directory)
    dev, test = (_part(goemotions, split, encoder, report) for split in (Split.DEV, Split.TEST))
    return measure(heads, dev, test)


def fit_head(
    features: Floats | csr_matrix[np.float32],
    labels: NDArray[np.int8],
    strictness: float,
    weights: Floats | None = None,
) -> LinearHead:
    """Fits a logistic regression for each column of `labels`, all at once, by L-BFGS.

    Minimises, over weights W and an unpenalised bias, |W|^2 / 2 + strictness * sum of the rows' log-losses, each
    weighted by `weights` of the labels' shape; the columns do not touch each other.
    """
    inputs, outputs = features.shape[1], labels.shape[1]
    targets = labels.astype(np.float32)
    strength = np.float32(strictness) * (np.ones_like(targets) if weights is None else weights)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters = flat.reshape(inputs + 1, outputs)
        logits = features @ parameters[:-1].astype(np.float32) + parameters[-1].astype(np.float32)
        log_losses = np.logaddexp(0.0, logits) - targets * logits
        residual = strength * (sigmoid(logits) - targets)
        gradient = np.vstack([features.T @ residual + parameters[:-1], residual.sum(axis=0)])
        value = 0.5 * float((parameters[:-1] ** 2).sum()) + float((strength * log_losses).sum(dtype=np.float64))
        return value, gradient.ravel().astype(np.float64)

    start = np.zeros((inputs + 1) * outputs)
    # Stopping early holds the weights of rare labels small, which served Ekman groups better than full convergence.
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 80, "ftol": 1e-6})
    fitted = found.x.reshape(inputs + 1, outputs)
    return LinearHead(fitted[:-1].astype(np.float32), fitted[-1].astype(np.float32))


def fit_terms(rows: LabelledTexts, config: AppraiserConfig) -> tuple[TermWeighting, LinearHead]:
    """Fits the vocabulary, its idf, and a head on them."""
    vectoriser = TfidfVectorizer(
        analyzer=terms, min_df=config.least_texts, max_features=config.most_terms, sublinear_tf=True, dtype=np.float32
    )
    features = vectoriser.fit_transform(rows.texts)
    vocabulary = {term: int(column) for term, column in vectoriser.vocabulary_.items()}
    weighting = TermWeighting(vocabulary, vectoriser.idf_.astype(np.float32))
    return weighting, fit_head(features, rows.labels, config.term_strictness)


def fit_signals(encoder: SentenceEncoder, train: Data, config: AppraiserConfig) -> tuple[LinearHead, Floats]:
    """Fits the signal heads, and thresholds that serve templates the heads did not see.

    Every template is judged by a fit that left its fold out, so a threshold knows nothing of a template's wording;
    GoEmotions rows labelled neutral are judged along, as they are what silence looks like in the wild.
    """
    own, labels, templates = _own_rows(encoder, config)
    rows, row_labels, row_weights = _emotion_rows(train, config)
    fold = np.concatenate([templates, np.arange(len(rows))]) % FOLDS
    features = np.concatenate([own, rows])
    targets = np.concatenate([labels, row_labels])
    weights = np.concatenate([np.ones_like(labels, dtype=np.float32), row_weights])
    unseen = np.empty(targets.shape, dtype=np.float32)
    for left_out in range(FOLDS):
        kept, judged = fold != left_out, fold == left_out
        head = fit_head(features[kept], targets[kept], config.signal_strictness, weights[kept])
        unseen[judged] = sigmoid(head.logits(features[judged]))
    silent_or_own = np.concatenate([np.ones(len(own), dtype=bool), (row_weights > 0).all(axis=1)])
    thresholds = tune_thresholds(targets[silent_or_own], unseen[silent_or_own], config.signal_beta)
    return fit_head(features, targets, config.signal_strictness, weights), thresholds


def join(heads: HeadWeights, dev: Data, config: AppraiserConfig) -> HeadWeights:
    """Joins both logits of each emotion into one calibrated logit, and tunes the thresholds."""
    halves = _halves(heads, dev)
    mix = np.empty((2, len(EMOTIONS)), dtype=np.float32)
    bias = np.empty(len(EMOTIONS), dtype=np.float32)
    for column in range(len(EMOTIONS)):
        head = fit_head(halves[:, :, column].T, dev.rows.labels[:, [column]], config.mix_strictness)
        mix[:, column], bias[column] = head.weights[:, 0], head.bias[0]
    joined = replace(heads, mix=mix, mix_bias=bias)
    return replace(joined, thresholds=tune_thresholds(dev.rows.labels, _joined(joined, dev)))


def measure(heads: HeadWeights, dev: Data, test: Data) -> list[Score]:
    """Scores each half alone and both on the test part, thresholds from the dev part."""
    dev_halves, test_halves = sigmoid(_halves(heads, dev)), sigmoid(_halves(heads, test))
    scores = []
    for half, name in enumerate(("embeddings alone", "terms alone")):
        thresholds = tune_thresholds(dev.rows.labels, dev_halves[half])
        scores.append(_score(name, test.rows.labels, test_halves[half] >= thresholds))
    scores.append(_score("both", test.rows.labels, _joined(heads, test) >= heads.thresholds))
    return scores


def embed_part(rows: LabelledTexts, encoder: SentenceEncoder, split: Split, report: Report) -> Floats:
    """Embeddings of one part of the data, of shape (texts, dimension), reporting on the way."""
    report(f"embedding {len(rows.texts)} texts of the {split} part")
    told = 0

    def progress(done: int) -> None:
        nonlocal told
        if done - told >= PROGRESS_EVERY:
            told = done
            report(f"  {done} of {len(rows.texts)}, shortest first")

    return encoder.encode(rows.texts, progress)


def _part(goemotions: Path, split: Split, encoder: SentenceEncoder, report: Report) -> Data:
    rows = load_split(goemotions, split)
    return Data(rows, embed_part(rows, encoder, split, report))


def _halves(heads: HeadWeights, data: Data) -> Floats:
    """Logits by embeddings and by terms, of shape (2, texts, emotions)."""
    by_terms = term_logits([heads.weighting.vector(text) for text in data.rows.texts], heads)
    return np.stack([heads.emotion_head.logits(data.embeddings), by_terms])


def _joined(heads: HeadWeights, data: Data) -> Floats:
    halves = _halves(heads, data)
    return sigmoid(heads.mix[0] * halves[0] + heads.mix[1] * halves[1] + heads.mix_bias)


def _own_rows(encoder: SentenceEncoder, config: AppraiserConfig) -> tuple[Floats, NDArray[np.int8], NDArray[np.int64]]:
    """Spells the grammar out: embeddings, labels, and the index of each sentence's template."""
    grammar = load_grammar(COMMITTED, SIGNALS)
    spelled = spell_all(grammar, config.sentences_each, config.seed)
    labels = np.zeros((len(spelled), len(SIGNALS)), dtype=np.int8)
    for row, (_, template) in enumerate(spelled):
        labels[row, [SIGNALS.index(name) for name in grammar.templates[template].signals]] = 1
    embeddings = encoder.encode([sentence for sentence, _ in spelled])
    return embeddings, labels, np.array([template for _, template in spelled])


def _emotion_rows(train: Data, config: AppraiserConfig) -> tuple[Floats, NDArray[np.int8], Floats]:
    """Picks GoEmotions rows for the signals: embeddings, labels, and weights that are 0 where a row says nothing.

    A neutral row speaks against every signal, one whose emotion implies a signal for that one alone.
    """
    rng = np.random.default_rng(config.seed)
    neutral = train.rows.labels[:, EMOTIONS.index("neutral")] == 1
    single = train.rows.labels.sum(axis=1) == 1
    chosen = np.sort(rng.permutation(np.flatnonzero(single))[: config.emotion_rows])
    labels = np.zeros((len(chosen), len(SIGNALS)), dtype=np.int8)
    weights = np.zeros(labels.shape, dtype=np.float32)
    weights[neutral[chosen]] = config.emotion_row_weight
    for signal, emotions in IMPLIED.items():
        column = SIGNALS.index(signal)
        implied = train.rows.labels[np.ix_(chosen, np.array([EMOTIONS.index(name) for name in emotions]))].any(axis=1)
        labels[:, column] = implied
        weights[implied, column] = config.emotion_row_weight
    return train.embeddings[chosen], labels, weights


def _score(name: str, labels: NDArray[np.int8], found: NDArray[Any]) -> Score:
    return Score(name, macro_f1(labels, found), macro_f1(ekman(labels), ekman(found)))


def _metrics(scores: Sequence[Score], config: AppraiserConfig, parts: Sequence[Data]) -> dict[str, Any]:
    return {
        "test_macro_f1": [asdict(score) for score in scores],
        "config": asdict(config),
        "data_sha256": {split.value: part.rows.digest for split, part in zip(Split, parts, strict=True)},
    }


def score_table(scores: Sequence[Score]) -> str:
    """Lays the scores out for a terminal."""
    lines = [f"{'model':<20}{'28 emotions':>12}{'Ekman':>8}"]
    lines += [f"{score.model:<20}{score.emotions:>12.3f}{score.ekman:>8.3f}" for score in scores]
    return "\n".join(lines)
