"""The connections that libcurl keeps, as far as we have to know them: which socket each is."""

import os
import select
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

IDLE_SECONDS = 5

Address = tuple[object, ...]
"""A connection as libcurl names it: the addresses and the ports of both ends."""


class KeptConnections:
    """Looks at a kept connection before it is used again; of one thread.

    What is sent into a connection that the other end is closing has an unknown outcome, and libcurl takes it for
    granted that one still stands which was idle for less than a second.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._kept: dict[Address, _Kept] = {}
        self._addresses: dict[int, Address] = {}

    def add(self, address: Address, opened: Sequence[int]) -> None:
        """A connection stands; its socket is one of these, of which others lost the race to connect."""
        for descriptor in opened:
            if _port(descriptor) == address[-1]:
                self._forget(descriptor)
                self._kept[address] = _Kept(descriptor, self._monotonic())
                self._addresses[descriptor] = address

    def used(self, address: Address) -> None:
        """An exchange has ended on it."""
        self._kept[address].used_at = self._monotonic()

    def shut_if_unfit(self, address: Address) -> bool:
        """Whether a connection was idle for too long, is closing, or has something to say that nobody asked for.

        It takes nothing more then: libcurl can't send into it, and opens another.
        """
        kept = self._kept[address]
        is_unfit = self._monotonic() - kept.used_at > IDLE_SECONDS or _is_readable(kept.descriptor)
        if is_unfit:
            with _opened(kept.descriptor) as unfit:
                unfit.shutdown(socket.SHUT_RDWR)
        return is_unfit

    def _forget(self, descriptor: int) -> None:
        """A connection that is closed had that number."""
        address = self._addresses.pop(descriptor, None)
        if address is not None and address in self._kept and self._kept[address].descriptor == descriptor:
            del self._kept[address]


@dataclass(slots=True)
class _Kept:
    descriptor: int
    used_at: float


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _port(descriptor: int) -> int | None:
    """Of our end; None if it is closed."""
    try:
        with _opened(descriptor) as found:
            port: int = found.getsockname()[1]
            return port
    except OSError:
        return None


def _opened(descriptor: int) -> socket.socket:
    """The socket of libcurl's, to be closed without closing it for libcurl."""
    return socket.socket(fileno=os.dup(descriptor))
