"""Pulling with a progress bar, for a command line."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from emotional_ai_training.models.provisioning import Progress, pull


def pull_with_progress(console: Console, cache: Path) -> None:
    """`pull` into `cache`, shown as one bar per step of each model. Raises what `pull` raises."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console) as bars:
        shown: dict[str, TaskID] = {}

        def show(progress: Progress) -> None:
            description = f"{progress.model}: {progress.step.value}"
            if progress.model not in shown:
                shown[progress.model] = bars.add_task(description, total=1.0)
            bars.update(shown[progress.model], description=description, completed=progress.fraction)

        pull(cache, progress=show)
