"""generate: replies for the rows of a file, each appended to another file as it is finished."""

import math
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emotional_ai.cli import records
from emotional_ai.cli.files import read_text
from emotional_ai.cli.output import CommandFailed, Record, compact, note, told
from emotional_ai.cli.reach import Target, connected
from emotional_ai.cli.rows import LINE, Row, read_rows
from emotional_ai.cli.shapes import Malformed, parsed
from emotional_ai.cli.talk import REPLY_SECONDS
from emotional_ai.client import Client
from emotional_ai.errors import EmotionalAIError, RequestRejected
from emotional_ai.v1.inference_pb2 import AdapterWeight


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(generate)


def generate(
    ctx: typer.Context,
    prompts: Annotated[Path, typer.Option(metavar="IN.jsonl", help="Rows to answer; - reads standard input.")],
    out: Annotated[
        Path, typer.Option(metavar="OUT.jsonl", help="File the answered rows are appended to.", dir_okay=False)
    ],
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Replies asked for at a time.")] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with OUT: rows it answers already are skipped.")
    ] = False,
    blend: Annotated[
        list[str] | None,
        typer.Option(
            "--blend",
            metavar="ADAPTER=WEIGHT",
            help="Blend of rows that name none and no session, instead of the state's own; may be repeated, may be negative.",
        ),
    ] = None,
    target: Target = None,
) -> None:
    """Generate a reply for each row of a file.

    A row is a JSON object with `prompt`, or `messages` as a list of {"role": ..., "content": ...}; it may have `state` (levels
    by chemical; the default baseline where it names none) and `blend` (weights by adapter, instead of the state's own), or
    `session`, and seed, max_tokens, temperature, top_p, top_k, min_p, repetition_penalty, stop. An answered row is the row with
    its line number as `input_line`, and `reply`, `expression`, `applied`, `usage`, `finish_reason`. Rows are appended as they
    are finished. A row the service refuses is named and left out; the command then ends with status 1, and `--resume` tries
    those rows again.
    """
    rows = read_rows(read_text(prompts), prompts, [_weight(one) for one in blend or ()])
    done = answered(out, {row.line: row for row in rows}, resume)
    waiting = [row for row in rows if row.line not in done]
    if done:
        note(f"{len(done)} of {len(rows)} rows are answered already")
    with connected(ctx, target) as client, appending(out) as sink:
        failed = _generate(client, waiting, sink, concurrency)
    note(f"{len(waiting) - failed} rows answered, in {out}")
    if failed:
        raise CommandFailed(
            f"{failed} of {len(waiting)} rows were refused; correct them, or try them again with --resume"
        )


def _weight(text: str) -> AdapterWeight:
    name, _, number = text.rpartition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not name or not math.isfinite(weight):
        raise typer.BadParameter(f"{text!r} is not ADAPTER=WEIGHT, such as high_cortisol=0.7", param_hint="--blend")
    return AdapterWeight(adapter=name, weight=weight)


def _generate(client: Client, rows: Sequence[Row], sink: TextIO, concurrency: int) -> int:
    """Answers rows; returns how many the service refused. Any other error ends the work and is raised."""
    failed = 0
    pool = ThreadPoolExecutor(concurrency)
    try:
        asked = {pool.submit(reply, client, row): row for row in rows}
        for finished in _shown(as_completed(asked), len(rows)):
            try:
                _append(sink, asked[finished].line, finished.result())
            except RequestRejected as error:
                failed += 1
                note(f"error: line {asked[finished].line}: {told(error)}")
            except EmotionalAIError as error:
                note(f"line {asked[finished].line} could not be answered; the work ends here, --resume goes on with it")
                raise error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # what still runs ends with the client
    return failed


def _append(sink: TextIO, line: int, answer: Record) -> None:
    try:
        sink.write(compact(answer) + "\n")
        sink.flush()
    except OSError:
        note(f"error: the reply to line {line} is lost, since it could not be written; --resume asks for it again")
        raise
    except ValueError as error:  # a number JSON cannot express
        raise CommandFailed(f"the reply to line {line} cannot be written as JSON: {error}") from error


def reply(client: Client, row: Row) -> Record:
    """A row with its reply. Raises what `Client.generate` raises."""
    with client.generate(row.messages, under=row.under, sampling=row.sampling, timeout=REPLY_SECONDS) as spoken:
        text = spoken.read()
    if spoken.started is None or spoken.finished is None:
        raise CommandFailed(f"line {row.line}: the service ended the reply without saying what it was spoken with")
    return {
        **row.given,
        LINE: row.line,
        "reply": text,
        "expression": records.expression(spoken.started.expression),
        "applied": records.applied(spoken.finished.applied),
        "usage": records.usage(spoken.finished.usage),
        "finish_reason": records.finish(spoken.finished.reason),
    }


def _shown(finished: Iterator[Future[Record]], total: int) -> Iterator[Future[Record]]:
    """Passes on what is finished, beside a progress bar if standard error is a terminal."""
    columns = (TextColumn("generate"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        yield from progress.track(finished, total=total)


def answered(out: Path, rows: dict[int, Row], resume: bool) -> set[int]:
    """Lines of the input that OUT answers already. What a dying writer left half-written at its end is cut off.

    Raises CommandFailed if OUT exists and `resume` is not wished, or if it answers other rows than these.
    """
    if not out.exists() or not out.stat().st_size:
        return set()
    if not resume:
        raise CommandFailed(f"{out} exists already; go on with it with --resume, or choose another file")
    text = read_text(out)
    whole, _, rest = text.rpartition("\n")
    if rest:
        note(f"the last line of {out} was half-written and is generated anew")
        with out.open("r+b") as file:
            file.truncate(out.stat().st_size - len(rest.encode()))
    return {_line_of(out, number, line, rows) for number, line in enumerate(whole.split("\n"), start=1) if line}


def _line_of(out: Path, number: int, line: str, rows: dict[int, Row]) -> int:
    try:
        value = parsed(line).value
    except Malformed as error:
        raise CommandFailed(f"{out}, line {number}: {error}") from error
    row = value if isinstance(value, dict) else {}
    of = row.get(LINE)
    asked = rows.get(of) if isinstance(of, int) else None
    if asked is None or any(row.get(name) != value for name, value in asked.given.items()):
        raise CommandFailed(f"{out}, line {number}: answers another row than the input has; choose another file")
    return asked.line


@contextmanager
def appending(path: Path) -> Iterator[TextIO]:
    """A file opened to append to. Raises CommandFailed, naming it, if it cannot be opened or written."""
    try:
        with path.open("a", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise CommandFailed(f"cannot write {path}: {error.strerror or error}") from error
