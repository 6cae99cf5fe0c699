"""A scripted training for clients that name no data: its script is the file TRAINING_SCRIPT names (see training_targets)."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from training_targets import scripted

from emotional_ai_training.jobs import Plan, Reporter

TARGET: Final = "unscripted_training:scripted_by_environment"
VARIABLE: Final = "TRAINING_SCRIPT"


def scripted_by_environment(plan: Plan, reporter: Reporter) -> tuple[str, ...]:
    """Carries out the script, and publishes."""
    return scripted(replace(plan, data_path=Path(os.environ[VARIABLE])), reporter)
