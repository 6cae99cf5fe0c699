"""The file that holds Kiro's settings: read as text, written whole or not at all."""

import os
import secrets
import stat
from pathlib import Path

from emotional_ai.kiro.errors import SettingsBroken, SettingsUnreachable


def settings_file(folder: Path) -> Path:
    """Where Kiro looks for its servers: below a workspace, or below a home for every workspace."""
    return folder / ".kiro" / "settings" / "mcp.json"


def read(path: Path) -> str | None:
    """The text of a file, line ends as they are; None if there is no file.

    Raises SettingsUnreachable for one that cannot be read, SettingsBroken for one that is not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            raise SettingsUnreachable(f"cannot read {path}: it is no regular file")
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsUnreachable(f"cannot read {path}: {error.strerror}") from error
    return decoded(raw, path)


def decoded(raw: bytes, path: Path) -> str:
    """UTF-8 as text. Raises SettingsBroken at the first byte that is none."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8" + (", the file seems to be UTF-16" if wide else "")
        raise SettingsBroken.at(path, before, len(before), what) from error


def write(path: Path, text: str) -> None:
    """Puts a text into a file at once, making its folders; the file keeps its mode, and a link what it points to.

    Raises SettingsUnreachable if that cannot be done; then the file is as it was.
    """
    try:
        raw = text.encode("utf-8")
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(Path(os.path.realpath(path)), raw)
    except UnicodeEncodeError as error:
        odd = error.object[error.start : error.end]
        raise SettingsUnreachable(
            f"cannot write {path}: a path or a value in it is not text, it holds {odd!r}"
        ) from error
    except OSError as error:
        raise SettingsUnreachable(f"cannot write {path}: {error.strerror}") from error


def _replace(path: Path, raw: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            if path.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
