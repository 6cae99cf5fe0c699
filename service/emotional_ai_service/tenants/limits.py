"""What tenants may use, and the file that says so: TOML, one table for all tenants and one for each that differs.

[default]
calls_per_second = 50
sessions = 1000

[tenants.acme]
sessions = "unlimited"
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Final

from emotional_ai_service.callers import tenant_name
from emotional_ai_service.tenants.errors import LimitsUnusable
from emotional_ai_service.toml_file import TomlUnusable, read_toml, table_of

UNLIMITED: Final = "unlimited"
LARGEST_FILE: Final = 16 * 1024 * 1024
"""Bytes: a table each for a hundred thousand tenants."""
_TABLES: Final = ("default", "tenants")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one tenant may use; infinite where nothing limits it. Rates are those of one process of the service."""

    calls_per_second: float = math.inf
    """Rpcs, and batches of stimuli on streams, on average."""
    calls_burst: float = math.inf
    """Rpcs at once. A second's worth where a rate is given without it."""
    generation_tokens_per_minute: float = math.inf
    """Tokens of replies; a reply counts its max_tokens while it is spoken, and what it was afterwards."""
    concurrent_replies: float = math.inf
    concurrent_streams: float = math.inf
    """StreamState, WatchState and WatchJob together."""
    sessions: float = math.inf
    """Sessions there are."""
    generation_tokens_per_day: float = math.inf
    """From midnight to midnight UTC, as are jobs per day."""
    training_jobs_at_once: float = math.inf
    """Waiting or running."""
    training_jobs_per_day: float = math.inf
    """Jobs started or resumed."""


FREE: Final = Limits()
"""What a service without limits allows."""
_NAMES: Final = tuple(one.name for one in fields(Limits))
_ABOVE_ZERO: Final = {"calls_per_second", "generation_tokens_per_minute"}
_FRACTIONS: Final = {"calls_per_second"}


@dataclass(frozen=True, slots=True)
class LimitTable:
    """The limits of every tenant."""

    default: Limits = FREE
    tenants: Mapping[str, Limits] = field(default_factory=dict)

    def of(self, tenant: str) -> Limits:
        """The limits of a tenant."""
        return self.tenants.get(tenant, self.default)


def read_limits(path: Path) -> LimitTable:
    """The limits in a file. Raises LimitsUnusable, naming the first key that is wrong and what is allowed."""
    try:
        return _table(read_toml(path, LARGEST_FILE))
    except ValueError as error:
        raise LimitsUnusable(path, str(error)) from error


def _table(document: object) -> LimitTable:
    entries = table_of(document, _TABLES)
    default = _limits(entries.get("default", {}), FREE, "default")
    tenants = entries.get("tenants", {})
    if not isinstance(tenants, dict):
        raise ValueError(f"tenants must be a table, is {tenants!r}")
    return LimitTable(
        default, {tenant_name(name): _limits(given, default, f"tenants.{name}") for name, given in tenants.items()}
    )


def _limits(given: object, base: Limits, path: str) -> Limits:
    try:
        entries = table_of(given, _NAMES)
    except TomlUnusable as error:
        raise ValueError(f"{path} {error}") from error
    found = {name: _number(name, value, f"{path}.{name}") for name, value in entries.items()}
    bounded = math.isfinite(found.get("calls_burst", math.inf))
    if "calls_per_second" in found and not bounded:
        found["calls_burst"] = max(1.0, found["calls_per_second"])
    limits = replace(base, **found)
    if bounded and math.isinf(limits.calls_per_second):
        raise ValueError(
            f"{path}.calls_burst needs a calls_per_second beside it, or in [default]: nothing is limited without"
        )
    return limits


def _number(name: str, value: object, path: str) -> float:
    if value == UNLIMITED:
        return math.inf
    least = 1 if name == "calls_burst" else 0
    kinds = (int, float) if name in _FRACTIONS else (int,)
    sound = type(value) in kinds and math.isfinite(value) and value >= least  # type: ignore[arg-type,operator]
    if not sound or (name in _ABOVE_ZERO and not value):
        above = "above 0" if name in _ABOVE_ZERO else f"from {least} on"
        kind = "a number" if name in _FRACTIONS else "a whole number"
        raise ValueError(f'{path} must be {kind} {above}, or "{UNLIMITED}", is {value!r}')
    return float(value)  # type: ignore[arg-type]
