"""What can be read: the engine, its sessions, and of each its state and history. All of it JSON."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from mcp_types import Resource, ResourceTemplate

from emotional_ai import names
from emotional_ai.aio import AsyncClient
from emotional_ai.mcp_bridge import uris
from emotional_ai.mcp_bridge.arguments import NoArguments
from emotional_ai.mcp_bridge.engine import Engine
from emotional_ai.mcp_bridge.signals import MEANINGS
from emotional_ai.mcp_bridge.tool import DIGITS, Call
from emotional_ai.mcp_bridge.tools.sessions import engine_status, list_emotion_sessions
from emotional_ai.mcp_bridge.tools.states import State, read_state
from emotional_ai.stimuli import CHEMICALS, SIGNALS
from emotional_ai.v1 import engine_pb2 as pb

JSON: Final = "application/json"
SAMPLES: Final = 60
EVENTS: Final = 50
SHOWN: Final = 50
"""Sessions whose states are listed one by one; the template reaches the others."""

TEMPLATES: Final = (
    ResourceTemplate(
        uri_template=uris.STATE,
        name="state",
        title="State of a session",
        description="How a session feels now. Subscribe to be told when it moves.",
        mime_type=JSON,
    ),
    ResourceTemplate(
        uri_template=uris.HISTORY,
        name="history",
        title="History of a session",
        description=f"The four levels from the session's beginning in {SAMPLES} even samples, and its latest {EVENTS} events.",
        mime_type=JSON,
    ),
)
FIXED: Final = (
    Resource(
        uri=uris.INFO,
        name="engine",
        title="The emotion engine",
        description="Whether the engine is up, where, and whether it can speak.",
        mime_type=JSON,
    ),
    Resource(
        uri=uris.SESSIONS,
        name="sessions",
        title="Sessions",
        description="Ids of the emotional sessions, one per agent or character.",
        mime_type=JSON,
    ),
    Resource(
        uri=uris.SCHEMA,
        name="schema",
        title="Chemicals, signals and labels",
        description="Every name the tools use, with its range and meaning.",
        mime_type=JSON,
    ),
)

CHEMICAL_MEANINGS: Final[Mapping[str, str]] = {
    "dopamine": "reward and curiosity",
    "serotonin": "stability of mood",
    "cortisol": "stress and vigilance",
    "oxytocin": "bonding",
}


async def listed(engine: Engine) -> list[Resource]:
    """What can be read now: the fixed ones, and the states of sessions as far as the engine answers."""
    # A list is no place for an error: a client must see what there is with the engine down.
    found, _ = await engine.known(most=SHOWN)
    return [*FIXED, *(_state_resource(session_id) for session_id in found)]


async def read(call: Call, uri: str) -> str | None:
    """The JSON at an address, None if nothing can be there. Raises Refused, and what the client raises."""
    fixed: Mapping[str, Callable[[], Awaitable[str]]] = {
        uris.INFO: lambda: _info(call),
        uris.SESSIONS: lambda: _sessions(call),
        uris.SCHEMA: _schema,
    }
    if uri in fixed:
        return await fixed[uri]()
    match uris.of_session(uri):
        case (session_id, "state"):
            return (await call.engine.in_session(session_id, read_state)).model_dump_json()
        case (session_id, "history"):
            return json.dumps(await call.engine.in_session(session_id, _history))
        case _:
            return None


def _state_resource(session_id: str) -> Resource:
    return Resource(
        uri=uris.state_of(session_id),
        name=f"state of {session_id}",
        title=f"State of {session_id}",
        description="How it feels now.",
        mime_type=JSON,
    )


async def _info(call: Call) -> str:
    return (await engine_status(call, NoArguments())).model_dump_json()


async def _sessions(call: Call) -> str:
    return (await list_emotion_sessions(call, NoArguments())).model_dump_json()


async def _schema() -> str:
    labels = [names.label(value) for value in pb.EmotionLabel.values() if value != pb.EMOTION_LABEL_UNSPECIFIED]
    return json.dumps(
        {
            "chemicals": {name: {"range": [0, 1], "meaning": CHEMICAL_MEANINGS[name]} for name in CHEMICALS},
            "signals": {name: {"range": [0, 1], "meaning": MEANINGS[name]} for name in SIGNALS},
            "labels": labels,
            "valence": {"range": [-1, 1], "meaning": "how pleasant, against rest"},
            "arousal": {"range": [-1, 1], "meaning": "how aroused, against rest"},
            "state": State.model_json_schema(mode="serialization"),
        }
    )


async def _history(client: AsyncClient, session_id: str) -> dict[str, object]:
    told = await client.history(session_id, points=SAMPLES)
    entries = told.entries[-EVENTS:]
    return {
        "session_id": session_id,
        "samples": [
            {"time": names.moment(one.time), "label": names.label(one.label)} | _rounded(names.levels(one.chemistry))
            for one in told.samples
        ],
        "events": [_entry(one) for one in entries],
        "events_left_out": told.entries_left_out + len(told.entries) - len(entries),
    }


def _entry(entry: pb.LogEntry) -> dict[str, object]:
    head: dict[str, object] = {"time": names.moment(entry.time), "what": entry.WhichOneof("effect")}
    if not entry.HasField("stimulus"):
        return head
    stimulus = entry.stimulus
    kind = stimulus.WhichOneof("effect")
    signals = stimulus.event if kind == "event" else stimulus.sustained.signals
    return head | {"what": kind, "signals": _rounded(names.signals(signals)), "note": stimulus.note}


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, DIGITS) for name, value in numbers.items()}
