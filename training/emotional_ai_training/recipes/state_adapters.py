"""Recipe 2, one adapter per emotional state, each started from the base conditioning.

Rows of the one state, told of it as the service tells, and about a tenth of replay rows. Started from the conditioning
with a fresh optimizer, an adapter holds the conditioning and its state together.
"""

from collections.abc import Sequence

from emotional_ai_training.recipes.course import Course
from emotional_ai_training.recipes.examples import Example
from emotional_ai_training.recipes.fine_tuning import FineTuning, fine_tune
from emotional_ai_training.recipes.run_directory import Finished, RunDirectory


def train_state_adapter(
    state: str,
    config: FineTuning,
    examples: Sequence[Example],
    held_out: Sequence[Example],
    base: Finished,
    run: RunDirectory,
    course: Course,
) -> Finished:
    """Trains one state's adapter from the base conditioning; raises as `fine_tune` does."""
    return fine_tune(state, config, examples, held_out, base.state, run, course)
