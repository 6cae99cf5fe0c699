"""tokens add, list, rotate, revoke: who may call a service that was started with --tokens."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from emotional_ai_service.access.errors import TokensUnusable
from emotional_ai_service.access.records import time_text
from emotional_ai_service.access.token import Kept, Token, digest_of, new_id, written
from emotional_ai_service.access.token_file import TokenFile
from emotional_ai_service.callers import DEFAULT_TENANT, Scope, tenant_name
from emotional_ai_service.failure import fail
from emotional_ai_service.flags.duration import microseconds_of
from emotional_ai_service.places import tokens_file

T = TypeVar("T")

tokens = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Tokens of a service: make, list, renew, end. A running service takes a change in within a second.",
)


def _read(reader: Callable[[str], T]) -> Callable[[str], T]:
    def value(text: str) -> T:
        try:
            return reader(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return value


def _end(text: str) -> int:
    """A span after which a token ends, in microseconds."""
    if not (span_us := microseconds_of(text)):
        raise ValueError("must be at least 1s; leave it out for a token that never expires")
    return span_us


def _note(text: str) -> str:
    if len(text) > 200 or not text.isprintable():
        raise ValueError("a note is at most 200 printable characters")
    return text


File = Annotated[
    Path | None,
    typer.Option(
        "--tokens", metavar="FILE", help="File of tokens.", show_default="~/.local/state/emotional-ai/tokens.json"
    ),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="Token, by the id that `tokens list` shows.")]


@tokens.command("add")
def add(
    scope: Annotated[
        list[Scope], typer.Option("--scope", help="What it allows; may be repeated. admin is all of them.")
    ],
    tenant: Annotated[
        str, typer.Option(metavar="NAME", help="Whose sessions and jobs it opens.", parser=_read(tenant_name))
    ] = DEFAULT_TENANT,
    expires: Annotated[
        int | None,
        typer.Option(metavar="SPAN", help="How long it holds, such as 90d.", parser=_read(_end)),
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.", parser=_read(_note))] = "",
    file: File = None,
) -> None:
    """Make a token and print it. It is shown this once: only its digest is kept."""
    now, where = _now(), _file(file)
    ends = None if expires is None else now + expires
    shown: list[str] = []

    def added(known: Sequence[Token]) -> list[Token]:
        ids = {token.token_id for token in known}
        token_id = next(one for one in iter(new_id, "") if one not in ids)
        shown.append(written(token_id))
        return [*known, Token(token_id, tenant, frozenset(scope), now, ends, note, (Kept(digest_of(shown[-1])),))]

    _change(where, added)
    typer.echo(shown[-1])
    typer.echo(f"kept as a digest in {where.path}; serve it with: emotional-ai serve --tokens {where.path}", err=True)


@tokens.command("list")
def list_(
    file: File = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a token a line.")] = False
) -> None:
    """Show the tokens there are: never their secrets, which are kept nowhere."""
    try:
        known = _file(file).read()
    except TokensUnusable as error:
        fail(error)
    now = _now()
    if as_json:
        for token in known:
            typer.echo(json.dumps(_row(token, now), ensure_ascii=False))
        return
    rows = [["id", "tenant", "scopes", "created", "expires", "note"]]
    rows += [[str(value) for value in _row(token, now).values()] for token in known]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@tokens.command("rotate")
def rotate(
    token_id: Id,
    overlap: Annotated[
        int,
        typer.Option(
            metavar="SPAN", help="How long the old secret holds beside the new one.", parser=_read(microseconds_of)
        ),
    ] = "0s",  # type: ignore[assignment]  # read by the parser
    file: File = None,
) -> None:
    """Give a token a new secret and print it, once. Its scopes, tenant and end stay."""
    secret = written(token_id)
    _change(_file(file), lambda known: _with(known, token_id, lambda token: token.rotated(secret, _now(), overlap)))
    typer.echo(secret)


@tokens.command("revoke")
def revoke(token_id: Id, file: File = None) -> None:
    """End a token now: calls are refused, and streams it opened end, within seconds."""
    _change(_file(file), lambda known: _with(known, token_id, lambda _: None))
    typer.echo(f"token {token_id} is revoked", err=True)


def _with(known: Sequence[Token], token_id: str, changed: Callable[[Token], Token | None]) -> list[Token]:
    """The tokens, the one of that id replaced, or left out if by None. Raises TokensUnusable if there is none."""
    if all(token.token_id != token_id for token in known):
        raise TokensUnusable(
            f"there is no token of the id {token_id[:40]!r}; `emotional-ai tokens list` shows those there are"
        )
    made = [changed(token) if token.token_id == token_id else token for token in known]
    return [token for token in made if token is not None]


def _row(token: Token, now: int) -> dict[str, str]:
    ends = "never" if token.expires_us is None else time_text(token.expires_us)
    return {
        "id": token.token_id,
        "tenant": token.tenant,
        "scopes": ",".join(one.value for one in Scope if one in token.scopes),
        "created": time_text(token.created_us),
        "expires": f"{ends} (over)" if token.expired(now) else ends,
        "note": token.note,
    }


def _file(given: Path | None) -> TokenFile:
    return TokenFile(given or tokens_file())


def _change(file: TokenFile, changed: Callable[[Sequence[Token]], Sequence[Token]]) -> None:
    try:
        file.change(changed)
    except TokensUnusable as error:
        fail(error)


def _now() -> int:
    return time.time_ns() // 1000
