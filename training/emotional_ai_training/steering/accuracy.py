"""How well the two judges agree with people, told beside every figure they make.

    python -m emotional_ai_training.steering.accuracy DIR     measures the second judge on GoEmotions' test set anew

The first judge's numbers were measured when it was trained, and lie beside its weights.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from emotional_ai_training.dataset.rows import CHEMICALS
from emotional_ai_training.emotions.goemotions import Split, load_split
from emotional_ai_training.judge.scores import auc
from emotional_ai_training.judge.states import state_labels
from emotional_ai_training.judge.weights import COMMITTED
from emotional_ai_training.steering.lexicon import cue_scores

MEASURED: Final = Path(__file__).parent / "data" / "cues.json"


def accuracies() -> dict[str, Mapping[str, float]]:
    """AUC on human labels by half of the first judge ("both", "embedding") and for the second ("cues"), by chemical."""
    scores = json.loads((COMMITTED / "judge.json").read_text(encoding="utf-8"))["measured"]["scores"]
    halves = {row["half"]: row["auc"] for row in scores if row["texts"] == "GoEmotions test"}
    found: dict[str, Mapping[str, float]] = {
        half: dict(zip(CHEMICALS, values, strict=False)) for half, values in halves.items()
    }
    return found | {"cues": json.loads(MEASURED.read_text(encoding="utf-8"))["auc"]}


def measure(goemotions: Path) -> dict[str, float]:
    """AUC of the second judge on the human-labelled test set, by chemical. Raises DatasetUnusable for an unfit directory."""
    texts = load_split(goemotions, Split.TEST)
    labels, weights = state_labels(texts.labels)
    scores = cue_scores(texts.texts)
    return {
        name: auc(labels[weights[:, i] > 0, i] == 1, scores[weights[:, i] > 0, i]) for i, name in enumerate(CHEMICALS)
    }


if __name__ == "__main__":
    found = measure(Path(sys.argv[1]))
    MEASURED.write_text(json.dumps({"texts": "GoEmotions test", "auc": found}, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(found) + "\n")
