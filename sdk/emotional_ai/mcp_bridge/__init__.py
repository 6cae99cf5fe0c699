"""The MCP bridge: Kiro and every MCP client read and move an agent's emotional state through it.

    python -m emotional_ai.mcp_bridge                 # stdio, as clients start it
    python -m emotional_ai.mcp_bridge --http 8765     # streamable HTTP on the loopback interface

What to read, in order: the tools (tools), what a tool is (tool, arguments), the server that hands requests to them (server),
the way to the service (engine, autostart), what is told when it fails (refusals), then resources, subscriptions, prompts, http.

`server.server(Settings())` makes one. It is not imported here: the command must be able to say that the extra `mcp` is missing.
"""

from emotional_ai.mcp_bridge.settings import Settings, Toolset

__all__ = ["Settings", "Toolset"]
