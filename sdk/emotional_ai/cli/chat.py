"""chat: a conversation with an agent that feels."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final

import typer

from emotional_ai.cli.files import standard_input
from emotional_ai.cli.lines import converse_in_json, converse_in_text, decoded
from emotional_ai.cli.output import note
from emotional_ai.cli.reach import SessionId, Target, connected, ensured
from emotional_ai.cli.talk import Conversation
from emotional_ai.client import Client
from emotional_ai.limits import GREATEST_SEED, MOST_TOKENS
from emotional_ai.names import DEFAULT_SESSION
from emotional_ai.v1.inference_pb2 import Sampling

FASTEST: Final = 10_000
"""Greatest time scale of the contract."""

Seed = Annotated[
    int | None,
    typer.Option(min=0, max=GREATEST_SEED, help="Seed of every reply, which makes the conversation repeatable."),
]
MaxTokens = Annotated[
    int | None, typer.Option(min=1, max=MOST_TOKENS, help="Most tokens of a reply.", show_default="the service's")
]


def _time_scale(given: float | None) -> float | None:
    """A time scale as given. Raises BadParameter for one no session can have."""
    if given is not None and not 0 <= given <= FASTEST:  # typer's own `max` says of NaN that it is too great
        raise typer.BadParameter(f"must be a number from 0 to {FASTEST}, got {given}")
    return given


TimeScale = Annotated[
    float | None,
    typer.Option(
        help=f"Simulated minutes per wall minute, 0 to {FASTEST}.",
        show_default="the session's, 10 if new",
        callback=_time_scale,
    ),
]

FixedBlend = Annotated[
    bool, typer.Option("--fixed-blend", help="Speak each reply as it began, although the state goes on moving.")
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(chat)


def chat(
    ctx: typer.Context,
    session: SessionId = DEFAULT_SESSION,
    json: Annotated[
        bool, typer.Option("--json", help="Each line of input is a turn; print an object for each.")
    ] = False,
    seed: Seed = None,
    max_tokens: MaxTokens = None,
    time_scale: TimeScale = None,
    fixed_blend: FixedBlend = False,
    target: Target = None,
) -> None:
    """Talk with an agent; the session is created if it does not exist.

    In a terminal, replies stream while a panel shows how the state and the blend move; /help lists the commands there, Ctrl-C
    stops a reply, Ctrl-D ends. Otherwise each line of standard input is a turn, blank lines left out, and the end of input
    ends with status 0, or 1 if a turn failed. With --json an object is printed per turn with, among others, user, reply,
    signals (those that are not 0), state, blend, temperature, top_p, tokens (the conditioning tokens), label and seed, and
    under applied what was really spoken with, its changes included.
    """
    stdin = standard_input()
    sampling = Sampling(seed=seed, max_tokens=max_tokens)
    with connected(ctx, target) as client:
        ensured(client, session, time_scale)
        opened = partial(_open, client, session, sampling, fixed_blend)
        if json:
            converse_in_json(opened, decoded(stdin))
        elif stdin.isatty() and sys.stdout.isatty():
            from emotional_ai.cli.terminal import Terminal

            Terminal(client, session, sampling, fixed_blend=fixed_blend).run()
        else:
            converse_in_text(opened, decoded(stdin))


def _open(
    client: Client, session_id: str, sampling: Sampling, fixed_blend: bool, heard: Callable[[str], None]
) -> Conversation:
    return Conversation(
        client, session_id, sampling, heard, lambda text: note(f"note: {text}"), fixed_blend=fixed_blend
    )
