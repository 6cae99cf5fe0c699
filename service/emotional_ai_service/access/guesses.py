"""How often an address may show tokens that are not known.

A secret of 256 bits cannot be guessed at any rate, so a token that is known passes always, also from an address that others
guess from: shutting it out would let a neighbour behind one address translator shut out everybody there. What is limited is
what a guess gets and costs: beyond the limit it is told to wait and is not logged.
"""

import ipaddress
from collections import OrderedDict
from typing import Final
from urllib.parse import unquote

from emotional_ai_service.bucket import TokenBucket

BURST: Final = 20
"""Wrong tokens in a row that are answered as such."""
PER_SECOND: Final = 1.0
"""Wrong tokens a second that are, after those."""
ADDRESSES: Final = 4096
"""Addresses remembered; those heard of longest ago are forgotten."""


class Guesses:
    """Counts wrong tokens by address, in bounded memory."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def wait(self, peer: str, now: float) -> float:
        """Counts a wrong token of a peer, as gRPC names it. Returns the seconds it has to wait; 0 within the limit.

        `now` is in seconds, of any clock that does not go back.
        """
        address = address_of(peer)
        bucket = self._buckets.setdefault(address, TokenBucket(BURST, PER_SECOND, now))
        self._buckets.move_to_end(address)
        if len(self._buckets) > ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket.take(1, now)


def address_of(peer: str) -> str:
    """The address of a peer without its port; of IPv6 the network of 64 bits, which is given to one household or host."""
    kind, _, rest = unquote(peer).partition(":")
    if kind != "ipv6":
        return rest.rpartition(":")[0] if kind == "ipv4" else kind
    try:
        address = ipaddress.IPv6Address(rest.rpartition(":")[0].strip("[]").partition("%")[0])
    except ValueError:
        return kind
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False))
