"""The engine of the local Tinker-compatible server: torch alone, no HTTP, no clock.

engine        runs, samplers and checkpoints over one base model; one thread calls it
base          the frozen model, wearing one adapter at a time
adapter       a LoRA adapter as one flat vector
run           an adapter in training: gradient, optimizer, steps
passes        forward and backward over ragged data
losses        cross_entropy, importance_sampling, ppo
batching      ragged sequences in rectangles
optimizer     AdamW
sampling      prompts read and replies decoded together
scoring       log-probabilities of prompts
choosing      which token is next, and when a reply ends
cache         keys and values of replies decoded together
checkpoints   runs and checkpoints on disk
"""

from emotional_ai_training.tinker_server.engine.adapter import ALPHA, LoraSettings
from emotional_ai_training.tinker_server.engine.base import BaseModel, load_base, native_dtype
from emotional_ai_training.tinker_server.engine.checkpoints import CheckpointStore, expiry
from emotional_ai_training.tinker_server.engine.choosing import Choice, StopReason, Stops
from emotional_ai_training.tinker_server.engine.engine import Engine, Saving
from emotional_ai_training.tinker_server.engine.losses import Loss, LossName, loss_named
from emotional_ai_training.tinker_server.engine.optimizer import AdamParams
from emotional_ai_training.tinker_server.engine.passes import Datum, PassResult
from emotional_ai_training.tinker_server.engine.records import Checkpoint, RunRecord, adapter_config
from emotional_ai_training.tinker_server.engine.run import Run
from emotional_ai_training.tinker_server.engine.sampling import TOGETHER, Sampled, SampleRequest, SampleResult
from emotional_ai_training.tinker_server.engine.scoring import PromptScores, Scoring

__all__ = [
    "ALPHA",
    "TOGETHER",
    "AdamParams",
    "BaseModel",
    "Checkpoint",
    "CheckpointStore",
    "Choice",
    "Datum",
    "Engine",
    "LoraSettings",
    "Loss",
    "LossName",
    "PassResult",
    "PromptScores",
    "Run",
    "RunRecord",
    "SampleRequest",
    "SampleResult",
    "Sampled",
    "Saving",
    "Scoring",
    "StopReason",
    "Stops",
    "adapter_config",
    "expiry",
    "load_base",
    "loss_named",
    "native_dtype",
]
