"""The room `training`: start a job, watch it, stop it, have it go on.

What to read, in order: room, form (what is asked for), watched (a job as it goes), reports (what is told); then
training.js and its parts (browser).
"""

from emotional_ai.web.page.training.room import training

__all__ = ["training"]
