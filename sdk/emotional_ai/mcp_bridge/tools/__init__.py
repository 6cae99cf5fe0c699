"""The tools of the bridge, by toolset: emotion (the default), inference, training."""

from typing import Any

from emotional_ai.mcp_bridge.settings import Settings
from emotional_ai.mcp_bridge.tool import Tool
from emotional_ai.mcp_bridge.tools.explaining import EXPLAIN_EMOTION
from emotional_ai.mcp_bridge.tools.sessions import ENGINE_STATUS, LIST_EMOTION_SESSIONS, RESET_EMOTION
from emotional_ai.mcp_bridge.tools.speaking import GENERATE_REPLY
from emotional_ai.mcp_bridge.tools.states import GET_EMOTIONAL_STATE
from emotional_ai.mcp_bridge.tools.training import CANCEL_TRAINING, GET_TRAINING_STATUS, START_TRAINING
from emotional_ai.mcp_bridge.tools.updating import UPDATE_EMOTION

TOOLS = (
    GET_EMOTIONAL_STATE,
    UPDATE_EMOTION,
    EXPLAIN_EMOTION,
    LIST_EMOTION_SESSIONS,
    RESET_EMOTION,
    ENGINE_STATUS,
    GENERATE_REPLY,
    START_TRAINING,
    GET_TRAINING_STATUS,
    CANCEL_TRAINING,
)
"""Every tool, in the order clients see them."""


def offered(settings: Settings) -> dict[str, Tool[Any]]:
    """The tools a bridge offers, by name."""
    return {
        tool.name: tool
        for tool in TOOLS
        if tool.toolset in settings.toolsets and (tool.hints.read_only or not settings.read_only)
    }


__all__ = ["TOOLS", "offered"]
