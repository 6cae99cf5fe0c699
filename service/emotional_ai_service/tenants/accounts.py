"""What every rpc costs its tenant, and what it leaves in the audit log: put around a servicer inside the guard.

A rule that no setting asks for is not there at all, so a service without limits and audit pays nothing.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from emotional_ai_service.decoding.messages import DEFAULT_MAX_TOKENS
from emotional_ai_service.guard import Context
from emotional_ai_service.tenants.audit import Audit
from emotional_ai_service.tenants.engines import Engines
from emotional_ai_service.tenants.ledger import BEGINS, CHANGES, Account, Entry
from emotional_ai_service.tenants.meter import Meter, Reply
from emotional_ai_service.tenants.meters import Meters

Servicer = TypeVar("Servicer")
Check = Callable[[Message], None]
Unary = Callable[[Message, Context[Message, Message]], Awaitable[Message]]
Stream = Callable[[Message, Context[Message, Message]], AsyncIterator[Message]]
Duplex = Callable[[AsyncIterator[Message], Context[Message, Message]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Accounts:
    """What is kept of calls; None for what is not."""

    engines: Engines
    meters: Meters | None = None
    audit: Audit | None = None

    def around(
        self, servicer: Servicer, service: ServiceDescriptor, check: Check
    ) -> tuple[Servicer, ServiceDescriptor, Check]:
        """What the guard is to be put around: the servicer, its methods changed in place, and the check that is left.

        Requests are checked inside, so that a call counts whatever is in it.
        """
        if self.meters is None and self.audit is None:
            return servicer, service, check
        for method in service.methods:
            if method.name in vars(type(servicer)):
                setattr(servicer, method.name, self._around(getattr(servicer, method.name), method, check))
        return servicer, service, _unchecked

    def _around(self, inner: Any, method: MethodDescriptor, check: Check) -> Any:
        audited = self.audit is not None and method.full_name in CHANGES
        if method.client_streaming:
            return self._duplex(inner, method)
        if method.server_streaming:
            speaks = "sampling" in method.input_type.fields_by_name
            counted = _metered_stream(inner, check, self.meters, speaks=speaks)
            return self._audited_stream(counted, method) if audited else counted
        metered = self._metered(inner, method, check)
        return self._audited(metered, method) if audited else metered

    def _metered(self, inner: Unary, method: MethodDescriptor, check: Check) -> Unary:
        meters, begins = self.meters, self.meters is not None and method.full_name in BEGINS

        async def answered(request: Message, context: Context[Message, Message]) -> Message:
            if meters is not None:
                meters.mine().call()
            check(request)
            if begins:
                await self.engines.counted()
            return await inner(request, context)

        return answered

    def _audited(self, inner: Unary, method: MethodDescriptor) -> Unary:
        audit, entry = self.audit, Entry(method)
        assert audit is not None

        async def answered(request: Message, context: Context[Message, Message]) -> Message:
            audit.check()
            account = Account(audit, entry, context, request)
            try:
                response = await inner(request, context)
            except BaseException as error:
                await account.failed(error)
                raise
            await account.done(response)
            return response

        return answered

    def _audited_stream(self, inner: Stream, method: MethodDescriptor) -> Stream:
        audit, entry = self.audit, Entry(method)
        assert audit is not None

        async def answered(request: Message, context: Context[Message, Message]) -> AsyncGenerator[Message, None]:
            audit.check()
            account = Account(audit, entry, context, request)
            try:
                async with aclosing(inner(request, context)) as responses:  # type: ignore[type-var]
                    async for response in responses:
                        yield response
            except BaseException as error:
                await account.failed(error)
                raise
            await account.done()

        return answered

    def _duplex(self, inner: Duplex, method: MethodDescriptor) -> Duplex:
        meters, audit, entry = self.meters, self.audit, Entry(method)

        async def answered(requests: AsyncIterator[Message], context: Context[Message, Message]) -> None:
            account = None
            if audit is not None:
                audit.check()
                account = Account(audit, entry, context)
            meter = None if meters is None else meters.mine()
            try:
                if meter is None:
                    await _read(inner, requests, context, account, meter)
                else:
                    meter.call()
                    with meter.stream():
                        await _read(inner, requests, context, account, meter)
            except BaseException as error:
                if account is not None:
                    await account.failed(error)
                raise
            if account is not None:
                await account.done()

        return answered


def _unchecked(_request: Message) -> None:
    """Nothing is left to check."""


async def _read(
    inner: Duplex,
    requests: AsyncIterator[Message],
    context: Context[Message, Message],
    account: Account | None,
    meter: Meter | None,
) -> None:
    async with aclosing(_counted(requests, account, meter)) as counted:
        await inner(counted, context)


async def _counted(
    requests: AsyncIterator[Message], account: Account | None, meter: Meter | None
) -> AsyncGenerator[Message, None]:
    """The requests of a stream, each batch in its turn, noted for the audit log."""
    async for request in requests:
        if account is not None:
            account.heard(request)
        if meter is not None and request.HasField("batch"):
            await meter.turn()
        yield request


def _metered_stream(inner: Stream, check: Check, meters: Meters | None, *, speaks: bool) -> Stream:
    if meters is None:

        async def checked(request: Message, context: Context[Message, Message]) -> AsyncGenerator[Message, None]:
            check(request)
            async with aclosing(inner(request, context)) as responses:  # type: ignore[type-var]
                async for response in responses:
                    yield response

        return checked

    async def answered(request: Any, context: Context[Message, Message]) -> AsyncGenerator[Message, None]:
        meter = meters.mine()
        meter.call()
        check(request)
        with meter.reply(_most_tokens(request)) if speaks else meter.stream() as reply:
            async with aclosing(inner(request, context)) as responses:  # type: ignore[type-var]
                async for response in responses:
                    if reply is not None:
                        _count(reply, response)
                    yield response

    return answered


def _count(reply: Reply, response: Any) -> None:
    if response.HasField("text"):
        reply.tokens += response.text.token_count
    elif response.HasField("finished"):
        reply.tokens = response.finished.usage.completion_tokens


def _most_tokens(request: Any) -> int:
    """Tokens a reply may have."""
    given = request.sampling
    return int(given.max_tokens) if given.HasField("max_tokens") else DEFAULT_MAX_TOKENS
