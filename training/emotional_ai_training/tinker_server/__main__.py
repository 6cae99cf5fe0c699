"""`python -m emotional_ai_training.tinker_server`: the command by itself."""

import typer

from emotional_ai_training.tinker_server.commands import tinker_server

if __name__ == "__main__":
    typer.run(tinker_server)
