"""The channels from the doors to the service."""

from typing import Any, Final

from connectrpc.method import MethodInfo
from google.protobuf.message import Message
from grpc import ChannelCredentials, aio

from emotional_ai.connection import Metadata, Option, async_channel, call_metadata, channel_options, watch_options

Method = MethodInfo[Message, Message]

OWN: Final[dict[str, str | int]] = {"grpc.enable_retries": 0, "grpc.max_reconnect_backoff_ms": 1_000}
"""A request of a stranger may lack the request_id that makes a second sending safe, so nothing is sent twice here; and a
service that is back is found within a second."""


class Upstream:
    """Calls methods of the service by their description; made while the event loop runs that uses it.

    `token` is sent to the service as a bearer token with every call; `credentials` encrypt the way, if given. Raises ValueError
    for a token that would cross a network in the clear. Nothing else of a caller's own is sent than the request and its
    deadline.
    """

    def __init__(self, target: str, token: str | None = None, credentials: ChannelCredentials | None = None) -> None:
        self.target = target
        self.metadata: Metadata = call_metadata(target, credentials, token)
        self._channel = async_channel(target, credentials, _own(channel_options(target)))
        self._streams = async_channel(target, credentials, _own(watch_options(target)))

    def unary(self, method: Method) -> aio.UnaryUnaryMultiCallable[Message, Message]:
        """A method of one response."""
        return self._channel.unary_unary(_path(method), **_forms(method))

    def server_stream(self, method: Method) -> aio.UnaryStreamMultiCallable[Message, Message]:
        """A method of one request, over a channel that takes in little ahead of its reader: what is read is recent."""
        return self._streams.unary_stream(_path(method), **_forms(method))

    def duplex(self, method: Method) -> aio.StreamStreamMultiCallable[Message, Message]:
        """A method of a stream of requests."""
        return self._streams.stream_stream(_path(method), **_forms(method))

    async def close(self) -> None:
        """Closes the connections; calls still open end as unavailable."""
        await self._channel.close(None)
        await self._streams.close(None)


def _path(method: Method) -> str:
    return f"/{method.service_name}/{method.name}"


def _forms(method: Method) -> dict[str, Any]:
    return {"request_serializer": method.input.SerializeToString, "response_deserializer": method.output.FromString}


def _own(options: list[Option]) -> list[Option]:
    return [*(option for option in options if option[0] not in OWN), *OWN.items()]
