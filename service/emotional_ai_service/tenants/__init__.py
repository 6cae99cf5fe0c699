"""Many tenants in one service: their sessions apart, what each may use, and what each changed.

store, engines, population      a tenant's part of the store, its engine, how many sessions it has
limits, meters, meter           the file of limits; what each tenant uses, held against them
usage                           what was used today, kept for the next start
accounts, ledger                what is put around every rpc; which of them change something
audit, audit_file               who changed what, and the file it is written to
errors                          what keeps a service from starting
"""

from emotional_ai_service.tenants.engines import Engines
from emotional_ai_service.tenants.store import TenantStore, owner_of

__all__ = ["Engines", "TenantStore", "owner_of"]
