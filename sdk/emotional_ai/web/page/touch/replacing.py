"""A configuration written without losing what somebody else wrote, although stimuli arrive all the while."""

from collections.abc import Callable
from typing import Final

from emotional_ai.aio import AsyncClient
from emotional_ai.errors import Aborted, Details
from emotional_ai.v1 import engine_pb2 as pb

REPLACED: Final = "CONFIGURATION_REPLACED"
"""Reason of an edit that is not written, since somebody else wrote one."""
TRIES: Final = 8
"""A session this often moved between reading and writing is left alone."""


async def reconfigured(
    client: AsyncClient, session_id: str, change: Callable[[pb.SessionConfig], pb.SessionConfig]
) -> pb.Session:
    """Replaces a configuration by what `change` makes of the one in force, which nobody else replaced meanwhile.

    Raises what the calls raise, Aborted once the session was moved TRIES times in between, and what `change` raises.
    """
    for left in reversed(range(TRIES)):
        session = await client.get_session(session_id)
        wished = change(session.config)
        try:
            return await client.update_session(session_id, wished, expected_version=session.state.version)
        except Aborted:
            if not left:
                raise
    raise AssertionError("the last try returns or raises")


def instead_of(began: pb.SessionConfig, edited: pb.SessionConfig) -> Callable[[pb.SessionConfig], pb.SessionConfig]:
    """Replaces the configuration an editor began with by what it came to; the time scale stays as it is.

    The change raises Aborted, with the reason REPLACED, if somebody else has replaced it since.
    """

    def change(now: pb.SessionConfig) -> pb.SessionConfig:
        if not alike(now, began):
            words = "the configuration was changed elsewhere since this editor began with it"
            raise Aborted(words, Details(REPLACED))
        wished = pb.SessionConfig()
        wished.CopyFrom(edited)
        wished.dynamics.time_scale = now.dynamics.time_scale
        return wished

    return change


def alike(one: pb.SessionConfig, other: pb.SessionConfig) -> bool:
    """Whether two configurations in force are the same but for their time scale."""
    first, second = pb.SessionConfig(), pb.SessionConfig()
    first.CopyFrom(one)
    second.CopyFrom(other)
    second.dynamics.time_scale = first.dynamics.time_scale
    return first == second
