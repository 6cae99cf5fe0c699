"""Messages of the contract in words and plain numbers: names for enums, levels and intensities by name."""

import re
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from emotional_ai.stimuli import CHEMICALS, SIGNALS
from emotional_ai.v1 import engine_pb2, training_pb2

DEFAULT_SESSION: Final = "default"
"""The session where none is named."""
SESSION_ID: Final = "[A-Za-z0-9][A-Za-z0-9._:-]{0,127}"
"""Pattern of the ids that a session can be made by, as the contract has it."""
SESSION_ID_FORM: Final = "1..128 characters of letters, digits, '-', '_', '.', ':', beginning with a letter or digit"
"""The same in words."""


def session_id(text: str) -> str:
    """An id that a session can be made by. Raises ValueError saying what is allowed."""
    if re.fullmatch(SESSION_ID, text) is None:
        raise ValueError(f"a session id has {SESSION_ID_FORM}, got {text[:40]!r} ({len(text)} characters)")
    return text


def levels(message: engine_pb2.Chemistry | engine_pb2.ChemicalVector) -> dict[str, float]:
    """One number per chemical, by name."""
    return {name: getattr(message, name) for name in CHEMICALS}


def signals(message: engine_pb2.Signals) -> dict[str, float]:
    """Intensities of the signals that are not 0, by name."""
    return {name: value for name in SIGNALS if (value := getattr(message, name))}


def moment(time: Timestamp) -> str:
    """RFC 3339 in UTC."""
    return time.ToJsonString()


def label(value: engine_pb2.EmotionLabel.ValueType) -> str:
    """Such as "joy"."""
    return engine_pb2.EmotionLabel.Name(value).removeprefix("EMOTION_LABEL_").lower()


def signal(value: engine_pb2.Signal.ValueType) -> str:
    """Such as "social_warmth"."""
    return engine_pb2.Signal.Name(value).removeprefix("SIGNAL_").lower()


def recipe(value: training_pb2.Recipe.ValueType) -> str:
    """Such as "state-adapters"."""
    return training_pb2.Recipe.Name(value).removeprefix("RECIPE_").lower().replace("_", "-")


def status(value: training_pb2.JobStatus.ValueType) -> str:
    """Such as "running"."""
    return training_pb2.JobStatus.Name(value).removeprefix("JOB_STATUS_").lower()


RECIPES: Final = {
    recipe(value): value for value in training_pb2.Recipe.values() if value != training_pb2.RECIPE_UNSPECIFIED
}
"""Recipes by name."""
