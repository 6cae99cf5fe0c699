"""`python -m emotional_ai_training.data_prep`: the same as `emotional-ai train prepare`."""

import typer

from emotional_ai_training.cli.prepare import prepare

if __name__ == "__main__":
    typer.run(prepare)
