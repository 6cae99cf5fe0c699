"""Flags of the command line for limits and the audit log."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from emotional_ai_service.settings import AuditSettings, AuditSync, AuditWhenFull, LimitSettings

LimitsFile = Annotated[
    Path | None,
    typer.Option("--limits", metavar="FILE", help="What each tenant may use, in TOML; read again when it changes."),
]
UsageFile = Annotated[
    Path | None,
    typer.Option(
        "--usage",
        metavar="FILE",
        help="Where what tenants used today is kept. Default: FILE.usage with --db FILE, else "
        "~/.local/state/emotional-ai/usage-PORT.json",
    ),
]
AuditFile = Annotated[
    Path | None,
    typer.Option(
        "--audit", metavar="FILE", help="Write who changed what to the end of this file, a line of JSON each."
    ),
]
WhenFull = Annotated[
    AuditWhenFull | None,
    typer.Option(
        "--audit-when-full",
        help="While the audit log cannot be written: refuse calls that change something, or serve them and lose lines.",
        show_default="refuse",
    ),
]
Sync = Annotated[
    AuditSync | None,
    typer.Option(
        "--audit-sync",
        help="Force lines to the disk within a second, or each before its call is answered.",
        show_default="second",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TenancyFlags:
    """What was given; None for what was not."""

    limits: Path | None
    usage: Path | None
    audit: Path | None
    audit_when_full: AuditWhenFull | None
    audit_sync: AuditSync | None


def limits_of(flags: TenancyFlags, usage: Path) -> LimitSettings | None:
    """What tenants may use, `usage` being where it is kept unless a flag says so; None if nobody is limited.

    Raises typer.BadParameter for a flag that has no use.
    """
    if flags.limits is None:
        if flags.usage is not None:
            raise typer.BadParameter("nothing is counted without --limits", param_hint="--usage")
        return None
    return LimitSettings(flags.limits.resolve(), (flags.usage or usage).resolve())


def audit_of(flags: TenancyFlags) -> AuditSettings | None:
    """Where it is written who changed what; None for nowhere. Raises typer.BadParameter for a flag that has no use."""
    if flags.audit is None:
        for name, given in (("--audit-when-full", flags.audit_when_full), ("--audit-sync", flags.audit_sync)):
            if given is not None:
                raise typer.BadParameter("there is no audit log without --audit", param_hint=name)
        return None
    return AuditSettings(
        flags.audit.resolve(), flags.audit_when_full or AuditWhenFull.REFUSE, flags.audit_sync or AuditSync.SECOND
    )
