"""Addresses of servers that other backends speak through."""

from urllib.parse import urlsplit


def check_address(name: str, url: str) -> None:
    """Raises ValueError, beginning with `name`, unless `url` is an http(s) address of a host and, if given, a port."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(f"{name} must be an address such as http://127.0.0.1:8000, got {url!r}: {error}") from None
    if not sound:
        raise ValueError(f"{name} must be an address such as http://127.0.0.1:8000, got {url!r}")
