"""Exchanges side by side in one thread: libcurl's multi interface over epoll."""

import os
import select
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Generic, TypeVar

import pycurl

from app.providers.curl_connections import KeptConnections
from app.providers.curl_line import Line
from app.providers.dialogues import NoAnswer, NotSent, Request, Response

Owner = TypeVar("Owner")

_WATCHED = {
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}


class Bell:
    """Wakes the thread that waits for exchanges. Any thread may ring; many rings are one."""

    def __init__(self) -> None:
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._is_rung = False

    def ring(self) -> None:
        if not self._is_rung:
            self._is_rung = True
            os.eventfd_write(self.descriptor, 1)

    def silence(self) -> None:
        """To be called before looking at what it was rung for."""
        os.eventfd_read(self.descriptor)
        self._is_rung = False

    def close(self) -> None:
        os.close(self.descriptor)


class Exchanges(Generic[Owner]):
    """What is under way, each with its owner. Made, used and closed by one thread."""

    _now: Callable[[], float] = staticmethod(time.monotonic)

    def __init__(
        self, at_once: int, connect_timeout_seconds: float, monotonic: Callable[[], float], bell: Bell
    ) -> None:
        self._new_line = partial(Line, KeptConnections(monotonic), connect_timeout_seconds)
        self._bell = bell
        self._free: list[Line] = []
        self._under_way: dict[pycurl.Curl, tuple[Line, Owner]] = {}
        self._watched: set[int] = set()
        self._alarm_at: float | None = None
        self._epoll = select.epoll()
        self._epoll.register(bell.descriptor, select.EPOLLIN)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, at_once)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_alarm)

    def begin(self, owner: Owner, request: Request, seconds: float) -> None:
        """Begin an exchange that is over in so many seconds.

        Raises:
            NotSent: no time is left, or the request can't be written.
        """
        line = self._free.pop() if self._free else self._new_line()
        try:
            line.prepare(request, seconds)
        except NotSent:
            self._free.append(line)
            raise
        self._under_way[line.curl] = line, owner
        self._multi.add_handle(line.curl)

    def wait(self, seconds: float | None) -> None:
        """Let libcurl work as soon as it can, or until the bell rings or so many seconds are over."""
        times = [seconds, None if self._alarm_at is None else self._alarm_at - self._now()]
        patience = min((max(0.0, each) for each in times if each is not None), default=None)
        for descriptor, events in self._epoll.poll(patience):
            if descriptor == self._bell.descriptor:
                self._bell.silence()
            else:
                self._multi.socket_action(descriptor, _selected(events))
        if self._alarm_at is not None and self._alarm_at <= self._now():
            self._alarm_at = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def ended(self) -> Iterator[tuple[Owner, Response | NotSent | NoAnswer]]:
        """What has ended since it was last asked, and with what."""
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read()
            for curl, code, message in [*((curl, pycurl.E_OK, "") for curl in succeeded), *failed]:
                self._multi.remove_handle(curl)
                line, owner = self._under_way.pop(curl)
                self._free.append(line)
                yield owner, line.heard(code, message)

    def close(self) -> None:
        """End what is under way, and close the connections."""
        for curl in self._under_way:
            self._multi.remove_handle(curl)
        self._multi.close()
        self._epoll.close()

    def _watch(self, what: int, descriptor: int, *_: object) -> None:
        if what == pycurl.POLL_REMOVE:
            self._watched.discard(descriptor)
            self._epoll.unregister(descriptor)
        elif descriptor in self._watched:
            self._epoll.modify(descriptor, _WATCHED[what])
        else:
            self._watched.add(descriptor)
            self._epoll.register(descriptor, _WATCHED[what])

    def _set_alarm(self, milliseconds: int) -> None:
        self._alarm_at = None if milliseconds < 0 else self._now() + milliseconds / 1000


def _selected(events: int) -> int:
    """epoll's events in libcurl's words; of an error it learns when it reads."""
    can_read = pycurl.CSELECT_IN if events & ~select.EPOLLOUT else 0
    return can_read | (pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0)
