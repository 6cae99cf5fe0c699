"""Many tenants in one service: their sessions apart, what each may use, and what each changed.

store      the part of a store that is one tenant's
engines    one engine for each tenant
"""

from emotional_ai_service.tenants.engines import Engines
from emotional_ai_service.tenants.store import TenantStore, owner_of

__all__ = ["Engines", "TenantStore", "owner_of"]
