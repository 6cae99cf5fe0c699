"""The MCP server: hands what clients ask to tools, resources, prompts and subscriptions, and tells what went wrong."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import mcp_types as types
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.exceptions import MCPError

from emotional_ai.errors import EmotionalAIError
from emotional_ai.mcp_bridge import prompts, resources, uris
from emotional_ai.mcp_bridge.arguments import LONGEST_SHOWN
from emotional_ai.mcp_bridge.autostart import Starter
from emotional_ai.mcp_bridge.engine import Engine
from emotional_ai.mcp_bridge.refusals import Code, Refused, crashed, report
from emotional_ai.mcp_bridge.settings import Settings
from emotional_ai.mcp_bridge.subscriptions import Subscriptions
from emotional_ai.mcp_bridge.tool import Call, Tool
from emotional_ai.mcp_bridge.tools import offered

NAME: Final = "emotion_engine"
INSTRUCTIONS: Final = (
    "This server gives an agent a living emotional state: four simulated neurochemicals that events move and that drift back "
    "to rest. Call get_emotional_state before answering in character, update_emotion once for each thing that happens to the "
    "agent, explain_emotion when asked why it feels so. If a tool says the engine is down, engine_status tells how to start it."
)
ASKERS_FAULT: Final = frozenset({Code.INVALID_ARGUMENT, Code.NOT_FOUND})
"""Statuses that the protocol tells as wrong parameters; every other is no fault of who asked."""
MOST_COMPLETIONS: Final = 100
"""Completions the protocol allows in one answer."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """What lives as long as the server does."""

    engine: Engine
    subscriptions: Subscriptions


Context = ServerRequestContext[Bridge]


def server(settings: Settings, log: Path) -> Server[Bridge]:
    """A bridge to the service of `settings`; one it starts itself writes to `log`. Nothing is connected until it is used.

    Raises ValueError where a service could not be started although that is asked for.
    """
    starter = Starter(settings.target, log, credentials=settings.credentials) if settings.autostart else None

    @asynccontextmanager
    async def lifespan(_: Server[Bridge]) -> AsyncIterator[Bridge]:
        bus = InMemorySubscriptionBus()
        engine = Engine(settings, bus, starter)
        subscriptions = Subscriptions(engine, bus)
        try:
            yield Bridge(engine, subscriptions)
        finally:
            await subscriptions.close()
            await engine.close()

    handlers = _Handlers(settings)
    bridge = Server(
        NAME,
        version=version("emotional-ai"),
        title="Emotional AI",
        description="A living emotional state for AI agents.",
        instructions=INSTRUCTIONS,
        lifespan=lifespan,
        on_list_tools=handlers.list_tools,
        on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_resource_templates,
        on_read_resource=handlers.read_resource,
        on_subscribe_resource=handlers.subscribe,
        on_unsubscribe_resource=handlers.unsubscribe,
        on_subscriptions_listen=handlers.listen,
        on_list_prompts=handlers.list_prompts,
        on_get_prompt=handlers.get_prompt,
        on_completion=handlers.complete,
    )
    bridge.middleware.append(_arguments_named)
    return bridge


class _Handlers:
    """Answers requests, whichever client and era they come from."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tools: dict[str, Tool[Any]] = offered(settings)
        self._listed = [tool.listed({"session_id": settings.session}) for tool in self._tools.values()]

    async def list_tools(self, _: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=self._listed)

    async def call_tool(self, context: Context, asked: types.CallToolRequestParams) -> types.CallToolResult:
        tool = self._tools.get(asked.name)
        if tool is None:
            raise MCPError(types.INVALID_PARAMS, f"no tool {asked.name!r}; this bridge offers {', '.join(self._tools)}")
        try:
            return await tool.called(_call(context), asked.arguments or {})
        except (Refused, EmotionalAIError) as error:
            return _failed(self._told(error, changing=not tool.hints.read_only))
        except Exception as error:
            return _failed(crashed(error))

    async def list_resources(
        self, context: Context, _: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=await resources.listed(context.lifespan_context.engine))

    async def list_resource_templates(
        self, _: Context, __: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=list(resources.TEMPLATES))

    async def read_resource(self, context: Context, asked: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        uri = str(asked.uri)
        with self._told_by_protocol():
            text = await resources.read(_call(context), uri)
        if text is None:
            raise _nothing_at(uri)
        content = types.TextResourceContents(uri=uri, text=text, mime_type=resources.JSON)
        return types.ReadResourceResult(contents=[content])

    async def subscribe(self, context: Context, asked: types.SubscribeRequestParams) -> types.EmptyResult:
        uri = str(asked.uri)
        _check_watchable(uri)
        with self._told_by_protocol():
            await context.lifespan_context.subscriptions.subscribe(context.session, uri)
        return types.EmptyResult()

    async def unsubscribe(self, context: Context, asked: types.UnsubscribeRequestParams) -> types.EmptyResult:
        uri = str(asked.uri)
        _check_watchable(uri)
        await context.lifespan_context.subscriptions.unsubscribe(context.session, uri)
        return types.EmptyResult()

    async def listen(
        self, context: Context, asked: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        subscriptions = context.lifespan_context.subscriptions
        addresses = asked.notifications.resource_subscriptions or []
        for uri in addresses:
            _check_watchable(uri)
        with self._told_by_protocol():
            async with subscriptions.watching(addresses):
                return await subscriptions.listening(context, asked)

    async def list_prompts(self, _: Context, __: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[one.listed for one in prompts.RECIPES.values()])

    async def get_prompt(self, context: Context, asked: types.GetPromptRequestParams) -> types.GetPromptResult:
        with self._told_by_protocol():
            return await prompts.filled(_call(context), asked.name, asked.arguments or {})

    async def complete(self, context: Context, asked: types.CompleteRequestParams) -> types.CompleteResult:
        """Ids of sessions, wherever one is wanted; none with the engine down, for nobody asked for them in so many words."""
        if asked.argument.name != "session_id":
            return types.CompleteResult(completion=types.Completion(values=[]))
        found, every = await context.lifespan_context.engine.known(asked.argument.value, MOST_COMPLETIONS)
        return types.CompleteResult(completion=types.Completion(values=found, has_more=not every))

    def _told(self, error: Refused | EmotionalAIError, *, changing: bool = False) -> str:
        return str(error) if isinstance(error, Refused) else report(error, self._settings, changing=changing)

    @contextmanager
    def _told_by_protocol(self) -> Iterator[None]:
        """What goes wrong in the block becomes an error of the protocol, where an answer has no place for one."""
        try:
            yield
        except MCPError:
            raise
        except (Refused, EmotionalAIError) as error:
            wrong = types.INVALID_PARAMS if error.code in ASKERS_FAULT else types.INTERNAL_ERROR
            raise MCPError(wrong, self._told(error)) from error
        except Exception as error:
            raise MCPError(types.INTERNAL_ERROR, crashed(error)) from error


async def _arguments_named(ctx: Context, call_next: CallNext) -> HandlerResult:
    """Says what arguments must be before the SDK refuses others without a word about them."""
    given = (ctx.params or {}).get("arguments")
    if ctx.method == "tools/call" and given is not None and not isinstance(given, dict):
        shown = json.dumps(given)[:LONGEST_SHOWN]
        raise MCPError(types.INVALID_PARAMS, f"arguments must be an object, names and values, got {shown}")
    return await call_next(ctx)


def _call(context: Context) -> Call:
    async def progress(done: float, total: float, message: str) -> None:
        await context.session.report_progress(done, total, message)

    return Call(context.lifespan_context.engine, progress)


def _failed(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)


def _nothing_at(uri: str) -> MCPError:
    there = ", ".join((uris.INFO, uris.SESSIONS, uris.SCHEMA, uris.STATE, uris.HISTORY))
    return MCPError(types.INVALID_PARAMS, f"nothing is at {uri}; there are {there}", {"uri": uri})


def _check_watchable(uri: str) -> None:
    if uris.watched(uri) is None:
        raise MCPError(types.INVALID_PARAMS, f"{uri} cannot be subscribed to; {uris.STATE} can", {"uri": uri})
