"""Where training is done: what the environment says of a Tinker server. Keys are never told, nor any part of them."""

import socket
from collections.abc import Iterator
from importlib.util import find_spec
from urllib.parse import urlsplit

from emotional_ai_service.doctor.finding import Finding, ok, warn, wrong
from emotional_ai_service.doctor.settings import DoctorSettings

PATIENCE = 2.0
"""Seconds a server may take to answer a connection."""


def training(settings: DoctorSettings) -> Iterator[Finding]:
    """Whether the settings of training fit together, and a server that is named can be reached."""
    subject, environ = "training", settings.environ
    key, url = environ.get("TINKER_API_KEY", ""), environ.get("TINKER_BASE_URL", "")
    if not key and not url:
        yield ok(subject, "on this machine: jobs start an embedded server")
    elif not key:
        yield wrong(
            subject, "TINKER_BASE_URL is set, and TINKER_API_KEY is not", "set TINKER_API_KEY, or unset TINKER_BASE_URL"
        )
    elif not key.startswith(("tml-", "eyJ")):
        yield wrong(
            subject, "TINKER_API_KEY does not begin with tml-, as keys do", "set the whole key, as the server gave it"
        )
    elif not url:
        yield ok(subject, "on hosted Tinker, whose key is set; runs cost money")
    else:
        yield _reached(url)
    if find_spec("tinker") is None:
        return  # [training] is not installed, as the look at packages says: no job reads its prices here
    from emotional_ai_training.recipes.errors import SettingRefused
    from emotional_ai_training.recipes.settings import training_settings

    try:
        training_settings(
            {name: value for name, value in environ.items() if name not in ("TINKER_API_KEY", "TINKER_BASE_URL")}
        )
    except SettingRefused as error:
        yield wrong(subject, str(error), "set it as .env.example says")


def _reached(url: str) -> Finding:
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        host, port = None, None
    if not host or not port:
        return wrong(
            "training", "TINKER_BASE_URL is no http:// or https:// address", "set TINKER_BASE_URL to http://HOST:PORT"
        )
    where = f"{parts.scheme}://{host}:{port}"
    try:
        socket.create_connection((host, port), PATIENCE).close()
    except OSError as error:
        return warn(
            "training",
            f"{where} cannot be reached: {error.strerror or error}",
            "emotional-ai tinker-server starts one of your own",
        )
    return ok("training", f"on {where}, which answers; its key is set")
