"""The command `emotional-ai`, also `python -m emotional_ai`."""

import sys
from importlib.util import find_spec

NEEDED = ("typer", "rich", "matplotlib")
INTERRUPTED = 130
"""Exit code of a command that was interrupted."""


def main() -> None:
    """Runs the command line; an interrupt ends it quietly, even while it is still being loaded."""
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run() -> None:
    """Says what to install where the client was installed without the command line."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"error: the command line needs {', '.join(missing)}, which the bare client does not bring; "
            "install it with: pip install 'emotional-ai[cli]'\n"
        )
        sys.exit(2)
    from emotional_ai.cli import run

    run()


if __name__ == "__main__":
    main()
