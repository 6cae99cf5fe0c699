"""Flags of `emotional-ai serve`, a module for each part of the service: what may be given, and the settings it comes to.

address, fleet        where the service listens, and in how many processes
store, jobs           where sessions are kept, and training jobs
language, backend     which model speaks, and where it decodes
access, tenants       who may call, what each may use, who changed what
privacy, safety       what is kept, and how long; what replies must keep to
observing             metrics, traces, the log
duration, extra       spans of time as people write them; packages that a flag needs

Each has its flags as types for typer, a frozen dataclass of what was given, and a function that makes settings of it or raises
typer.BadParameter, naming the flag. Nothing but the command line knows them.
"""

from emotional_ai_service.flags import (
    access,
    address,
    backend,
    fleet,
    jobs,
    language,
    observing,
    privacy,
    safety,
    store,
    tenants,
)

__all__ = [
    "access",
    "address",
    "backend",
    "fleet",
    "jobs",
    "language",
    "observing",
    "privacy",
    "safety",
    "store",
    "tenants",
]
