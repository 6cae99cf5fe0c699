"""Several processes of the service on one host, over one store: started, pinned, kept alive, renewed one after another.

plan        which processes there are: command, port, processors
replica     one of them, started again when it dies
supervisor  all of them: signals, rolling restart, the end

Each listens on a port of its own, and clients spread their calls over them (`emotional_ai.targets`). One port for all, by
SO_REUSEPORT, would spread connections and not calls: a client has one connection, the kernel places it by a hash, and what
waits at a process that ends is reset.
"""

from emotional_ai_service.fleet.plan import Plan, arguments, planned
from emotional_ai_service.fleet.supervisor import FleetStartFailed, run

__all__ = ["FleetStartFailed", "Plan", "arguments", "planned", "run"]
