"""The tensors of an adapter, checked before they are published: a safetensors file, whole, of LoRA matrices, all finite."""

import json
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.adapters.errors import AdapterDamaged

WEIGHTS: Final = "adapter_model.safetensors"
_EXPONENTS: Final = {
    "F64": ("<u8", 0x7FF << 52),
    "F32": ("<u4", 0xFF << 23),
    "F16": ("<u2", 0x1F << 10),
    "BF16": ("<u2", 0xFF << 7),
}
"""Type of the bits and mask of the exponent, by the file's name of a number format; all bits set mean not finite."""


def check_weights(directory: Path) -> None:
    """Raises AdapterDamaged unless `directory` holds LoRA matrices whose every number is finite."""
    try:
        content = (directory / WEIGHTS).read_bytes()
    except OSError as error:
        raise AdapterDamaged(directory, WEIGHTS, f"cannot be read: {error.strerror}") from error
    try:
        tensors = _tensors(content)
    except (ValueError, KeyError, TypeError) as error:
        raise AdapterDamaged(directory, WEIGHTS, f"is not a whole safetensors file: {error}") from error
    if not any(".lora_A." in name for name in tensors) or not any(".lora_B." in name for name in tensors):
        raise AdapterDamaged(directory, WEIGHTS, "holds no LoRA matrices")
    for name, (bits, exponent) in tensors.items():
        if ((bits & exponent) == exponent).any():
            raise AdapterDamaged(directory, WEIGHTS, "holds numbers that are not finite", field=name)


def _tensors(content: bytes) -> dict[str, tuple[NDArray[np.unsignedinteger], int]]:
    """Bits of each tensor and the mask of their exponent. Raises ValueError, KeyError or TypeError for what is no such file."""
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        kind, exponent = _EXPONENTS[entry["dtype"]]
        first, last = entry["data_offsets"]
        data = content[begin + first : begin + last]
        if len(data) != last - first or len(data) != np.dtype(kind).itemsize * np.prod(entry["shape"], dtype=np.int64):
            raise ValueError(f"{name} is cut short")
        bits = np.frombuffer(data, kind)
        tensors[name] = (bits, bits.dtype.type(exponent))
    return tensors
