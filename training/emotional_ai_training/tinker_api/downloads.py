"""An adapter's files from their signed addresses, each a plain download, retried here because the SDK does not."""

import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

import tinker
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from emotional_ai_training.tinker_api.deadlines import within
from emotional_ai_training.tinker_api.errors import DownloadFailed

ATTEMPTS: Final = 5
WAIT_FOR_BYTES: Final = 60.0
"""Wall seconds a download may pause."""


def download_adapter(rest: tinker.RestClient, path: str, into: Path, seconds: float) -> None:
    """Writes the files of an `external_weights` checkpoint into the empty directory `into`; DownloadFailed otherwise."""
    urls = within(rest.get_external_weights_urls(path), seconds, f"asking where {path} can be fetched").urls
    for name, url in urls.items():
        if name != Path(name).name:
            raise DownloadFailed(name, "the server gave a path instead of a file name")
        _fetch(url, into / name)


def _fetch(url: str, file: Path) -> None:
    if not url.startswith(("http://", "https://")):
        raise DownloadFailed(file.name, f"its address has the scheme {url.partition(':')[0]!r}")
    attempts = Retrying(
        retry=retry_if_exception(_passing),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.5, max=10),
        reraise=True,
    )
    try:
        attempts(_write, url, file)
    except (urllib.error.URLError, OSError) as error:
        raise DownloadFailed(file.name, str(error)) from error


def _write(url: str, file: Path) -> None:
    with urllib.request.urlopen(url, timeout=WAIT_FOR_BYTES) as answer, file.open("wb") as out:  # checked
        shutil.copyfileobj(answer, out)
        expected = answer.headers.get("Content-Length")
    if expected is not None and file.stat().st_size != int(expected):
        raise ConnectionError(f"{file.stat().st_size} of {expected} bytes arrived")


def _passing(error: BaseException) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return error.code in {408, 429} or error.code >= 500
    return isinstance(error, urllib.error.URLError | ConnectionError | TimeoutError)
