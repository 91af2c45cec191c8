"""A link of the proxy passes everything until it is told to break it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

import pytest

from tests.chaos.proxy import Mode, Proxy


class Echo:
    """A server that says everything back; `heard` is what came."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard = b""
        self._threads: list[threading.Thread] = []
        self._start(self._serve)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # so that whoever accepts hears of it
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._start(self._talk, connection)

    def _start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _talk(self, connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            while piece := connection.recv(100):
                self.heard += piece
                connection.sendall(piece)


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as server:
        yield server


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    """One with a link to the echo, named `link`."""
    with Proxy() as running:
        running.link("link", echo.port)
        yield running


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.links["link"].port), timeout=5)


def test_a_link_passes_what_is_said_and_the_end_of_it(proxy: Proxy) -> None:
    with connected(proxy) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""


def test_a_link_that_is_cut_resets_old_connections_and_new_ones(proxy: Proxy) -> None:
    with connected(proxy) as connection:
        connection.sendall(b"hello")
        connection.recv(100)
        proxy.use("link", Mode.CUT)
        with pytest.raises(ConnectionResetError):
            connection.recv(100)
    with pytest.raises(ConnectionResetError), connected(proxy) as connection:
        connection.recv(100)
    proxy.use("link", Mode.PASS)
    with connected(proxy) as connection:
        connection.sendall(b"hello")
        assert connection.recv(100) == b"hello"


def test_a_link_that_is_stalled_delivers_afterwards(proxy: Proxy, echo: Echo) -> None:
    proxy.use("link", Mode.STALL)
    with connected(proxy) as connection:
        connection.sendall(b"hello")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(100)
        assert echo.heard == b""
        proxy.use("link", Mode.PASS)
        connection.settimeout(5)
        assert connection.recv(100) == b"hello"


def test_a_link_that_is_muted_delivers_the_question_and_not_the_answer(proxy: Proxy, echo: Echo) -> None:
    with connected(proxy) as connection:
        proxy.use("link", Mode.MUTE)
        connection.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            connection.recv(100)
    assert echo.heard == b"hello"


def test_a_link_that_leads_elsewhere_leaves_connections_where_they_are(proxy: Proxy, echo: Echo) -> None:
    with closing(Echo()) as other, connected(proxy) as old:
        old.sendall(b"first, ")
        old.recv(100)
        proxy.lead("link", other.port)
        with connected(proxy) as new:
            new.sendall(b"second")
            assert new.recv(100) == b"second"
        old.sendall(b"third")
        assert old.recv(100) == b"third"
        assert (echo.heard, other.heard) == (b"first, third", b"second")


def test_a_link_to_nobody_is_a_reset(proxy: Proxy, echo: Echo) -> None:
    proxy.link("nobody", 1)
    address = ("127.0.0.1", proxy.links["nobody"].port)
    with pytest.raises(ConnectionResetError), socket.create_connection(address, timeout=5) as connection:
        connection.recv(100)
