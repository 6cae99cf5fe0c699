"""`emotional-ai train prepare`. Heavy imports wait until the command runs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from emotional_ai_training.cli.refusals import refusals

_OUT = Path("training_data.jsonl")


def prepare(
    out: Annotated[Path, typer.Option(help="The file to write.")] = _OUT,
    seed: Annotated[int, typer.Option(help="Decides every choice; the same seed gives the same file.")] = 7,
    state: Annotated[
        list[str] | None, typer.Option(help="A state to write rows for; may be given again. By default all five.")
    ] = None,
    train_rows: Annotated[int, typer.Option(min=1, help="Training rows a state.")] = 110,
    dev_rows: Annotated[int, typer.Option(min=0, help="Development rows a state.")] = 16,
    test_rows: Annotated[int, typer.Option(min=0, help="Test rows a state.")] = 48,
    low_rows: Annotated[int, typer.Option(min=0, help="Training rows of each chemical's low level.")] = 60,
    mild_rows: Annotated[int, typer.Option(min=0, help="Training rows of each chemical somewhat above rest.")] = 40,
    unshown_rows: Annotated[int, typer.Option(min=0, help="Training rows of low levels that do not show.")] = 40,
    goemotions: Annotated[
        Path | None, typer.Option(help="Directory of GoEmotions, whose texts then answer some prompts.")
    ] = None,
    dialogues: Annotated[
        Path | None, typer.Option(help="CSV in the format of EmpatheticDialogues, whose replies are then used too.")
    ] = None,
    encoder: Annotated[
        Path | None, typer.Option(help="Directory of the sentence encoder; by default the one that was pulled.")
    ] = None,
) -> None:
    """Write training_data.jsonl: conversations in every emotional state, each checked by the judge."""
    from rich.console import Console

    from emotional_ai_training.conditioning import ADAPTERS
    from emotional_ai_training.dataset.borrowing import borrow
    from emotional_ai_training.dataset.errors import DatasetError
    from emotional_ai_training.dataset.preparing import PrepareConfig
    from emotional_ai_training.dataset.preparing import prepare as prepare_rows
    from emotional_ai_training.dataset.report import report_table
    from emotional_ai_training.dataset.rows import check_writable, write_rows
    from emotional_ai_training.emotions import EmotionsError
    from emotional_ai_training.judge import Judge
    from emotional_ai_training.models import ModelError, cache_dir, encoder_dir

    console = Console(stderr=True)

    def report(line: str) -> None:
        console.print(line, highlight=False, markup=False)

    with refusals(DatasetError, EmotionsError, ModelError):
        check_writable(out)
        config = PrepareConfig(
            seed=seed,
            states=tuple(dict.fromkeys(state or ADAPTERS)),
            train_rows=train_rows,
            dev_rows=dev_rows,
            test_rows=test_rows,
            low_rows=low_rows,
            mild_rows=mild_rows,
            unshown_rows=unshown_rows,
        )
        judge = Judge(encoder or encoder_dir(cache_dir(os.environ)))
        borrowed = borrow(config, judge, report, goemotions=goemotions, dialogues=dialogues)
        prepared = prepare_rows(config, judge, report, borrowed=borrowed)
        write_rows(out, prepared.rows)
    Console().print(report_table(prepared.report))
    report(f"wrote {len(prepared.rows)} rows into {out}")
