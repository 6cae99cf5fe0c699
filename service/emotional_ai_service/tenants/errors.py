"""What keeps a service with limits or an audit log from starting.

TenantsUnusable
+-- LimitsUnusable    the file of limits cannot be read, or says what it cannot
+-- UsageUnusable     the file in which the day's use is kept cannot be read, or is another service's
+-- AuditUnusable     the audit log cannot be written
"""

from pathlib import Path


class TenantsUnusable(Exception):
    """Base of these errors."""


class LimitsUnusable(TenantsUnusable):
    """The file of limits cannot be read, or says what it cannot."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"the file of limits {path}: {problem}")


class UsageUnusable(TenantsUnusable):
    """The file in which the day's use is kept cannot be read, or is another service's."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"the file of what tenants used today, {path}, {problem}")


class AuditUnusable(TenantsUnusable):
    """The audit log cannot be written."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"the audit log {path} cannot be written: {problem}; name another file with --audit")
