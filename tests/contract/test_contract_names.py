"""The closed sets stand in the contract, in the core, in the client and in the heads; they are the same, in the same order."""

import emotional_ai
from emotional_ai.cli.jobs import RecipeName
from emotional_ai.names import RECIPES as COMMAND_LINE
from emotional_ai.v1 import engine_pb2, training_pb2
from emotional_ai_service.core.labels import LABELS
from emotional_ai_service.core.names import CHEMICALS, SIGNALS
from emotional_ai_service.servicers.training import RECIPES, STATUSES
from emotional_ai_training.emotions import SIGNALS as HEADS
from emotional_ai_training.jobs import Recipe, Standing


def enum(wrapper: object, prefix: str) -> tuple[str, ...]:
    """Names of an enum of the contract after its unspecified value, as the core writes them."""
    return tuple(
        name.removeprefix(prefix).lower() for name, number in sorted(wrapper.items(), key=lambda i: i[1]) if number
    )


def test_signals_agree_everywhere() -> None:
    fields = tuple(field.name for field in engine_pb2.Signals.DESCRIPTOR.fields)
    assert enum(engine_pb2.Signal, "SIGNAL_") == fields == SIGNALS == emotional_ai.SIGNALS
    assert HEADS == SIGNALS


def test_chemicals_agree_everywhere() -> None:
    fields = tuple(field.name for field in engine_pb2.Chemistry.DESCRIPTOR.fields)
    assert enum(engine_pb2.Chemical, "CHEMICAL_") == fields == CHEMICALS == emotional_ai.CHEMICALS


def test_labels_agree_everywhere() -> None:
    assert enum(engine_pb2.EmotionLabel, "EMOTION_LABEL_") == LABELS


def test_recipes_agree_everywhere() -> None:
    assert enum(training_pb2.Recipe, "RECIPE_") == tuple(recipe.value for recipe in Recipe)
    assert {training_pb2.Recipe.Name(number): recipe.value for number, recipe in RECIPES.items()} == {
        f"RECIPE_{recipe.name}": recipe.value for recipe in Recipe
    }
    assert set(COMMAND_LINE) == {recipe.value for recipe in RecipeName}
    assert {name.replace("-", "_") for name in COMMAND_LINE} == {recipe.value for recipe in Recipe}


def test_the_ways_a_job_stands_agree_everywhere() -> None:
    assert enum(training_pb2.JobStatus, "JOB_STATUS_") == tuple(standing.value for standing in Standing)
    assert {training_pb2.JobStatus.Name(number): standing for standing, number in STATUSES.items()} == {
        f"JOB_STATUS_{standing.name}": standing for standing in Standing
    }
