"""The flags of limits and of the audit log become settings; what has no use is refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import typer

from emotional_ai_service.flags.tenants import TenancyFlags, audit_of, limits_of
from emotional_ai_service.places import state_dir, usage_file
from emotional_ai_service.settings import AuditSettings, AuditSync, AuditWhenFull, LimitSettings

NONE = TenancyFlags(limits=None, usage=None, audit=None, audit_when_full=None, audit_sync=None)
BY_DEFAULT = Path("/state/usage.json")


def test_without_flags_nobody_is_limited_and_nothing_written() -> None:
    assert limits_of(NONE, BY_DEFAULT) is None
    assert audit_of(NONE) is None


def test_what_is_used_is_kept_beside_the_database_or_by_the_port() -> None:
    flags = replace(NONE, limits=Path("/etc/limits.toml"))
    limits = Path("/etc/limits.toml")
    assert limits_of(flags, BY_DEFAULT) == LimitSettings(limits, BY_DEFAULT)
    assert limits_of(replace(flags, usage=Path("/var/usage")), BY_DEFAULT) == LimitSettings(limits, Path("/var/usage"))
    assert usage_file(None, 50051) == state_dir() / "usage-50051.json"
    assert usage_file(Path("/data/agents.db"), 50051) == Path("/data/agents.db.usage")


def test_an_audit_log_refuses_when_full_and_is_forced_each_second_unless_told_otherwise() -> None:
    flags = replace(NONE, audit=Path("/var/audit.log"))
    assert audit_of(flags) == AuditSettings(Path("/var/audit.log"), AuditWhenFull.REFUSE, AuditSync.SECOND)
    other = replace(flags, audit_when_full=AuditWhenFull.SERVE, audit_sync=AuditSync.EACH)
    assert audit_of(other) == AuditSettings(Path("/var/audit.log"), AuditWhenFull.SERVE, AuditSync.EACH)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (replace(NONE, usage=Path("/u")), "nothing is counted without --limits"),
        (replace(NONE, audit_sync=AuditSync.EACH), "no audit log without --audit"),
        (replace(NONE, audit_when_full=AuditWhenFull.REFUSE), "no audit log without --audit"),
    ],
)
def test_a_flag_that_has_no_use_is_refused(flags: TenancyFlags, words: str) -> None:
    def both() -> None:
        limits_of(flags, BY_DEFAULT)
        audit_of(flags)

    with pytest.raises(typer.BadParameter, match=words):
        both()
