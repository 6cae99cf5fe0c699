"""What a tool is: a name, flat arguments, a flat answer, four hints, and what it does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, Protocol, TypeVar

from mcp_types import CallToolResult, TextContent, ToolAnnotations
from mcp_types import Tool as ListedTool
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from emotional_ai.mcp_bridge import arguments
from emotional_ai.mcp_bridge.arguments import Arguments
from emotional_ai.mcp_bridge.engine import Engine
from emotional_ai.mcp_bridge.settings import Toolset

A = TypeVar("A", bound=Arguments)

DIGITS: Final = 4
"""Digits behind the point of a number that is told."""
Rounded = Annotated[float, AfterValidator(lambda value: round(value, DIGITS))]
"""A number as it is told."""
Level = Annotated[Rounded, Field(description="Level in [0, 1].")]
"""How much of a chemical there is."""


class Answer(BaseModel):
    """Base of every tool's answer."""

    model_config = ConfigDict(frozen=True)

    def told(self) -> str:
        """The answer in sentences."""
        raise NotImplementedError


class Progress(Protocol):
    """Tells the client how far a call is."""

    async def __call__(self, done: float, total: float, message: str) -> None:
        """`done` of `total`, and what is new."""


@dataclass(frozen=True, slots=True)
class Call:
    """What a tool works with."""

    engine: Engine
    progress: Progress


@dataclass(frozen=True, slots=True)
class Hints:
    """What a client may assume of a tool before it calls it; all four are always stated."""

    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = False


@dataclass(frozen=True, slots=True)
class Tool(Generic[A]):
    """A tool. `description` says what it does, what it takes and what comes back."""

    name: str
    title: str
    description: str
    toolset: Toolset
    hints: Hints
    takes: type[A]
    gives: type[Answer]
    run: Callable[[Call, A], Awaitable[Answer]]

    def listed(self, defaults: Mapping[str, str]) -> ListedTool:
        """As clients see it."""
        return ListedTool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=arguments.schema(self.takes, defaults),
            output_schema=arguments.plain(self.gives.model_json_schema(mode="serialization")),
            annotations=ToolAnnotations(
                title=self.title,
                read_only_hint=self.hints.read_only,
                destructive_hint=self.hints.destructive,
                idempotent_hint=self.hints.idempotent,
                open_world_hint=self.hints.open_world,
            ),
        )

    async def called(self, call: Call, given: Mapping[str, Any]) -> CallToolResult:
        """What a call comes to. Raises Refused, and what the client raises."""
        answer = await self.run(call, arguments.read(self.takes, given, self.name))
        return CallToolResult(
            content=[
                TextContent(type="text", text=answer.told()),
                TextContent(type="text", text=answer.model_dump_json()),
            ],
            structured_content=answer.model_dump(mode="json"),
        )
