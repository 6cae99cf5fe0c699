"""One service, or several replicas of it, named in one text: `HOST:PORT`, or numeric addresses joined by commas.

How calls spread is gRPC's own affair: round robin over every address that answers and says by the health protocol that it
serves, so that a replica on its way down gets no further call. A name is looked up again when a connection breaks, and every
address it has is used; several addresses in a row must be numeric, since gRPC takes a list of nothing else.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Final

SEPARATOR: Final = ","
SCHEMES: Final = ("dns:", "ipv4:", "ipv6:", "unix:", "unix-abstract:", "vsock:", "xds:")
"""Of targets that are gRPC's own, and reach it as they are."""
WITH_PORTS: Final = ("dns:", "ipv4:", "ipv6:")
"""Schemes whose targets end in ports."""
LAST_PORT: Final = 65_535
SPREADING: Final[Mapping[str, object]] = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": ""},
}
"""Of the service config: one call after another goes to the next replica that serves."""
LOOKED_UP_AGAIN_MS: Final = 1_000
"""Least time between two look-ups of a name, so that a replica that moved is found again soon."""


def joined(target: str | Sequence[str]) -> str:
    """A target as one text. Raises ValueError for none, a port there is not, and several that gRPC could not take together."""
    texts = addresses(target) if isinstance(target, str) else tuple(target)
    text = SEPARATOR.join(texts)
    if len(texts) != 1:
        _versions(text, texts)
    elif not text.strip():
        raise ValueError(f"a target is HOST:PORT, such as 127.0.0.1:50051; got {text!r}")
    for one in texts:
        _check_ports(one)
    return text


def addresses(target: str) -> tuple[str, ...]:
    """The addresses of a target, one unless it names several."""
    return (target,) if target.startswith(SCHEMES) else tuple(part.strip() for part in target.split(SEPARATOR))


def spread(target: str) -> bool:
    """Whether calls spread over what a target names: several addresses, or a name, which may have several."""
    if target.startswith(SCHEMES):
        return target.startswith("dns:") or SEPARATOR in target
    several = addresses(target)
    return len(several) > 1 or _numeric(several[0]) is None


def uri(target: str) -> str:
    """A target as gRPC takes it."""
    several = addresses(target)
    if len(several) == 1:
        return target
    version = _versions(target, several)
    return f"ipv{version}:{SEPARATOR.join(one.replace('localhost', '127.0.0.1') for one in several)}"


def authority(target: str) -> str | None:
    """The name certificates must show where several addresses are named: that of the first; None where gRPC knows it."""
    several = addresses(target)
    return host(several[0]).strip("[]") if len(several) > 1 else None


def host(address: str) -> str:
    """HOST of HOST:PORT."""
    return address.rpartition(":")[0] or address


def _check_ports(text: str) -> None:
    """Raises ValueError for a number that is no port; gRPC would take another in its place."""
    scheme = next((one for one in SCHEMES if text.startswith(one)), "")
    if scheme and scheme not in WITH_PORTS:
        return
    for address in text.removeprefix(scheme).split(SEPARATOR):
        number = _number(address)
        if number is not None and not 1 <= number <= LAST_PORT:
            raise ValueError(f"a port is in 1..{LAST_PORT}, such as 50051; got {address!r}")


def _number(address: str) -> int | None:
    """The number after the last colon; None for an address of IPv6 without a port, and for the name of a service."""
    before, colon, port = address.rpartition(":")
    if not colon or (":" in before and not before.endswith("]")):
        return None
    try:
        return int(port)
    except ValueError:
        return None


def _versions(target: str, several: Sequence[str]) -> int:
    """4 or 6, that of every address."""
    versions = {_numeric(one) for one in several}
    if len(versions) != 1 or None in versions:
        raise ValueError(
            f"several addresses must be numeric, all IPv4 or all IPv6, such as 10.0.0.1:50051,10.0.0.2:50051; got {target!r}. "
            "Hosts with names belong under one name: every address it has is used"
        )
    return versions.pop() or 0


def _numeric(address: str) -> int | None:
    """The version of the protocol a numeric address belongs to; None for a name. `localhost` is 127.0.0.1 here."""
    if host(address) == "localhost":
        return 4
    try:
        return ipaddress.ip_address(host(address).strip("[]")).version
    except ValueError:
        return None
