"""Trained adapters on disk: one directory each, `loras/NAME/`, in the form PEFT reads, with a manifest that says what it is.

manifest      Manifest: what an adapter is, read with its digest and ranges checked, written by publishing alone
weights       the tensors of an adapter: that they are whole, finite, and of a size that can be computed with
publishing    puts an adapter in place at once, so that a reader sees the old one or the new one, never half
registry      the adapters of a directory, in the fixed order of blends, cheap to ask for again and again
errors        what is refused
"""

from emotional_ai_training.adapters.errors import AdapterDamaged, AdapterError, NotPublished
from emotional_ai_training.adapters.manifest import CONFIG, Manifest, adapter_digest, check_config, load_manifest
from emotional_ai_training.adapters.publishing import check_writable, publish
from emotional_ai_training.adapters.registry import Listing, Registry, place_of
from emotional_ai_training.adapters.weights import WEIGHTS

__all__ = [
    "CONFIG",
    "WEIGHTS",
    "AdapterDamaged",
    "AdapterError",
    "Listing",
    "Manifest",
    "NotPublished",
    "Registry",
    "adapter_digest",
    "check_config",
    "check_writable",
    "load_manifest",
    "place_of",
    "publish",
]
