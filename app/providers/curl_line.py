"""One of libcurl's easy handles: what it is never to do, and what it says of an exchange."""

import pycurl
from requests import adapters
from requests.structures import CaseInsensitiveDict

from app.providers.curl_connections import IDLE_SECONDS, Address, KeptConnections
from app.providers.dialogues import Listener, NoAnswer, NotSent, Request, Response

_ALWAYS = {
    pycurl.NOSIGNAL: 1,  # it is not the main thread's
    pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.PROXY: "",  # not even one of the environment
    pycurl.NOPROXY: "*",
    pycurl.FOLLOWLOCATION: 0,
    pycurl.PATH_AS_IS: 1,
    pycurl.SSL_VERIFYPEER: 1,
    pycurl.SSL_VERIFYHOST: 2,
    pycurl.ACCEPT_ENCODING: "",  # unpack what comes packed, though nobody asked for it
    pycurl.MAXAGE_CONN: IDLE_SECONDS,
    pycurl.USERAGENT: "hivebatch",
}
_ALWAYS_SENT = (b"Accept-Encoding: identity", b"Expect:")  # the empty one is left out: no waiting for a 100

_FINE: int = pycurl.PREREQFUNC_OK  # which is SOCKOPT_OK
_REFUSED: int = pycurl.PREREQFUNC_ABORT  # which is SOCKOPT_ERROR

_LOST = frozenset(
    {
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_ABORTED_BY_CALLBACK,
        pycurl.E_GOT_NOTHING,
        pycurl.E_SEND_ERROR,
        pycurl.E_RECV_ERROR,
    }
)


class Line:
    """One exchange at a time, by one thread.

    When a connection that was kept breaks before a byte of an answer has come, libcurl sends the request once more by
    itself, and has no option against it. It asks us before it opens a connection and before it sends a request: so
    that is where the second time is refused, and where we learn that the first may have arrived.
    """

    def __init__(self, kept: KeptConnections, connect_timeout_seconds: float) -> None:
        self.curl = pycurl.Curl()
        self._kept = kept
        self._opened: list[int] = []
        self._head: list[bytes] = []
        self._body = bytearray()
        self._limit = 0
        self._listener: Listener | None = None
        self._sent_over: Address | None = None
        for option, value in _ALWAYS.items():
            self.curl.setopt(option, value)
        self.curl.setopt(pycurl.CAINFO, adapters.DEFAULT_CA_BUNDLE_PATH)  # whoever sends, trust is the same
        self.curl.setopt(pycurl.CONNECTTIMEOUT_MS, _milliseconds(connect_timeout_seconds))
        self.curl.setopt(pycurl.SOCKOPTFUNCTION, self._before_connecting)
        self.curl.setopt(pycurl.PREREQFUNCTION, self._before_sending)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._head.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._keep)

    def prepare(self, request: Request, seconds: float) -> None:
        """Make ready for an exchange that is over in so many seconds.

        Raises:
            NotSent: no time is left, or the request can't be written.
        """
        self._head.clear()
        self._body.clear()
        self._opened.clear()
        self._sent_over = None
        self._limit, self._listener = request.max_answer_bytes, request.listener
        if seconds <= 0:
            raise NotSent("timed out")
        try:
            self._write(request)
        except (ValueError, pycurl.error) as error:
            raise NotSent(type(error).__name__) from error  # its text may quote the key
        self.curl.setopt(pycurl.TIMEOUT_MS, _milliseconds(seconds))

    def heard(self, code: int, message: str) -> Response | NotSent | NoAnswer:
        """What became of the exchange, by libcurl's word for it."""
        if self._sent_over is None:
            return NotSent(message)
        self._kept.used(self._sent_over)
        headers = self._headers()
        is_cut = len(self._body) > self._limit
        if headers is None or not (is_cut or code == pycurl.E_OK):
            return NoAnswer(self._why(code), message or f"libcurl's error {code}")
        return Response(self.curl.getinfo(pycurl.RESPONSE_CODE), headers, bytes(self._body[: self._limit]))

    def _write(self, request: Request) -> None:
        self.curl.setopt(pycurl.URL, request.url.encode())
        headers = [_header(name, value) for name, value in request.headers.items()]
        self.curl.setopt(pycurl.HTTPHEADER, [*_ALWAYS_SENT, *headers])
        if request.body is None:
            self.curl.setopt(pycurl.HTTPGET, 1)
        else:
            self.curl.setopt(pycurl.POST, 1)
            self.curl.setopt(pycurl.POSTFIELDS, request.body)

    def _before_connecting(self, descriptor: int, _purpose: int) -> int:
        self._opened.append(descriptor)
        return _FINE if self._sent_over is None else _REFUSED

    def _before_sending(self, *address: object) -> int:
        if self._sent_over is not None:
            return _REFUSED
        if self._opened:
            self._kept.add(address, self._opened)
        elif self._kept.shut_if_unfit(address):
            return _FINE  # it can't be sent, and comes here once more
        self._sent_over = address
        return _FINE

    def _keep(self, piece: bytes) -> int:
        self._body += piece
        if self._listener:
            self._listener(piece)
        return len(piece) if len(self._body) <= self._limit else -1  # -1 ends it, and costs the connection

    def _headers(self) -> CaseInsensitiveDict[str] | None:
        """Those of the last answer: interim ones (100, 103) come before it. None if it ends among them."""
        found: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        is_whole = False
        for line in self._head:
            name, _, value = line.decode("latin-1").partition(":")
            if line.startswith(b"HTTP/"):
                found, is_whole = CaseInsensitiveDict(), False
            elif line.strip():
                found[name] = value.strip()
            else:
                is_whole = True
        return found if is_whole else None

    def _why(self, code: int) -> str:
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return "timed_out"
        # Chunks that make no sense have the code of a connection that broke, but no error of the system.
        is_nonsense = code == pycurl.E_RECV_ERROR and self._head and not self.curl.getinfo(pycurl.OS_ERRNO)
        return "connection_lost" if code in _LOST and not is_nonsense else "unreadable_answer"


def _header(name: str, value: str) -> bytes:
    line = f"{name}: {value}"
    if not line.isprintable():
        raise ValueError("a header is one line")
    return line.encode("latin-1")


def _milliseconds(seconds: float) -> int:
    """At least one: 0 means no limit."""
    return max(1, round(1000 * seconds))
