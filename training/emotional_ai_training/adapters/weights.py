"""The tensors of an adapter, checked before it is published or spoken with: a safetensors file, whole, of LoRA matrices.

Numbers must be finite, and no greater than any training leaves: replies under other blends are computed beside an adapter's,
with a weight of 0, and 0 times what overflows is no number.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotional_ai_training.adapters.errors import AdapterDamaged

WEIGHTS: Final = "adapter_model.safetensors"
GREATEST_EXPONENT: Final = 30
"""Numbers are below 2 to this power."""
_FORMATS: Final[Mapping[str, tuple[str, int, int, int]]] = {
    "F64": ("<u8", 0x7FF << 52, 52, 1023),
    "F32": ("<u4", 0xFF << 23, 23, 127),
    "F16": ("<u2", 0x1F << 10, 10, 15),
    "BF16": ("<u2", 0xFF << 7, 7, 127),
}
"""Type of the bits, mask of the exponent, its place and its bias, by the file's name of a number format."""


def sound_weights(directory: Path) -> bytes:
    """The file of weights. Raises AdapterDamaged unless it holds LoRA matrices of numbers that can be computed with."""
    content = content_of(directory, WEIGHTS)
    try:
        tensors = _tensors(content)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise AdapterDamaged(directory, WEIGHTS, f"is not a whole safetensors file: {error}") from error
    if not any(".lora_A." in name for name in tensors) or not any(".lora_B." in name for name in tensors):
        raise AdapterDamaged(directory, WEIGHTS, "holds no LoRA matrices")
    for name, (bits, (_, mask, place, bias)) in tensors.items():
        exponents = bits & bits.dtype.type(mask)
        if (exponents == mask).any():
            raise AdapterDamaged(directory, WEIGHTS, "holds numbers that are not finite", field=name)
        if (exponents >> bits.dtype.type(place)).max(initial=0) >= bias + GREATEST_EXPONENT:
            raise AdapterDamaged(directory, WEIGHTS, f"holds numbers of 2^{GREATEST_EXPONENT} or more", field=name)
    return content


def content_of(directory: Path, file: str) -> bytes:
    """The bytes of an adapter's file. Raises AdapterDamaged where there is none, or none that ends, such as a pipe."""
    path = directory / file
    try:
        if path.exists() and not path.is_file():
            raise AdapterDamaged(directory, file, "is not a file")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise AdapterDamaged(directory, file, "is missing") from error
    except OSError as error:
        raise AdapterDamaged(directory, file, f"cannot be read: {error.strerror}") from error


def _tensors(content: bytes) -> dict[str, tuple[NDArray[np.unsignedinteger], tuple[str, int, int, int]]]:
    """Bits of each tensor and their format. Raises ValueError, KeyError or TypeError for what is no such file."""
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] not in _FORMATS:
            raise ValueError(f"{name} is of {entry['dtype']}; known are {', '.join(_FORMATS)}")
        form = _FORMATS[entry["dtype"]]
        kind = form[0]
        first, last = entry["data_offsets"]
        data = content[begin + first : begin + last]
        if len(data) != last - first or len(data) != np.dtype(kind).itemsize * np.prod(entry["shape"], dtype=np.int64):
            raise ValueError(f"{name} is cut short")
        tensors[name] = (np.frombuffer(data, kind), form)
    return tensors
