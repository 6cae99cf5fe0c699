"""Where the service keeps what it was given no place for."""

from pathlib import Path


class PlaceUnusable(OSError):
    """A place that cannot be made: says why, and how to name another."""


def state_dir() -> Path:
    """The directory of this user for it; it may not be there yet."""
    return Path.home() / ".local" / "state" / "emotional-ai"


def sessions_file() -> Path:
    """The file of sessions."""
    return state_dir() / "sessions.db"


def tokens_file() -> Path:
    """The file of tokens that `emotional-ai tokens` changes."""
    return state_dir() / "tokens.json"


def jobs_dir(database: Path | None) -> Path:
    """The directory of training jobs: beside a database that was given."""
    return database.with_name(database.name + ".jobs") if database else state_dir() / "jobs"


def usage_file(database: Path | None, port: int) -> Path:
    """The file of what tenants used today: beside a database that was given, else one for each port."""
    return database.with_name(database.name + ".usage") if database else state_dir() / f"usage-{port}.json"
