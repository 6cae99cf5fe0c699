"""Addresses of servers of others that are spoken to by http."""

from urllib.parse import SplitResult, urlsplit


def check_address(name: str, url: str) -> SplitResult:
    """The parts of an http(s) address of a host and, if given, a port. Raises ValueError, beginning with `name`, for others."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(f"{name} must be an address such as http://127.0.0.1:8000, got {url!r}: {error}") from None
    if not sound:
        raise ValueError(f"{name} must be an address such as http://127.0.0.1:8000, got {url!r}")
    return parts
