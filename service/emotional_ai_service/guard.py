"""The edge every rpc passes: who calls and the rules of the contract on the way in, errors as statuses on the way out."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from functools import partial
from typing import NoReturn, TypeVar

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from grpc.aio import ServicerContext
from grpc_status import rpc_status

from emotional_ai_service.access import SCOPES, Call, Gate
from emotional_ai_service.malformed import unless_read
from emotional_ai_service.refusal import Code, status_of

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Servicer = TypeVar("Servicer")
Context = ServicerContext[Request, Response]

Admit = Callable[[Call], object]
"""Lets a call in, and sets its caller."""
Hold = Callable[[Call], AbstractAsyncContextManager[None]]
"""Lets a stream in, and ends it once its token no longer holds."""


def guard(
    servicer: Servicer, service: ServiceDescriptor, check: Callable[[Message], None], gate: Gate | None = None
) -> Servicer:
    """Puts the edge around every method of a servicer, in place; `check` raises for a request that breaks a rule.

    `gate` says who calls; without one everybody may do everything.

    A stream of requests is not checked here: its servicer checks each message as it comes. A method the servicer only inherits
    from the generated base answers UNIMPLEMENTED.
    """
    for method in service.methods:
        if method.name not in vars(type(servicer)):
            setattr(servicer, method.name, _unimplemented(method.full_name))
            continue
        inner = getattr(servicer, method.name)
        hold: Hold = _free if gate is None else partial(gate.hold, SCOPES[method.full_name])
        if method.client_streaming:
            setattr(servicer, method.name, _duplex(inner, hold))
        elif method.server_streaming:
            setattr(servicer, method.name, _server_stream(inner, check, hold))
        else:
            admit: Admit | None = None if gate is None else partial(gate.admit, SCOPES[method.full_name])
            setattr(servicer, method.name, _unary(inner, check, admit))
    return servicer


def _free(_call: Call) -> AbstractAsyncContextManager[None]:
    return nullcontext()


def _unimplemented(name: str) -> Callable[..., Awaitable[None]]:
    async def answered(_request: Message, context: Context[Message, Message]) -> None:
        await context.abort(Code.UNIMPLEMENTED, f"{name} is in the contract, and not served by this version")

    return answered


def _unary(
    inner: Callable[..., Awaitable[Response]], check: Callable[[Message], None], admit: Admit | None
) -> Callable[..., Awaitable[Response]]:
    async def answered(request: Request, context: Context[Request, Response]) -> Response:
        try:
            if admit is not None:
                admit(context)
            unless_read(request)
            check(request)
            return await inner(request, context)
        except Exception as error:
            await refuse(context, error)

    return answered


def _server_stream(
    inner: Callable[..., AsyncIterator[Response]], check: Callable[[Message], None], hold: Hold
) -> Callable[..., Awaitable[None]]:
    # Writes by itself: a generator that gRPC drives would not be running when its token lapses.
    async def answered(request: Request, context: Context[Request, Response]) -> None:
        try:
            async with hold(context):
                unless_read(request)
                check(request)
                async with aclosing(inner(request, context)) as responses:  # type: ignore[type-var]
                    async for response in responses:
                        await context.write(response)
        except Exception as error:
            await refuse(context, error)

    return answered


def _duplex(inner: Callable[..., Awaitable[None]], hold: Hold) -> Callable[..., Awaitable[None]]:
    async def answered(requests: AsyncIterator[Request], context: Context[Request, Response]) -> None:
        try:
            async with hold(context), aclosing(_read(requests)) as read:
                await inner(read, context)
        except Exception as error:
            await refuse(context, error)

    return answered


async def _read(requests: AsyncIterator[Request]) -> AsyncGenerator[Request, None]:
    async for request in requests:
        unless_read(request)
        yield request


async def refuse(context: Context[Request, Response], error: Exception) -> NoReturn:
    """Ends the rpc with the status the table gives the error."""
    if isinstance(error, grpc.RpcError | grpc.aio.AbortError):
        raise error
    status = rpc_status.to_status(status_of(error))
    # An abort would drop what was to be told before.
    told = (*(context.trailing_metadata() or ()), *status.trailing_metadata)
    await context.abort(status.code, status.details, told)
    raise AssertionError("abort returned")
