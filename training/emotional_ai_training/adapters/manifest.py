"""The record beside an adapter's weights: what it was trained from, where it speaks alone, how strong it is, what it scored.

    manifest = load_manifest(Path("loras/high_dopamine"))
    manifest.prototype            # (0.9, 0.6, 0.3, 0.5)

The digest covers the weights and the configuration PEFT reads, so that what is loaded is what was trained.
"""

import hashlib
import json
import math
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from emotional_ai_training.adapters.errors import AdapterDamaged
from emotional_ai_training.adapters.weights import WEIGHTS, content_of, sound_weights
from emotional_ai_training.conditioning import Levels
from emotional_ai_training.showing import shown

MANIFEST: Final = "manifest.json"
CONFIG: Final = "adapter_config.json"
FORMAT: Final = 1
"""Version of the manifest's form; a file of another is refused."""
LARGEST_FACTOR: Final = 1e6
"""Greatest scale, and greatest alpha of PEFT's configuration: times the largest weights they stay within float32."""
UNUSUAL: Final = ("rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "modules_to_save")
"""What PEFT's configuration may ask for beyond the sum of A and B."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an adapter is."""

    name: str
    """Its name, which is that of its directory: letters, digits, `_`, `.`, `-`, 1..128 of them."""
    digest: str = ""
    """SHA-256 of its content in hex, see `adapter_digest`; `publish` fills it in."""
    base_model: str
    """Name of the model it was trained on."""
    base_model_digest: str
    """SHA-256 of that model's weights, in hex; of its name where it was trained on a server that keeps them."""
    prototype: Levels
    """The state at which it speaks alone: dopamine, serotonin, cortisol, oxytocin, each in [0, 1]."""
    scale: float
    """Factor that applies it at its full strength, > 0."""
    scale_calibrated: bool
    """Whether `scale` was measured; if not it is a convention."""
    rank: int
    """Rank of its matrices, 1..128."""
    recipe: str
    """The runs it went through, such as "conditioning > high_dopamine > curiosity"."""
    seed: int
    """Seed it was trained with, >= 0."""
    learning_rate: float
    """Peak learning rate, > 0."""
    steps: int
    """Optimizer steps taken, >= 0."""
    data_digest: str
    """SHA-256 of the training data, in hex."""
    metrics: Mapping[str, float]
    """What it scored, by name; finite."""


def adapter_digest(directory: Path) -> str:
    """SHA-256 in hex over the bytes of the weights and the configuration as JSON with sorted keys.

    Raises AdapterDamaged if either is missing or the configuration is not a JSON object.
    """
    return _digest_of(directory, content_of(directory, WEIGHTS))


def sound_digest(directory: Path) -> str:
    """As `adapter_digest`, of weights that can be computed with. Raises AdapterDamaged for others too."""
    return _digest_of(directory, sound_weights(directory))


def _digest_of(directory: Path, weights: bytes) -> str:
    hashed = hashlib.sha256(weights)
    hashed.update(json.dumps(_object(directory, CONFIG), sort_keys=True, separators=(",", ":")).encode())
    return hashed.hexdigest()


def load_manifest(directory: Path) -> Manifest:
    """The manifest of a whole adapter. Raises AdapterDamaged for a value out of range, or weights it does not describe.

    A directory that is replaced meanwhile is read again, as it is then.
    """
    while True:
        read_from = _identity(directory)
        try:
            return _load(directory)
        except AdapterDamaged:
            if _identity(directory) == read_from:
                raise


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Writes the manifest of `directory`. Raises AdapterDamaged for a value out of range."""
    check_manifest(directory, manifest)
    values = {field.name: getattr(manifest, field.name) for field in fields(manifest)}
    record = {"format": FORMAT, **values, "metrics": dict(sorted(manifest.metrics.items()))}
    text = json.dumps(record, indent=2, allow_nan=False, default=dict) + "\n"
    (directory / MANIFEST).write_text(text, encoding="utf-8")


def check_manifest(directory: Path, manifest: Manifest) -> None:
    """Raises AdapterDamaged naming the first value that is out of range, or does not fit the configuration beside it."""
    for name, (fits, wanted) in _RANGES.items():
        value: object = getattr(manifest, name)
        if not fits(value):
            raise AdapterDamaged(directory, MANIFEST, f"must be {wanted}, is {shown(value)}", field=name)
    config = _object(directory, CONFIG)
    rank = config.get("r")
    if rank != manifest.rank:
        raise AdapterDamaged(directory, MANIFEST, f"is {manifest.rank}, but {CONFIG} says r = {rank!r}", field="rank")
    check_config(directory, config)


def check_config(directory: Path, config: Mapping[str, object]) -> None:
    """Raises AdapterDamaged for a configuration of PEFT's that is not of plain LoRA, which is all a sum of adapters knows."""
    alpha = config.get("lora_alpha")
    if not (_number(alpha) and abs(alpha) <= LARGEST_FACTOR):  # type: ignore[arg-type]  # a number by now
        problem = f"must be a number of at most {LARGEST_FACTOR:g}, is {shown(alpha)}"
        raise AdapterDamaged(directory, CONFIG, problem, field="lora_alpha")
    if unusual := [name for name in UNUSUAL if config.get(name)]:
        raise AdapterDamaged(directory, CONFIG, f"uses {', '.join(unusual)}, which a sum of adapters does not know")


def _load(directory: Path) -> Manifest:
    manifest = _manifest(directory, _object(directory, MANIFEST))
    check_manifest(directory, manifest)
    if manifest.name != directory.name:
        problem = f"is {manifest.name!r}, but the directory is called {directory.name!r}"
        raise AdapterDamaged(directory, MANIFEST, problem, field="name")
    found = sound_digest(directory)
    if found != manifest.digest:
        problem = f"does not fit {WEIGHTS} and {CONFIG}, whose digest is {found}: they are not what was published"
        raise AdapterDamaged(directory, MANIFEST, problem, field="digest")
    return manifest


def _manifest(directory: Path, record: dict[str, object]) -> Manifest:
    form = record.pop("format", None)
    if form != FORMAT:
        raise AdapterDamaged(directory, MANIFEST, f"must be {FORMAT}, is {form!r}", field="format")
    names = {field.name for field in fields(Manifest)}
    for name in sorted(names ^ set(record)):
        problem = "is missing" if name in names else "is not a field of a manifest"
        raise AdapterDamaged(directory, MANIFEST, problem, field=name)
    prototype, metrics = record["prototype"], record["metrics"]
    record["prototype"] = tuple(prototype) if isinstance(prototype, list) else prototype
    record["metrics"] = types.MappingProxyType(metrics) if isinstance(metrics, dict) else metrics
    return Manifest(**record)  # type: ignore[arg-type]  # every value is checked by `check_manifest`


def _object(directory: Path, file: str) -> dict[str, object]:
    try:
        found = json.loads(content_of(directory, file).decode())
    except (ValueError, RecursionError) as error:
        raise AdapterDamaged(directory, file, f"is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise AdapterDamaged(directory, file, "is not a JSON object")
    return found


def _identity(directory: Path) -> tuple[int, int, int] | None:
    """Which directory stands there now; None if none does. A freed number may be another one's the next moment."""
    try:
        status = directory.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_ctime_ns


def _whole(value: object, low: int, high: float) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond what a float can hold
        return False


def _positive(value: object) -> bool:
    return _number(value) and value > 0  # type: ignore[operator]  # a number by now


def _factor(value: object) -> bool:
    return _positive(value) and value <= LARGEST_FACTOR  # type: ignore[operator]  # a number by now


def _level(value: object) -> bool:
    return _number(value) and 0 <= value <= 1  # type: ignore[operator]  # a number by now


def _digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _words(value: object) -> bool:
    return isinstance(value, str) and value.strip() != "" and _encodable(value)


def _encodable(value: str) -> bool:
    """Whether a text is whole: JSON can hold half a character."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


_A_DIGEST: Final = (_digest, "64 hexadecimal digits")
_A_NAME: Final = (_words, "a name")
_RANGES: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    "name": (lambda v: isinstance(v, str) and _NAME.fullmatch(v) is not None, "1..128 letters, digits, `_`, `.`, `-`"),
    "digest": _A_DIGEST,
    "base_model": _A_NAME,
    "base_model_digest": _A_DIGEST,
    "prototype": (lambda v: isinstance(v, tuple) and len(v) == 4 and all(map(_level, v)), "four levels in [0, 1]"),
    "scale": (_factor, f"a number above 0 and at most {LARGEST_FACTOR:g}"),
    "scale_calibrated": (lambda v: isinstance(v, bool), "true or false"),
    "rank": (lambda v: _whole(v, 1, 128), "a whole number in 1..128"),
    "recipe": _A_NAME,
    "seed": (lambda v: _whole(v, 0, 2**64 - 1), "a whole number in 0..2^64-1"),
    "learning_rate": (_positive, "a number above 0"),
    "steps": (lambda v: _whole(v, 0, 2**63 - 1), "a whole number >= 0"),
    "data_digest": _A_DIGEST,
    "metrics": (
        lambda v: (
            isinstance(v, Mapping) and all(isinstance(k, str) and _encodable(k) and _number(x) for k, x in v.items())
        ),
        "finite numbers by name",
    ),
}
"""What every field must be."""
