"""A local server that speaks the Tinker API of the SDK 0.38, so that training needs no account and no network.

commands      flags and environment into settings
process       the server as a child of our own commands
serving       socket, lock, model, web server
application   routes; access (the key, errors as statuses) and bodies beside it
service       the parts put together
training      requests of training clients; sampling: of samplers; archive: of what is stored
desk          promises: accepted once, bounded, in turn; futures, turns, sessions, replies beside it
compute       the one thread that computes
wire          the SDK's messages to the engine's values, and back
engine/       runs, losses, sampling, checkpoints; importable by itself
names         what clients may call a checkpoint
settings, errors, allocator
"""

from emotional_ai_training.tinker_server.errors import NotServable, ServerStartFailed, TinkerServerError
from emotional_ai_training.tinker_server.process import LocalServer
from emotional_ai_training.tinker_server.settings import Device, Dtype, ServerSettings, new_key

__all__ = [
    "Device",
    "Dtype",
    "LocalServer",
    "NotServable",
    "ServerSettings",
    "ServerStartFailed",
    "TinkerServerError",
    "new_key",
]
