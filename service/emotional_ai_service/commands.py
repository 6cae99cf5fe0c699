"""Commands: `serve`, `run`, `models pull` and `tokens`. They read flags and environment, and nothing below them does."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from emotional_ai.cli.reach import named_service
from emotional_ai_service import flags
from emotional_ai_service.failure import fail
from emotional_ai_service.launch import READY, serve_fleet, serve_here
from emotional_ai_service.page_beside import PageBeside, missing, page_beside
from emotional_ai_service.places import PlaceUnusable, usage_file
from emotional_ai_service.room import LIVE_SESSIONS
from emotional_ai_service.settings import Settings, StoreKind
from emotional_ai_service.stores import TRANSIENT_SESSIONS, Durability
from emotional_ai_service.token_commands import tokens as tokens_app
from emotional_ai_training.jobs import DEFAULT_TARGET
from emotional_ai_training.models import ModelError, cache_dir, pull_with_progress

app = typer.Typer(rich_markup_mode=None)
models = typer.Typer(
    rich_markup_mode=None, help="Language models and the encoder of the appraiser.", no_args_is_help=True
)
app.add_typer(models, name="models")
app.add_typer(tokens_app, name="tokens")


@models.command("pull")
def models_pull() -> None:
    """Fetches the default model and the encoder into the cache, checks them, and converts what needs it. Safe to repeat."""
    cache = cache_dir(os.environ)
    try:
        pull_with_progress(Console(stderr=True), cache)
    except ModelError as error:
        fail(error)
    except OSError as error:
        fail(f"{cache} cannot hold models: {error}; choose another place with EMOTIONAL_AI_CACHE")
    typer.echo(f"models are in {cache}")


@app.command()
def serve(
    ctx: typer.Context,
    host: flags.address.Host = "127.0.0.1",
    port: flags.address.Port = flags.address.DEFAULT_PORT,
    workers: flags.fleet.Workers = 1,
    store: flags.store.Store = StoreKind.SQLITE,
    db: flags.store.Database = None,
    durability: flags.store.Durable = Durability.PROCESS,
    redis_url: flags.store.RedisUrl = None,
    redis_volatile: flags.store.RedisVolatile = False,
    live_sessions: flags.store.LiveSessions = LIVE_SESSIONS,
    model: flags.language.Model = None,
    threads: flags.language.Threads = 0,
    engine_only: flags.language.EngineOnly = False,
    jobs: flags.jobs.JobsDir = None,
    loras: flags.jobs.LorasDir = Path("loras"),
    base_model: flags.jobs.BaseModel = "",
    backend: flags.backend.Kind = flags.backend.BackendKind.LOCAL,
    runtime: flags.backend.Runtime = None,
    precision: flags.backend.Format = None,
    max_replies: flags.backend.Replies = None,
    kv_memory: flags.backend.KvMemory = None,
    vllm_url: flags.backend.VllmUrl = None,
    vllm_model: flags.backend.VllmModel = None,
    vllm_adapters: flags.backend.VllmBlends = None,
    vllm_max_rank: flags.backend.VllmRank = None,
    tinker_url: flags.backend.TinkerUrl = None,
    tinker_model: flags.backend.TinkerModel = None,
    tinker_adapters: flags.backend.TinkerAdapters = None,
    blend_mode: flags.backend.Mode = None,
    safeguard: flags.safety.Guard = None,
    disclosure: flags.safety.Disclosure = None,
    disclosure_every: flags.safety.DisclosureEvery = None,
    tokens: flags.access.Tokens = None,
    tls_cert: flags.access.TlsCert = None,
    tls_key: flags.access.TlsKey = None,
    tls_client_ca: flags.access.TlsClientCa = None,
    insecure_network: flags.access.InsecureNetwork = False,
    metrics: flags.observing.Metrics = None,
    metrics_public: flags.observing.MetricsPublic = False,
    otlp: flags.observing.Otlp = None,
    log: flags.observing.Log = None,
    log_level: flags.observing.Level = None,
    log_sessions: flags.observing.LogSessions = False,
    limits: flags.tenants.LimitsFile = None,
    usage: flags.tenants.UsageFile = None,
    audit: flags.tenants.AuditFile = None,
    audit_when_full: flags.tenants.WhenFull = None,
    audit_sync: flags.tenants.Sync = None,
    retention: flags.privacy.Retention = None,
    transient_sessions: flags.privacy.TransientSessions = TRANSIENT_SESSIONS,
    job_target: flags.jobs.JobTarget = DEFAULT_TARGET,
    with_parent: flags.address.WithParent = False,
) -> None:
    """Serves until it is told to stop (SIGTERM or Ctrl-C)."""
    safety_flags = flags.safety.SafetyFlags(
        safeguard=safeguard, disclosure=disclosure, disclosure_every=disclosure_every
    )
    language_flags = flags.language.LanguageFlags(
        engine_only=engine_only, model=model, threads=threads, backend=backend
    )
    backend_flags = flags.backend.BackendFlags(
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
    job_flags = flags.jobs.JobFlags(jobs=jobs, loras=loras, base_model=base_model, job_target=job_target)
    access_flags = flags.access.AccessFlags(
        tokens=tokens,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        insecure_network=insecure_network,
    )
    observing_flags = flags.observing.ObservingFlags(
        metrics=metrics,
        metrics_public=metrics_public,
        otlp=otlp,
        log=log,
        log_level=log_level,
        log_sessions=log_sessions,
    )
    tenancy_flags = flags.tenants.TenancyFlags(
        limits=limits, usage=usage, audit=audit, audit_when_full=audit_when_full, audit_sync=audit_sync
    )
    store_flags = flags.store.StoreFlags(redis_url=redis_url, redis_volatile=redis_volatile)
    try:
        settings = Settings(
            host=host,
            port=port,
            safety=flags.safety.safety_of(safety_flags, speaks=not engine_only),
            jobs=flags.jobs.jobs_of(job_flags, db, model, os.environ),
            access=flags.access.access_of(access_flags),
            observing=flags.observing.observing_of(observing_flags),
            language=flags.language.language_of(language_flags, backend_flags, os.environ),
            store=flags.store.store_of(store, store_flags, flags.store.file_of(db, store), durability, os.environ),
            privacy=flags.privacy.privacy_of(retention, transient_sessions),
            limits=flags.tenants.limits_of(tenancy_flags, usage_file(db, port)),
            audit=flags.tenants.audit_of(tenancy_flags),
            live_sessions=live_sessions,
        )
    except (ModelError, PlaceUnusable) as error:
        fail(error)
    if model is not None:  # Jobs train the model that is served.
        os.environ["EMOTIONAL_AI_MODEL"] = str(model.resolve())
    if plans := flags.fleet.fleet_of(workers, settings, ctx):
        serve_fleet(plans, settings, with_parent=with_parent)
    else:
        serve_here(settings, with_parent=with_parent)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    ctx: typer.Context,
    session: Annotated[str, typer.Option(help="Session to talk to; made if it does not exist.")] = "default",
    port: flags.address.Port = flags.address.DEFAULT_PORT,
    db: flags.store.Database = None,
    model: flags.language.Model = None,
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
