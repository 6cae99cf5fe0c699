"""`emotional-ai doctor`: flags and environment into settings, every look in order, and an exit status."""

import json
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from emotional_ai.cli.reach import named_service
from emotional_ai.connection import DEFAULT_TARGET, is_local
from emotional_ai.credentials import Credentials
from emotional_ai.targets import addresses
from emotional_ai_service.doctor import installation, machine
from emotional_ai_service.doctor.finding import Finding, Standing, looked, ok
from emotional_ai_service.doctor.settings import DoctorSettings
from emotional_ai_service.places import jobs_dir, sessions_file

app = typer.Typer(rich_markup_mode=None)
READ: Final = (
    "EMOTIONAL_AI_CACHE",
    "EMOTIONAL_AI_MODEL",
    "MODEL_NAME",
    "MODEL_TOKENIZER",
    "TINKER_API_KEY",
    "TINKER_BASE_URL",
    "TINKER_SAMPLE_PRICE",
    "TINKER_TRAIN_PRICE",
)
"""Variables that are looked at, beside those that flags are read from."""


class Kept(StrEnum):
    """Where sessions are kept."""

    MEMORY = "memory"
    SQLITE = "sqlite"
    REDIS = "redis"


EngineOnly = Annotated[bool, typer.Option("--engine-only", help="Look only at what a service without language needs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Model = Annotated[Path | None, typer.Option("--model", envvar="EMOTIONAL_AI_MODEL", help="As serve.")]
Loras = Annotated[Path, typer.Option("--loras", metavar="DIR", help="As serve.")]
Jobs = Annotated[Path | None, typer.Option("--jobs", metavar="DIR", help="As serve.")]
Store = Annotated[Kept, typer.Option("--store", help="As serve.")]
Db = Annotated[Path | None, typer.Option("--db", metavar="FILE", help="As serve.")]
RedisUrl = Annotated[str, typer.Option("--redis-url", envvar="EMOTIONAL_AI_REDIS_URL", metavar="URL", help="As serve.")]
RedisVolatile = Annotated[bool, typer.Option("--redis-volatile", help="As serve.")]
Host = Annotated[str, typer.Option("--host", help="As serve.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65535, help="As serve.")]
WebPort = Annotated[int, typer.Option("--web-port", min=1, max=65535, help="As run.")]
TokensFile = Annotated[Path | None, typer.Option("--tokens", metavar="FILE", help="As serve.")]
Cert = Annotated[Path | None, typer.Option("--tls-cert", metavar="FILE", help="As serve.")]
Key = Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="As serve.")]
ClientCa = Annotated[Path | None, typer.Option("--tls-client-ca", metavar="FILE", help="As serve.")]


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def doctor(
    ctx: typer.Context,
    engine_only: EngineOnly = False,
    host: Host = "127.0.0.1",
    port: Port = 50051,
    web_port: WebPort = 8080,
    store: Store = Kept.SQLITE,
    db: Db = None,
    redis_url: RedisUrl = "",
    redis_volatile: RedisVolatile = False,
    model: Model = None,
    loras: Loras = Path("loras"),
    jobs: Jobs = None,
    tokens: TokensFile = None,
    tls_cert: Cert = None,
    tls_key: Key = None,
    tls_client_ca: ClientCa = None,
    as_json: AsJson = False,
) -> None:
    """Look an installation over, and say of whatever is not right what mends it. Give it the flags that `serve` gets; of those
    it does not know it says so.

    Exit status: 0, or 1 where something is wrong. Nothing is changed.
    """
    for flag in ("redis_url", "redis_volatile") if store is not Kept.REDIS else ():
        source = ctx.get_parameter_source(flag)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter("belongs to --store redis", param_hint=f"--{flag.replace('_', '-')}")
    settings = DoctorSettings(
        model=model,
        loras=loras,
        jobs=jobs or jobs_dir(db),
        db=None if store is Kept.MEMORY else db or sessions_file(),
        redis_url=(redis_url or "redis://127.0.0.1:6379/0") if store is Kept.REDIS else "",
        redis_volatile=redis_volatile,
        host=host,
        port=port,
        web_port=web_port,
        engine_only=engine_only,
        tokens=tokens,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        environ={name: os.environ[name] for name in READ if name in os.environ},
    )
    service = named_service(ctx)
    named = service.target if service.target != DEFAULT_TARGET else ""
    found = findings(settings, named or f"{_reached(host)}:{port}", service.credentials)
    if unknown := [one.partition("=")[0] for one in ctx.args if one.startswith("-")]:
        found.append(ok("other flags", f"not looked at: {', '.join(unknown)}"))
    typer.echo(as_object(found) if as_json else as_text(found))
    raise typer.Exit(int(any(one.standing is Standing.WRONG for one in found)))


def findings(settings: DoctorSettings, target: str, credentials: Credentials) -> list[Finding]:
    """Everything that was found, in the order of looking."""
    from emotional_ai_service.doctor import access, models, places, running, training

    asked = running.running(target, credentials)
    ours = asked.answers and _leads(target, settings)
    engine = [
        *looked("python", installation.python),
        *looked("packages", lambda: installation.packages(engine_only=settings.engine_only)),
    ]
    language = (
        []
        if settings.engine_only
        else [
            *looked("models", lambda: models.models(settings)),
            *looked("adapters", lambda: models.adapters(settings)),
        ]
    )
    return [
        *engine,
        *language,
        *looked("machine", lambda: _machine(settings)),
        *looked("store", lambda: places.store(settings)),
        *looked("directories", lambda: places.directories(settings)),
        *looked("access", lambda: access.access(settings)),
        *looked("training", lambda: training.training(settings)),
        *asked.findings,
        *(looked("health", lambda: running.health(target, credentials)) if asked.answers else ()),
        *looked("port", lambda: places.port(settings, ours=ours)),
        *([] if settings.engine_only else looked("port of the page", lambda: places.page_port(settings))),
    ]


def _reached(host: str) -> str:
    """By which name this machine reaches what listens there."""
    return "localhost" if host in ("0.0.0.0", "::", "[::]") else host  # noqa: S104  # nothing listens here


def _leads(target: str, settings: DoctorSettings) -> bool:
    """Whether a target is the service of the settings, under whichever name of this machine."""
    here = f"{settings.host}:{settings.port}"
    return any(one == here or (is_local(one) and one.endswith(f":{settings.port}")) for one in addresses(target))


def _machine(settings: DoctorSettings) -> Sequence[Finding]:
    from emotional_ai_training.models import cpu_description

    place = settings.db.absolute().parent if settings.db else Path.cwd()
    return [
        *machine.processor(cpu_description(), machine.processors()),
        *machine.memory(Path("/proc/meminfo").read_text(encoding="ascii"), engine_only=settings.engine_only),
        *machine.disk(place),
        *machine.files(),
        *machine.clock(),
    ]


def as_text(found: Sequence[Finding]) -> str:
    """A line for each finding, what mends it below, and the sum of it all."""
    width = max(len(one.subject) for one in found)
    lines = []
    for one in found:
        lines.append(f"{one.standing.value:5} {one.subject:{width}}  {one.said}")
        if one.mend:
            lines.append(f"{'':5} {'':{width}}  -> {one.mend}")
    counts = {standing: sum(one.standing is standing for one in found) for standing in Standing}
    lines.append(f"{counts[Standing.OK]} ok, {counts[Standing.WARN]} to be looked to, {counts[Standing.WRONG]} wrong")
    return "\n".join(lines)


def as_object(found: Sequence[Finding]) -> str:
    """The same for programs."""
    listed = [
        {"subject": one.subject, "standing": one.standing.value, "said": one.said, "mend": one.mend} for one in found
    ]
    return json.dumps({"ok": all(one.standing is not Standing.WRONG for one in found), "findings": listed}, indent=2)
