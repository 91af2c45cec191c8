"""Which addresses a webhook may be sent to: public ones, and private ones that the settings name."""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Sequence[str]]

LOOPBACK = "a loopback address"
METADATA = "the metadata service of a cloud"
MAX_URL_CHARS = 2000

REFUSED: Mapping[str, Sequence[str]] = {
    # First, as some lie in networks that somebody may want to allow.
    METADATA: (
        "169.254.169.254/32",
        "168.63.129.16/32",
        "100.100.100.200/32",
        "192.0.0.192/32",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
    ),
    "an unspecified address": ("0.0.0.0/8", "::/128"),
    LOOPBACK: ("127.0.0.0/8", "::1/128"),
    "a private address": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    "a link-local address": ("169.254.0.0/16", "fe80::/10"),
    "a carrier's NAT address": ("100.64.0.0/10",),
    # Each of these holds an IPv4 address, which the network between may turn it into.
    "an IPv4 address in IPv6": ("::ffff:0:0/96", "::/96"),
    "a NAT64 address": ("64:ff9b::/96", "64:ff9b:1::/48"),
    "a 6to4 address": ("2002::/16", "192.88.99.0/24"),
    "a Teredo address": ("2001::/32",),
    "a multicast address": ("224.0.0.0/4", "ff00::/8"),
    "a reserved address": (
        "192.0.0.0/24",
        "192.0.2.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
    ),
}
"""What each kind of address is called, and its networks: the IANA registries of special-purpose addresses, and where
clouds tell a machine its secrets."""

_HOST = re.compile(r"[a-z0-9._:-]+")
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")  # all that IANA has given out of IPv6
_NETWORKS = {words: tuple(map(ipaddress.ip_network, networks)) for words, networks in REFUSED.items()}


class AddressRefused(OSError):
    """A webhook must not be sent there. It says what kind of address it is, and not which: names of ours that are
    nobody's business resolve too."""


def resolve(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, by the resolver of this machine."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Guard:
    """Says where webhooks may go. `allows_loopback` is for development: then http is allowed too, to loopback alone."""

    allows_loopback: bool = False
    private_networks: Sequence[Network] = ()
    resolve: Resolve = resolve

    def addresses(self, host: str, port: int, *, is_plain: bool) -> Sequence[str]:
        """The addresses of a host, each of which may be connected to.

        Every one is looked at: whoever answers for a name may mix what is allowed with what is not.

        Raises:
            AddressRefused: one of them may not, or, on plain http, is none of loopback.
            OSError: the host can't be resolved.
        """
        found = self.resolve(host, port)
        for each in found:
            self._check(ipaddress.ip_address(each), is_plain=is_plain)
        if not found:
            raise OSError("the name has no address")
        return found

    def refusal_of(self, url: str) -> str | None:
        """What is wrong with a URL, as far as it can be told without asking for its name; None: nothing."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return "It is not a URL."
        if not (url.isascii() and url.isprintable()) or " " in url or len(url) > MAX_URL_CHARS:
            return f"A URL has at most {MAX_URL_CHARS} printable ASCII characters."
        if host is None or not _HOST.fullmatch(host) or port == 0 or "@" in parts.netloc or parts.fragment:
            return "It must name a host, and neither a user nor a fragment."
        if parts.scheme != "https" and not (parts.scheme == "http" and self.allows_loopback and _is_loopback(host)):
            return "It must be https" + (", or http to loopback." if self.allows_loopback else ".")
        return self._refusal_of_literal(host)

    def _refusal_of_literal(self, host: str) -> str | None:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return None
        words = self._refusal(address)
        return None if words is None else f"It leads to {words}."

    def _check(self, address: Address, *, is_plain: bool) -> None:
        words = self._refusal(address)
        if words is None and is_plain and not address.is_loopback:
            words = "another machine, over http"
        if words is not None:
            raise AddressRefused(f"the name leads to {words}")

    def _refusal(self, address: Address) -> str | None:
        words = _kind(address)
        if words is None or words == METADATA:
            return words
        if words == LOOPBACK and self.allows_loopback:
            return None
        return None if _is_in(address, self.private_networks) else words


def _kind(address: Address) -> str | None:
    """What an address is called that is not public; None for one that is."""
    for words, networks in _NETWORKS.items():
        if _is_in(address, networks):
            return words
    is_given_out = address.version == 4 or address in _GLOBAL_UNICAST
    return None if address.is_global and is_given_out else "a reserved address"


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
