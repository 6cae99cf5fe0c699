"""sessions list, create, update, delete, export, import."""

from pathlib import Path
from typing import Annotated

import typer

from emotional_ai import names
from emotional_ai.cli import figures, records
from emotional_ai.cli.expressing import Caps, Intensity, caps_of, dial, redialled, shown
from emotional_ai.cli.files import Input, parse_message, read_text, write_text
from emotional_ai.cli.output import aligned, emit, note, say
from emotional_ai.cli.reach import AsJson, SessionId, Target, connected, named_session
from emotional_ai.names import DEFAULT_SESSION
from emotional_ai.stimuli import CHEMICALS
from emotional_ai.v1.engine_pb2 import Session, SessionConfig, SessionExport, SessionSummary

sessions = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="The sessions of the service: list, make, remove, copy."
)

Id = Annotated[str, typer.Argument(metavar="ID", help="Session.", callback=named_session)]


def register(app: typer.Typer) -> None:
    """Adds the group."""
    app.add_typer(sessions, name="sessions")


@sessions.command("list")
def list_all(ctx: typer.Context, json: AsJson = False, target: Target = None) -> None:
    """List every session, in order of id."""
    with connected(ctx, target) as client:
        every = list(client.list_sessions())
    if json:
        for one in every:
            emit(_summary(one))
    elif every:
        rows = [(one.session_id, str(one.version), _updated(one)) for one in every]
        say(aligned([("session", "entries", "last entry"), *rows]))
    else:
        note("there are no sessions; `emotional-ai sessions create ID` makes one")


@sessions.command("create")
def create(
    ctx: typer.Context,
    session_id: Annotated[str, typer.Argument(metavar="[ID]", help="Session; one is made up if left out.")] = "",
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Configuration: a SessionConfig as protobuf JSON.", dir_okay=False),
    ] = None,
    intensity: Intensity = None,
    cap: Caps = None,
    transient: Annotated[
        bool, typer.Option("--transient", help="Store nothing of it: it is gone when the service stops.")
    ] = False,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Create a session at its baseline.

    A configuration looks like {"dynamics": {"timeScale": 60, "personality": {"openness": 0.9, "conscientiousness": 0.5,
    "extraversion": 0.7, "agreeableness": 0.8, "neuroticism": 0.2}}}. A field of `dynamics` that is left out
    takes the default; but a group of levels, such as `baseline` or `personality`, counts as given whole once it is there,
    and a level left out of it is 0.
    """
    chosen = SessionConfig() if config is None else parse_message(read_text(config), SessionConfig(), config)
    chosen = dial(chosen, intensity, caps_of(cap))
    with connected(ctx, target) as client:
        made = client.create_session(session_id, config=chosen, transient=transient)
    _show("created", made, json)


@sessions.command("update")
def update(
    ctx: typer.Context,
    session_id: Id,
    intensity: Intensity = None,
    cap: Caps = None,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Change how much of what a session feels is expressed, from now on; a cap of 1 is none. What it feels stays."""
    caps = caps_of(cap)
    if intensity is None and not caps:
        raise typer.BadParameter("give --intensity or --cap")
    with connected(ctx, target) as client:
        changed = redialled(client, session_id, intensity, caps)
    expression = changed.config.expression
    if json:
        held = {name: getattr(expression.caps, name) for name in CHEMICALS}
        emit({"session": session_id, "intensity": expression.intensity, "caps": held})
    else:
        say(f"{session_id} {shown(expression)}")


@sessions.command("delete")
def delete(ctx: typer.Context, session_id: Id, target: Target = None) -> None:
    """Delete a session and its log."""
    with connected(ctx, target) as client:
        exported = client.delete_session(session_id)
    say(f"deleted {session_id}")
    if exported:
        times = "once" if len(exported) == 1 else f"{len(exported)} times"
        note(f"it was exported {times}, last at {names.moment(exported[-1])}; those copies are not deleted")


@sessions.command("export")
def export(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File to write; - prints.", allow_dash=True, dir_okay=False)
    ],
    session: SessionId = DEFAULT_SESSION,
    target: Target = None,
) -> None:
    """Write a session whole, its log included, as JSON that `sessions import` takes anywhere."""
    with connected(ctx, target) as client:
        text = client.export_json(session)
    if str(file) == "-":
        say(text)
    else:
        write_text(file, text + "\n")
        note(f"{session} is in {file}")


@sessions.command("import")
def import_(
    ctx: typer.Context,
    file: Input,
    session: Annotated[
        str | None,
        typer.Option(
            "--session", metavar="ID", help="Id to give it.", show_default="the exported one", callback=named_session
        ),
    ] = None,
    json: AsJson = False,
    target: Target = None,
) -> None:
    """Create a session from an export."""
    export = parse_message(read_text(file), SessionExport(), file)
    with connected(ctx, target) as client:
        made = client.import_session(export, session_id=session or "")
    _show("imported", made, json)


def _show(what: str, session: Session, json: bool) -> None:
    if json:
        emit({"created": names.moment(session.created_at)} | records.state(session.state))
    else:
        say(f"{what} {session.session_id}: {figures.feeling(session.state)}")


def _updated(one: SessionSummary) -> str:
    return f"{names.moment(one.updated_at)}{', not stored' if one.transient else ''}"


def _summary(one: SessionSummary) -> dict[str, object]:
    return {
        "session": one.session_id,
        "created": names.moment(one.created_at),
        "updated": names.moment(one.updated_at),
        "version": one.version,
        "transient": one.transient,
    }
