"""What a training is asked for with: the words of a form, and the contract's request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from emotional_ai.errors import Violation
from emotional_ai.limits import GREATEST_SEED
from emotional_ai.names import RECIPES
from emotional_ai.v1 import training_pb2 as pb

T = TypeVar("T")
MEANINGS: Final[Mapping[str, str]] = {
    "all": "conditioning, state-adapters and curiosity, in order",
    "conditioning": "the base emotional conditioning",
    "state-adapters": "one adapter for each emotional state",
    "curiosity": "curiosity-rewarded reinforcement of high_dopamine",
}
"""Recipes in the order they are offered."""
RANKS: Final = ("1", "2", "4", "8", "16", "32", "64", "128")
DEFAULT_RANK: Final = "8"
UINT32: Final = 2**32 - 1
COST: Final = "max_cost_usd"
RECIPE: Final = "recipe"
RANK: Final = "lora_rank"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the form that is written in; left empty it is not sent."""

    name: str
    """Of the contract."""
    title: str
    allowed: str
    """Beside the field: what is allowed, and what an empty field means."""


FIELDS: Final = (
    Field("states", "States", "names with commas between, such as high_dopamine, balanced; empty: all of the recipe"),
    Field("base_model", "Base model", "by the name the training server knows, at most 256 characters; empty: its own"),
    Field("learning_rate", "Learning rate", "above 0, at most 0.1; empty: 0.001"),
    Field("epochs", "Epochs", "1 to 100 passes over the data; empty: 1"),
    Field("batch_size", "Batch size", "1 to 1024 rows a step; empty: 8"),
    Field("seed", "Seed", f"0 to {GREATEST_SEED}; empty: 0"),
    Field("data_path", "Data", "path on the service's machine, at most 4096 characters; empty: prepared anew"),
    Field(COST, "Largest cost", "US dollars, 0 to 1000000; 0 or empty: local runs only"),
)
NAMES: Final = (RECIPE, RANK, *(field.name for field in FIELDS))
"""Everything the form has a field for."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a form asks for."""

    recipe: pb.Recipe.ValueType
    config: pb.TrainingConfig
    max_cost_usd: float


def order(given: Mapping[str, str]) -> Order | list[Violation]:
    """What a form asks for, or every field that cannot be sent. What can be sent and is refused is the service's to say."""
    wrong: list[Violation] = []

    def read(name: str, of: Callable[[str], T]) -> T | None:
        text = given.get(name, "").strip()
        try:
            return of(text) if text else None
        except ValueError as error:
            wrong.append(Violation(name, str(error)))
            return None

    recipe = read(RECIPE, _recipe) or RECIPES["all"]
    cost = read(COST, _number)
    config = pb.TrainingConfig(
        base_model=given.get("base_model", "").strip(),
        lora_rank=read(RANK, _whole),
        learning_rate=read("learning_rate", _number),
        epochs=read("epochs", _whole),
        batch_size=read("batch_size", _whole),
        seed=read("seed", lambda text: _whole(text, GREATEST_SEED)) or 0,
        states=read("states", _listed) or (),
        data_path=given.get("data_path", "").strip(),
    )
    return wrong or Order(recipe, config, cost or 0.0)


def cost(text: str) -> float:
    """A largest cost; 0 if nothing is written. Raises ValueError."""
    return _number(text.strip()) if text.strip() else 0.0


def by_field(violations: Sequence[Violation]) -> dict[str, str]:
    """What was wrong, by field of the form; what is wrong with one element of a list is said of the list."""
    said: dict[str, list[str]] = {}
    for one in violations:
        name = one.field.removeprefix("config.").partition("[")[0]
        said.setdefault(name, []).append(one.description)
    return {name: "; ".join(dict.fromkeys(words)) for name, words in said.items()}


def _recipe(text: str) -> pb.Recipe.ValueType:
    if text not in RECIPES:
        raise ValueError(f"must be one of {', '.join(RECIPES)}")
    return RECIPES[text]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"must be a number, such as 0.001; got {text!r}") from None


def _whole(text: str, most: int = UINT32) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"must be a whole number; got {text!r}")
    if int(text) > most:
        raise ValueError(f"must be at most {most}; got {text}")
    return int(text)


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
