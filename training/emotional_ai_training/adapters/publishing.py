"""Puts an adapter in place: written beside, synced, then exchanged with what was there. A reader sees the old or the new."""

import ctypes
import errno
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from emotional_ai_training.adapters.errors import AdapterDamaged, NotPublished
from emotional_ai_training.adapters.manifest import CONFIG, MANIFEST, Manifest, sound_digest, write_manifest
from emotional_ai_training.adapters.weights import WEIGHTS
from emotional_ai_training.whole_files import sync

_FROM_HERE: Final = -100
"""AT_FDCWD: paths are relative to the working directory."""
_EXCHANGE: Final = 2
"""RENAME_EXCHANGE of renameat2(2)."""
_CANNOT_EXCHANGE: Final = (errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.ENOTSUP)


def publish(peft_dir: Path, manifest: Manifest, loras_dir: Path) -> Manifest:
    """Publishes the PEFT adapter in `peft_dir` as `loras_dir/NAME`, and returns its manifest with the digest filled in.

    `peft_dir` is left as it is. Raises AdapterDamaged for weights that are not whole or not finite, or a manifest out of range,
    and NotPublished where `loras_dir` cannot be written; in either case an adapter published before stays.
    """
    described = replace(manifest, digest=sound_digest(peft_dir))
    try:
        loras_dir.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".publishing-", dir=loras_dir))
    except OSError as error:
        raise _refused(loras_dir, manifest, error) from error
    try:
        _fill(staged, peft_dir, described)
        _put_in_place(staged, loras_dir / described.name)
        sync(loras_dir)
    except AdapterDamaged as error:  # found in the staged copy, which is about to go
        raise AdapterDamaged(peft_dir, error.file, error.problem, field=error.field) from error
    except OSError as error:
        raise _refused(loras_dir, manifest, error) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return described


def check_writable(loras_dir: Path) -> None:
    """Raises NotPublished where adapters could not be written: to be asked before training, which is long."""
    try:
        loras_dir.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryDirectory(prefix=".publishing-", dir=loras_dir).cleanup()
    except OSError as error:
        raise NotPublished(
            f"adapters cannot be written to {loras_dir}: {error.strerror}; choose another place"
        ) from error


def _refused(loras_dir: Path, manifest: Manifest, error: OSError) -> NotPublished:
    return NotPublished(
        f"adapter {manifest.name!r} cannot be written to {loras_dir}: {error.strerror}; nothing was replaced"
    )


def _fill(staged: Path, peft_dir: Path, manifest: Manifest) -> None:
    for file in (WEIGHTS, CONFIG):
        shutil.copyfile(peft_dir / file, staged / file)
    write_manifest(staged, manifest)
    staged.chmod(0o755)  # mkdtemp makes it ours alone; what is published may be read
    for file in (WEIGHTS, CONFIG, MANIFEST):
        sync(staged / file)
    sync(staged)


def _put_in_place(staged: Path, target: Path) -> None:
    """Gives `staged` the name `target`; what had it, if anything, is then called `staged`."""
    try:
        staged.rename(target)  # succeeds where there is nothing, or an empty directory
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _exchange(staged, target)


def _exchange(one: Path, other: Path) -> None:
    """Exchanges two directories in one step, or in two renames where the system has no such step.

    Between the two the name is free for a moment; it never holds half.
    """
    try:
        exchange = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        exchange = None
    if exchange is not None:
        if exchange(_FROM_HERE, os.fsencode(one), _FROM_HERE, os.fsencode(other), _EXCHANGE) == 0:
            return
        number = ctypes.get_errno()
        if number not in _CANNOT_EXCHANGE:
            raise OSError(number, os.strerror(number), str(other))
    aside = one.with_name(one.name + ".old")
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise
    aside.rename(one)
