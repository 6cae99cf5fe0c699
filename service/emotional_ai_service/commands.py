"""Commands: `serve`, `run`, `models pull` and `tokens`. They read flags and environment, and nothing below them does."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer
from rich.console import Console

from emotional_ai.cli.reach import named_service
from emotional_ai_service.access.commands import tokens as tokens_app
from emotional_ai_service.beside import PageBeside, missing, page_beside
from emotional_ai_service.flags.access import (
    AccessFlags,
    InsecureNetwork,
    TlsCert,
    TlsClientCa,
    TlsKey,
    Tokens,
    access_of,
)
from emotional_ai_service.flags.backend import (
    BackendFlags,
    BackendKind,
    Format,
    Kind,
    KvMemory,
    Mode,
    Replies,
    Runtime,
    TinkerAdapters,
    TinkerModel,
    TinkerUrl,
    VllmBlends,
    VllmModel,
    VllmRank,
    VllmUrl,
    backend_of,
)
from emotional_ai_service.flags.observing import (
    Level,
    Log,
    LogSessions,
    Metrics,
    MetricsPublic,
    ObservingFlags,
    Otlp,
    observing_of,
)
from emotional_ai_service.flags.privacy import Retention, TransientSessions, privacy_of
from emotional_ai_service.flags.safety import Disclosure, DisclosureEvery, Guard, SafetyFlags, safety_of
from emotional_ai_service.flags.store import RedisUrl, RedisVolatile, StoreFlags, store_of
from emotional_ai_service.flags.tenants import (
    AuditFile,
    LimitsFile,
    Sync,
    TenancyFlags,
    UsageFile,
    WhenFull,
    audit_of,
    limits_of,
)
from emotional_ai_service.fleet.flags import Workers, fleet_of
from emotional_ai_service.settings import JobSettings, LanguageSettings, Settings, StoreKind
from emotional_ai_service.stores import TRANSIENT_SESSIONS, Durability
from emotional_ai_training.jobs import DEFAULT_TARGET
from emotional_ai_training.models import (
    DEFAULT_MODEL,
    ModelError,
    cache_dir,
    check_model_dir,
    default_model_dir,
    encoder_dir,
    pull_with_progress,
)

if TYPE_CHECKING:
    from emotional_ai_service.fleet import Plan
    from emotional_ai_service.server import Running

app = typer.Typer(rich_markup_mode=None)
models = typer.Typer(
    rich_markup_mode=None, help="Language models and the encoder of the appraiser.", no_args_is_help=True
)
app.add_typer(models, name="models")
app.add_typer(tokens_app, name="tokens")

READY: Final = "ready "
"""What `serve` prints, followed by its address, once it takes calls."""
DEFAULT_PORT: Final = 50051

Host = Annotated[
    str, typer.Option(help="Address to listen on; beyond this machine --tokens and --tls-cert are needed.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
Store = Annotated[StoreKind, typer.Option("--store", help="Where the logs of sessions are kept.")]
Database = Annotated[
    Path | None, typer.Option("--db", help="SQLite file. Default: ~/.local/state/emotional-ai/sessions.db")
]
Durable = Annotated[
    Durability, typer.Option(help="What an acknowledged stimulus survives: the process, or loss of power too.")
]
Model = Annotated[
    Path | None,
    typer.Option(
        "--model", envvar="EMOTIONAL_AI_MODEL", help="Llama-architecture checkpoint directory. Default: the pulled one."
    ),
]
Threads = Annotated[
    int, typer.Option(min=0, max=256, help="Threads of the language model; 0 leaves one processor to the engine.")
]
JobsDir = Annotated[
    Path | None,
    typer.Option(
        "--jobs",
        metavar="DIR",
        help="Where training jobs are kept. Default: FILE.jobs with --db FILE, else ~/.local/state/emotional-ai/jobs",
    ),
]
LorasDir = Annotated[Path, typer.Option("--loras", metavar="DIR", help="Trained adapters, published and listed.")]
BaseModel = Annotated[
    str,
    typer.Option(
        "--base-model",
        envvar="MODEL_NAME",
        help="Base model of training jobs that name none. Default: the model at hand, or the only one TINKER_API_KEY opens.",
    ),
]
JobTarget = Annotated[str, typer.Option("--job-target", hidden=True, help="What runs a training job: module:function.")]
WithParent = Annotated[bool, typer.Option("--with-parent", hidden=True, help="Ends when standard input does.")]
EngineOnly = Annotated[
    bool, typer.Option("--engine-only", help="Serve the emotion engine without language: no model is loaded.")
]


@models.command("pull")
def models_pull() -> None:
    """Fetches the default model and the encoder into the cache, checks them, and converts what needs it. Safe to repeat."""
    cache = cache_dir(os.environ)
    try:
        pull_with_progress(Console(stderr=True), cache)
    except ModelError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{cache} cannot hold models: {error}; choose another place with EMOTIONAL_AI_CACHE")
    typer.echo(f"models are in {cache}")


@app.command()
def serve(
    ctx: typer.Context,
    host: Host = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    workers: Workers = 1,
    store: Store = StoreKind.SQLITE,
    db: Database = None,
    durability: Durable = Durability.PROCESS,
    redis_url: RedisUrl = None,
    redis_volatile: RedisVolatile = False,
    model: Model = None,
    threads: Threads = 0,
    engine_only: EngineOnly = False,
    jobs: JobsDir = None,
    loras: LorasDir = Path("loras"),
    base_model: BaseModel = "",
    backend: Kind = BackendKind.LOCAL,
    runtime: Runtime = None,
    precision: Format = None,
    max_replies: Replies = None,
    kv_memory: KvMemory = None,
    vllm_url: VllmUrl = None,
    vllm_model: VllmModel = None,
    vllm_adapters: VllmBlends = None,
    vllm_max_rank: VllmRank = None,
    tinker_url: TinkerUrl = None,
    tinker_model: TinkerModel = None,
    tinker_adapters: TinkerAdapters = None,
    blend_mode: Mode = None,
    safeguard: Guard = None,
    disclosure: Disclosure = None,
    disclosure_every: DisclosureEvery = None,
    tokens: Tokens = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_client_ca: TlsClientCa = None,
    insecure_network: InsecureNetwork = False,
    metrics: Metrics = None,
    metrics_public: MetricsPublic = False,
    otlp: Otlp = None,
    log: Log = None,
    log_level: Level = None,
    log_sessions: LogSessions = False,
    limits: LimitsFile = None,
    usage: UsageFile = None,
    audit: AuditFile = None,
    audit_when_full: WhenFull = None,
    audit_sync: Sync = None,
    retention: Retention = None,
    transient_sessions: TransientSessions = TRANSIENT_SESSIONS,
    job_target: JobTarget = DEFAULT_TARGET,
    with_parent: WithParent = False,
) -> None:
    """Serves until it is told to stop (SIGTERM or Ctrl-C)."""
    flags = BackendFlags(
        runtime=runtime,
        precision=precision,
        max_replies=max_replies,
        kv_memory=kv_memory,
        vllm_url=vllm_url,
        vllm_model=vllm_model,
        vllm_adapters=vllm_adapters,
        vllm_max_rank=vllm_max_rank,
        tinker_url=tinker_url,
        tinker_model=tinker_model,
        tinker_adapters=tinker_adapters,
        blend_mode=blend_mode,
    )
    careful = SafetyFlags(safeguard=safeguard, disclosure=disclosure, disclosure_every=disclosure_every)
    if engine_only and careful.any_given:
        raise typer.BadParameter(
            "serves no language, so a guard or a disclosure has no use", param_hint="--engine-only"
        )
    safety = safety_of(careful)
    if engine_only and (backend is not BackendKind.LOCAL or flags.any_given):
        raise typer.BadParameter("serves no language, so flags of a backend have no use", param_hint="--engine-only")
    if loras.exists() and not loras.is_dir():
        raise typer.BadParameter(f"{loras} is not a directory", param_hint="--loras")
    access = access_of(
        AccessFlags(
            tokens=tokens,
            tls_cert=tls_cert,
            tls_key=tls_key,
            tls_client_ca=tls_client_ca,
            insecure_network=insecure_network,
        )
    )
    observing = observing_of(
        ObservingFlags(
            metrics=metrics,
            metrics_public=metrics_public,
            otlp=otlp,
            log=log,
            log_level=log_level,
            log_sessions=log_sessions,
        )
    )
    try:
        language = None if engine_only else _language(model, threads, backend, flags)
    except ModelError as error:
        _fail(str(error))
    if model is not None:
        os.environ["EMOTIONAL_AI_MODEL"] = str(model.resolve())  # jobs train the model that is served
    tenancy = TenancyFlags(
        limits=limits, usage=usage, audit=audit, audit_when_full=audit_when_full, audit_sync=audit_sync
    )
    settings = Settings(
        host=host,
        port=port,
        store=store_of(
            store,
            StoreFlags(redis_url=redis_url, redis_volatile=redis_volatile),
            _database(db, store),
            durability,
            os.environ,
        ),
        language=language,
        jobs=JobSettings(
            (jobs or _jobs_dir(db)).resolve(), loras.resolve(), base_model or _base_model(model), job_target
        ),
        access=access,
        observing=observing,
        safety=safety,
        privacy=privacy_of(retention, transient_sessions),
        limits=limits_of(tenancy, port, db, _state_dir()),
        audit=audit_of(tenancy),
    )
    if plans := fleet_of(workers, settings, ctx):
        _serve_fleet(plans, settings, with_parent=with_parent)
    else:
        _serve(settings, with_parent=with_parent)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    ctx: typer.Context,
    session: Annotated[str, typer.Option(help="Session to talk to; made if it does not exist.")] = "default",
    port: Port = DEFAULT_PORT,
    db: Database = None,
    model: Model = None,
    web: Annotated[bool, typer.Option("--web/--no-web", help="Serve the page too, beside the conversation.")] = True,
    web_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 8080,
) -> None:
    """Starts the service, holds a conversation with it (see `chat`), and stops it again. A page of it is served meanwhile.

    Options it does not know go to the service as they are: `serve --help` lists them.
    """
    command = [sys.executable, "-m", "emotional_ai", "serve", "--with-parent", "--port", str(port)]
    command += [*(("--db", str(db)) if db else ()), *(("--model", str(model)) if model else ()), *ctx.args]
    told = {**os.environ, **named_service(ctx).credentials.environment()}
    console = Console(stderr=True, highlight=False)
    console.print("starting the service ...")
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, start_new_session=True
        ) as service,
        ExitStack() as beside,
    ):
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, _: sys.exit(128 + number))  # So that the service is stopped below.
        try:
            # The page loads while the service does, where its address is known before.
            known = port != 0 and not any(argument.startswith("--host") for argument in ctx.args)
            page = _page(beside, f"127.0.0.1:{port}", session, web_port, told) if web and known else None
            address = _address(service)
            if web and not known:
                page = _page(beside, address, session, web_port, told)
            if page is not None:
                console.print(page.told() if isinstance(page, PageBeside) else page, soft_wrap=True)
            signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C belongs to the conversation.
            chat = [sys.executable, "-m", "emotional_ai", "--target", address, "chat", "--session", session]
            status = subprocess.run(chat, check=False, env=told).returncode
        finally:
            service.terminate()
            service.communicate()
    raise typer.Exit(status)


def _page(beside: ExitStack, target: str, session: str, port: int, told: Mapping[str, str]) -> PageBeside | str:
    """The page, or why there is none."""
    return missing() or beside.enter_context(page_beside(target, session, port, told))


def _address(service: "subprocess.Popen[str]") -> str:
    """Waits for the service to take calls; its own message stands if it ends instead."""
    assert service.stdout is not None
    for line in service.stdout:
        if line.startswith(READY):
            return line.removeprefix(READY).strip()
    raise typer.Exit(service.wait() or 1)


def _base_model(model: Path | None) -> str:
    """What jobs train: the embedded server names a model by its directory; another server's line-up is not known here."""
    if os.environ.get("TINKER_API_KEY"):
        return ""
    return model.resolve().name if model else DEFAULT_MODEL.name


def _language(model: Path | None, threads: int, kind: BackendKind, flags: BackendFlags) -> LanguageSettings:
    cache = cache_dir(os.environ)
    if kind is BackendKind.TINKER:  # the weights lie on the server, here is the tokenizer alone
        tokenizer = os.environ.get("MODEL_TOKENIZER")
        chosen = model or (Path(tokenizer) if tokenizer else default_model_dir(cache))
    else:
        chosen = check_model_dir(model) if model else default_model_dir(cache)
    return LanguageSettings(
        model_dir=chosen,
        encoder_dir=encoder_dir(cache),
        cache_dir=cache,
        threads=threads,
        backend=backend_of(kind, flags, chosen, _state_dir(), os.environ),
    )


def _database(chosen: Path | None, kind: StoreKind) -> Path:
    path = chosen or _state_dir() / "sessions.db"
    if kind is StoreKind.SQLITE and chosen is None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            _fail(f"{path.parent} cannot be made: {error}; name a file with --db, or use --store memory")
    return path


def _jobs_dir(database: Path | None) -> Path:
    return database.with_name(database.name + ".jobs") if database else _state_dir() / "jobs"


def _state_dir() -> Path:
    return Path.home() / ".local" / "state" / "emotional-ai"


def _serve(settings: Settings, *, with_parent: bool) -> None:
    import uvloop

    from emotional_ai_service.access import AccessUnusable
    from emotional_ai_service.decoding.tinker.errors import TinkerStartFailed
    from emotional_ai_service.observing.bare import log_bare
    from emotional_ai_service.observing.endpoint import MetricsUnservable
    from emotional_ai_service.observing.logs import log_to_stderr
    from emotional_ai_service.server import AddressInUse
    from emotional_ai_service.server import run as run_server
    from emotional_ai_service.stores import StoreError
    from emotional_ai_service.tenants.errors import TenantsUnusable
    from emotional_ai_service.workers import WorkerStartFailed

    if settings.observing.log is None:
        log_bare()
    else:
        log_to_stderr(settings.observing.log)
    try:
        uvloop.run(run_server(settings, _tell_ready, sys.stdin.buffer if with_parent else None))
    except (AccessUnusable, AddressInUse, MetricsUnservable, StoreError, WorkerStartFailed, TinkerStartFailed) as error:
        _fail(str(error))
    except TenantsUnusable as error:
        _fail(str(error))
    except asyncio.CancelledError:
        _fail("stopped before it took calls")


def _serve_fleet(plans: "Sequence[Plan]", settings: Settings, *, with_parent: bool) -> None:
    import uvloop

    from emotional_ai_service.fleet import FleetStartFailed, run
    from emotional_ai_service.observing.logs import log_to_stderr

    if settings.observing.log is not None:
        log_to_stderr(settings.observing.log)
    try:
        uvloop.run(run(plans, lambda line: print(line, flush=True), sys.stdin.buffer if with_parent else None))  # noqa: T201
    except* FleetStartFailed as group:
        _fail(str(group.exceptions[0]))


def _tell_ready(running: "Running") -> None:
    print(READY + running.address, flush=True)  # noqa: T201
    if running.metrics:
        print(f"metrics {running.metrics}", flush=True)  # noqa: T201


def _fail(message: str) -> NoReturn:
    typer.echo(f"emotional-ai: {message}", err=True)
    raise typer.Exit(1)
