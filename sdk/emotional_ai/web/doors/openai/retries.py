"""Which requests are the same one sent again: their words must not move the state twice.

A request with an `Idempotency-Key` says so itself. OpenAI's own clients send none, but count their retries; the count and the
same bytes from the same caller tell that a request was here before.
"""

import hashlib
from collections import OrderedDict
from typing import Final, TypeVar

from starlette.requests import Request

from emotional_ai.calls import new_request_id
from emotional_ai.web.doors.openai.refusals import Refused

K = TypeVar("K")
V = TypeVar("V")

KEY: Final = "idempotency-key"
LONGEST_KEY: Final = 128
"""Characters the contract lets a request_id have."""
COUNT: Final = "x-stainless-retry-count"
"""Header by which OpenAI's clients count retries, from 0."""
REMEMBERED: Final = 4096
"""Requests that are known again, the latest ones."""


class Retries:
    """Gives each request its request_id, a repeated one the id it had."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._ids: OrderedDict[bytes, str] = OrderedDict()
        self._keyed: OrderedDict[str, bytes] = OrderedDict()
        """Digest of the request that came with a key."""

    def request_id(self, request: Request, body: bytes) -> str:
        """The id under which the words of a request move the state, once.

        Raises Refused for a key that is too long, or that came with another request.
        """
        key = request.headers.get(KEY, "")
        if len(key) > LONGEST_KEY:
            raise Refused(
                f"Idempotency-Key has {len(key)} characters; it has at most {LONGEST_KEY}", param="Idempotency-Key"
            )
        if not key:
            return self._by_count(request, body)
        digest = hashlib.sha256(body).digest()
        known = self._keyed.get(key, digest)
        self._remember(self._keyed, key, known)
        if known != digest:
            raise Refused(
                "this Idempotency-Key came with another request before; give each request a key of its own",
                param="Idempotency-Key",
                code="idempotency_key_reused",
            )
        return key

    def _by_count(self, request: Request, body: bytes) -> str:
        caller = f"{request.client.host if request.client else ''} {request.headers.get('authorization', '')}"
        digest = hashlib.sha256(caller.encode() + b"\n" + body).digest()
        known = self._ids.get(digest) if request.headers.get(COUNT, "0") != "0" else None
        return self._remember(self._ids, digest, known or new_request_id())

    def _remember(self, among: OrderedDict[K, V], key: K, value: V) -> V:
        """Keeps a value as the latest one, and forgets the oldest beyond what is remembered."""
        among[key] = value
        among.move_to_end(key)
        if len(among) > self._remembered:
            among.popitem(last=False)
        return value
