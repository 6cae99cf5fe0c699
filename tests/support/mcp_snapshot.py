"""The list of tools as a client gets it, kept in tests/data/mcp_tools.json so that every change of it is seen.

`python tests/support/mcp_snapshot.py` writes it anew.
"""

import json
import sys
from pathlib import Path
from typing import Any

from emotional_ai.mcp_bridge.settings import Settings, Toolset
from emotional_ai.mcp_bridge.tools import offered

FILE = Path(__file__).parents[1] / "data" / "mcp_tools.json"
AGAIN = f"{Path(sys.executable).name} tests/support/mcp_snapshot.py"
"""What makes the snapshot anew, from the root of the repository."""


def tools() -> list[dict[str, Any]]:
    """Every tool of every toolset, as it goes over the wire."""
    settings = Settings(toolsets=frozenset(Toolset))
    defaults = {"session_id": settings.session}
    return [
        tool.listed(defaults).model_dump(mode="json", by_alias=True, exclude_none=True)
        for tool in offered(settings).values()
    ]


def spelled(listed: list[dict[str, Any]]) -> str:
    """As the file has it."""
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(spelled(tools()), encoding="utf-8")
