"""Recipe 1, base emotional conditioning: one adapter learns to speak in whatever state the system message tells of.

Rows of all five states, each told of its own levels in numbers and words, and about a tenth of replay rows: everyday
prompts with the base model's own replies and no state, against drift. The result is where every state's adapter starts
from: blend weights sum to 1, so a blend carries the conditioning exactly once.

Published by itself it is `balanced`; a training of all states trains `balanced` on from it like the others, because by
itself it sounds no more even than the base model.
"""

from collections.abc import Sequence
from typing import Final

from emotional_ai_training.recipes.course import Course
from emotional_ai_training.recipes.examples import Example
from emotional_ai_training.recipes.fine_tuning import FineTuning, fine_tune
from emotional_ai_training.recipes.run_directory import Finished, RunDirectory

STAGE: Final = "conditioning"
PUBLISHED_AS: Final = "balanced"


def train_conditioning(
    config: FineTuning,
    examples: Sequence[Example],
    held_out: Sequence[Example],
    run: RunDirectory,
    course: Course,
) -> Finished:
    """Trains fresh adapters on rows of every state; raises as `fine_tune` does."""
    return fine_tune(STAGE, config, examples, held_out, None, run, course)
