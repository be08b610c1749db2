"""Webhook addresses: where messages to others may go, and the guard that keeps them from going anywhere else.

A stranger chooses the address, and we stand inside: it must not lead to this machine, to its neighbours, or to the
services of a cloud. So a name is resolved once, every address that it has is judged, and the connection is made to the
address that was judged (OWASP: server-side request forgery; RFC 6890 for the special networks).
"""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

import msgspec

from ledger.errors import UrlNotAllowed

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Beside what `is_global` says: ways to write an IPv4 address as an IPv6 one, and what is global by its book only.
_NEVER: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "::/96",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2001::/32",
            "2002::/16",
            "fec0::/10",
            "192.0.0.0/24",
            "192.88.99.0/24",
            "100.64.0.0/10",
        ),
    )
)
_HTTPS = 443
_FIRST_FREE_PORT = 1_024


class Place(msgspec.Struct, frozen=True):
    """Where to connect to: an address that was judged, and the name that the server has to prove."""

    scheme: str
    host: str
    address: str
    port: int
    target: str
    """Path and query."""


def parts_of(url: str) -> SplitResult:
    """The parts of an address that makes sense by itself; raises UrlNotAllowed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlNotAllowed(pointer="/url") from None
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise UrlNotAllowed(pointer="/url")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UrlNotAllowed(pointer="/url")
    return parts


def is_public(address: Address) -> bool:
    """Whether this is an address on the public internet, however it is written."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    if mapped is not None:
        return is_public(mapped)
    special = address.is_multicast or address.is_unspecified or address.is_reserved
    inside = any(address.version == network.version and address in network for network in _NEVER)
    return address.is_global and not special and not inside


class AddressRule:
    """Which addresses may be sent to: public ones over https, and whatever lies in `also` (for tests and own networks).

    In `also`, http and every port are allowed.
    """

    def __init__(self, also: Iterable[str] = ()) -> None:
        """Raises ValueError for what is no network."""
        self._also: tuple[Network, ...] = tuple(map(ip_network, also))

    async def place_of(self, url: str) -> Place:
        """Where this address leads now; raises UrlNotAllowed, or OSError for a name that nobody knows."""
        parts = parts_of(url)
        host = str(parts.hostname)
        port = parts.port or (_HTTPS if parts.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(address[4][0]).partition("%")[0]) for address in found]
        if not addresses:
            raise OSError(f"{host} has no address")
        for address in addresses:
            self._judge(parts.scheme, port, address)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Place(parts.scheme, host, str(addresses[0]), port, target)

    async def check(self, url: str) -> None:
        """Whether one may register this address; a name that nobody knows yet is judged when it is sent to."""
        parts = parts_of(url)
        try:
            await self.place_of(url)
        except OSError:
            if parts.scheme != "https" or not _is_usual(parts.port):
                raise UrlNotAllowed(pointer="/url") from None

    def _judge(self, scheme: str, port: int, address: Address) -> None:
        if any(address.version == network.version and address in network for network in self._also):
            return
        if scheme != "https" or not _is_usual(port) or not is_public(address):
            raise UrlNotAllowed(pointer="/url")


def _is_usual(port: int | None) -> bool:
    """Whether something that answers to https may be expected at this port."""
    return port is None or port == _HTTPS or port >= _FIRST_FREE_PORT
