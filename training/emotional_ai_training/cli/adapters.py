"""`emotional-ai train adapters`: the whole training from a terminal. Heavy imports wait until it runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class RecipeName(StrEnum):
    """What to train."""

    ALL = "all"
    CONDITIONING = "conditioning"
    STATE_ADAPTERS = "state-adapters"
    CURIOSITY = "curiosity"


def train_adapters(
    recipe: Annotated[RecipeName, typer.Option(help="What to train.")] = RecipeName.ALL,
    state: Annotated[list[str] | None, typer.Option(help="State to train; may be repeated. Default: all.")] = None,
    data: Annotated[Path | None, typer.Option(help="Prepared training_data.jsonl; prepared anew by default.")] = None,
    loras: Annotated[Path, typer.Option(help="Where finished adapters go.")] = Path("loras"),
    checkpoints: Annotated[Path, typer.Option(help="Where a run keeps what it resumes from.")] = Path("checkpoints"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, dropping an unfinished run.")] = False,
    model: Annotated[str, typer.Option(envvar="MODEL_NAME", help="Base model by the server's name for it.")] = "",
    rank: Annotated[int, typer.Option(envvar="LORA_RANK", help="Rank of the adapters, a power of two.")] = 8,
    learning_rate: Annotated[float, typer.Option(envvar="LEARNING_RATE", help="Peak learning rate.")] = 1e-3,
    epochs: Annotated[int, typer.Option(min=1, max=100, help="Passes over the data.")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, max=1024, help="Rows a step.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Seed of data, initialisation and sampling.")] = 0,
    max_cost_usd: Annotated[
        float | None, typer.Option(min=0, help="Most a hosted run may cost; asked for when not given.")
    ] = None,
) -> None:
    """Train the emotional adapters on a Tinker server: the one TINKER_API_KEY names, or an embedded one without a key."""
    from rich.console import Console

    from emotional_ai_training.conditioning import ADAPTERS, CURIOUS
    from emotional_ai_training.evaluation.tables import before_after_table, curiosity_table, strength_table
    from emotional_ai_training.jobs import Plan, Recipe
    from emotional_ai_training.recipes.console import approval, console_reporter, readable
    from emotional_ai_training.recipes.workplace import workplace

    trained = (CURIOUS,) if recipe is RecipeName.CURIOSITY else ADAPTERS
    if unknown := sorted(set(state or ()) - set(trained)):
        raise typer.BadParameter(f"{', '.join(unknown)}: this recipe trains {', '.join(trained)}", param_hint="--state")
    console = Console()
    with readable(), workplace(checkpoints, fresh=fresh) as place:
        from emotional_ai_training.recipes.plan import train

        plan = Plan(
            recipe=Recipe[recipe.name],
            checkpoints_dir=checkpoints,
            loras_dir=loras,
            base_model=model,
            lora_rank=rank,
            learning_rate=learning_rate,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            states=tuple(state or ADAPTERS),
            data_path=data,
            resume=place.resume,
        )
        if plan.resume:
            console.print(f"going on with the unfinished run in {checkpoints}/; --fresh begins anew")
        with console_reporter(console) as reporter:
            outcome = train(plan, reporter, approval(console, max_cost_usd), place.begun)
        console.print(before_after_table(outcome.reports))
        if outcome.strengths:
            console.print(strength_table(outcome.strengths))
        if outcome.diversity is not None:
            console.print(curiosity_table(*outcome.diversity))
        console.print(f"adapters in {loras}/, curves in {checkpoints}/curves.png")
