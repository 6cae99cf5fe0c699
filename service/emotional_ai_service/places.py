"""Where the service keeps what it was given no place for."""

from pathlib import Path


def state_dir() -> Path:
    """The directory of this user for it; it may not be there yet."""
    return Path.home() / ".local" / "state" / "emotional-ai"


def sessions_of(database: Path | None) -> Path:
    """The file of the SQLite store, as given or by default."""
    return database or state_dir() / "sessions.db"


def jobs_of(database: Path | None) -> Path:
    """The directory of training jobs: beside a database that was given."""
    return database.with_name(database.name + ".jobs") if database else state_dir() / "jobs"


def usage_of(database: Path | None, port: int) -> Path:
    """The file of what tenants used today: beside a database that was given, else one for each port."""
    return database.with_name(database.name + ".usage") if database else state_dir() / f"usage-{port}.json"


def tokens_file() -> Path:
    """The file of tokens that `tokens` changes; `serve` asks for none unless told to."""
    return state_dir() / "tokens.json"
