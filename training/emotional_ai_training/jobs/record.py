"""plan.json: what was asked for, when, and in which attempt. Replaced as a whole, so that an order is taken wholly or not."""

import json
import types
from dataclasses import asdict, dataclass, fields
from enum import Enum
from pathlib import Path
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from emotional_ai_training.jobs.errors import JobDamaged
from emotional_ai_training.jobs.fields import WIDE, number, text, truth, whole
from emotional_ai_training.jobs.plan import Plan
from emotional_ai_training.showing import shown
from emotional_ai_training.whole_files import write_whole

FORMAT: Final = 1
"""Version of the file's form; a file of another is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job as it was asked for."""

    job_id: str
    created_us: int
    """When it was first asked for, wall microseconds since the epoch."""
    queued_us: int
    """When the current attempt was asked for; the order in which jobs have their turn."""
    attempt: int
    """1 at first, one more each time it is resumed."""
    request_ids: tuple[str, ...]
    """Ids of the requests that made or resumed it."""
    plan: Plan


def write_record(path: Path, record: JobRecord) -> None:
    """Replaces the file whole. Raises OSError; then the file is as it was."""
    text = json.dumps({"format": FORMAT, **asdict(record)}, indent=2, default=_plain) + "\n"
    write_whole(path, text.encode())


def read_record(path: Path) -> JobRecord:
    """Reads the file. Raises JobDamaged."""
    entry = read_object(path)
    try:
        if entry.pop("format") != FORMAT:
            raise ValueError("it was written by another version")
        plan = Plan(**_typed(Plan, entry.pop("plan")))
        return JobRecord(**_typed(JobRecord, entry), plan=plan)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise JobDamaged(path, f"does not hold a job: {error}") from error


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file, to be checked by the caller. Raises JobDamaged, or FileNotFoundError."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise JobDamaged(path, f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise JobDamaged(path, f"is not JSON: {error}") from error
    if not isinstance(entry, dict):
        raise JobDamaged(path, "is not a JSON object")
    return entry


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    assert isinstance(value, Enum)
    return value.value


def _typed(kind: type[Plan] | type[JobRecord], entry: dict[str, Any]) -> dict[str, Any]:
    """The entries as values of their fields' types. Raises ValueError, TypeError or KeyError for one that is none."""
    hints = get_type_hints(kind)
    names = {field.name for field in fields(kind)} - {"plan"}
    if names != set(entry):
        raise ValueError(f"fields {', '.join(sorted(names ^ set(entry)))} are missing or unknown")
    return {name: _value(hints[name], value, name) for name, value in entry.items()}


def _value(hint: Any, value: Any, name: str) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return None if value is None else _value(get_args(hint)[0], value, name)
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise TypeError(f"{name} must be a list, is {shown(value)}")
        return tuple(_value(str, item, name) for item in value)
    return _single(hint, value, name)


def _single(hint: Any, value: Any, name: str) -> Any:
    if issubclass(hint, Enum):
        return hint(value)
    if hint is bool:
        return truth(value, name)
    if hint is int:
        return whole(value, name, WIDE if name == "seed" else 2**32 - 1)
    if hint is float:
        return number(value, name)
    told = text(value, name)
    return Path(told) if hint is Path else told
