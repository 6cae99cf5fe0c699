"""Measures the appraisal: GoEmotions test part, own companion sentences (dev and held-out halves), and time a sentence.

    python benchmarks/appraisal.py --goemotions DIR [--encoder DIR] [--quick] [--json]

The last line is one JSON object. `--quick` leaves out GoEmotions, whose embedding takes minutes, and `--goemotions` is
then not needed. `--json` prints nothing but that line.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import torch

from emotional_ai_service.appraisal import Appraisal
from emotional_ai_service.appraisal.appraiser import Appraiser
from emotional_ai_service.core.names import SIGNALS
from emotional_ai_training.emotions import EmotionReader, SentenceEncoder, load_heads
from emotional_ai_training.models import cache_dir, encoder_dir
from emotional_ai_training.recipes_appraiser import evaluate_appraiser

SENTENCES: Final = Path(__file__).parents[1] / "tests" / "data" / "companion_sentences.jsonl"
# Within this of 0 a valence has no sign.
NO_SIGN: Final = 0.15


@dataclass(frozen=True, slots=True)
class Sentence:
    """One row of the companion sentences: `signals` must be found, `may` can be; valence is -1, 0 or 1."""

    text: str
    signals: tuple[str, ...]
    may: tuple[str, ...]
    valence: int
    context: tuple[str, ...]
    split: str


def load_sentences(split: str) -> list[Sentence]:
    """Returns the companion sentences of one half, "dev" or "held_out"."""
    rows = [json.loads(line) for line in SENTENCES.read_text(encoding="utf-8").splitlines()]
    return [
        Sentence(row["text"], tuple(row["signals"]), tuple(row["may"]), row["valence"], tuple(row["context"]), split)
        for row in rows
        if row["split"] == split
    ]


def found(appraisal: Appraisal) -> set[str]:
    return {name for name, value in zip(SIGNALS, appraisal.signals, strict=True) if value}


def per_signal(sentences: Sequence[Sentence], appraisals: Sequence[Appraisal]) -> dict[str, dict[str, float]]:
    """Precision and recall of each signal; what a sentence may carry counts neither for nor against."""
    scores = {}
    for name in SIGNALS:
        labelled = [name in s.signals for s in sentences]
        here = [name in found(a) for a in appraisals]
        hits = sum(a and b for a, b in zip(labelled, here, strict=True))
        wrong = sum(b and name not in (*s.signals, *s.may) for s, b in zip(sentences, here, strict=True))
        scores[name] = {"precision": hits / max(hits + wrong, 1), "recall": hits / max(sum(labelled), 1)}
    return scores


def measure_half(appraiser: Appraiser, split: str) -> dict[str, object]:
    """Measures one half of the companion sentences."""
    sentences = load_sentences(split)
    appraisals = [appraiser.appraise([s.text], s.context)[0] for s in sentences]
    pairs = list(zip(sentences, appraisals, strict=True))
    carrying = [(s, a) for s, a in pairs if s.signals]
    silent = [(s, a) for s, a in pairs if not s.signals]
    signed = [(s, a) for s, a in pairs if s.valence]
    scores = per_signal(sentences, appraisals)
    return {
        "sentences": len(sentences),
        "classify_rate": sum(a.classified for _, a in carrying) / len(carrying),
        "any_right_signal": sum(bool(found(a) & set(s.signals)) for s, a in carrying) / len(carrying),
        "all_right_signals": sum(set(s.signals) <= found(a) for s, a in carrying) / len(carrying),
        "classified_though_silent": sum(a.classified for _, a in silent) / len(silent),
        "mean_found": sum(len(found(a)) for a in appraisals) / len(appraisals),
        "valence_sign_agreement": sum(s.valence * a.valence > NO_SIGN for s, a in signed) / len(signed),
        "valence_opposed": sum(s.valence * a.valence < -NO_SIGN for s, a in signed) / len(signed),
        "macro_precision": sum(score["precision"] for score in scores.values()) / len(scores),
        "macro_recall": sum(score["recall"] for score in scores.values()) / len(scores),
        "signals": scores,
    }


def milliseconds_a_sentence(appraiser: Appraiser) -> float:
    """Median processor time over the held-out sentences, one call each, on one core: what others run does not count."""
    torch.set_num_threads(1)
    times = []
    for sentence in load_sentences("held_out"):
        start = time.process_time()
        appraiser.appraise([sentence.text])
        times.append(time.process_time() - start)
    return 1e3 * sorted(times)[len(times) // 2]


def print_half(split: str, half: dict[str, object]) -> None:
    print(f"\ncompanion sentences, {split}")
    for name, value in half.items():
        if name != "signals":
            print(f"  {name:<26}{value:.3f}" if isinstance(value, float) else f"  {name:<26}{value}")
    scores = half["signals"]
    assert isinstance(scores, dict)
    for name, score in scores.items():
        print(f"    {name:<16} precision {score['precision']:.2f}  recall {score['recall']:.2f}")


def _silent(line: str) -> None:
    del line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--goemotions", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.quick and options.goemotions is None:
        parser.error("--goemotions DIR is needed without --quick")
    directory = options.encoder or encoder_dir(cache_dir(os.environ))
    heads = load_heads()
    appraiser = Appraiser(EmotionReader(SentenceEncoder(directory), heads))
    result: dict[str, object] = {"heads": heads.digest, "milliseconds_a_sentence": milliseconds_a_sentence(appraiser)}
    for split in ("dev", "held_out"):
        result[split] = half = measure_half(appraiser, split)
        if not options.json:
            print_half(split, half)
    if not options.quick:
        scores = evaluate_appraiser(options.goemotions, directory, heads, print if not options.json else _silent)
        result["goemotions"] = [asdict(score) for score in scores]
    print(json.dumps(result))


if __name__ == "__main__":
    main()
