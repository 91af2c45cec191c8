"""What this service asks of itself from outside: HTTP to its public URL, through whatever lies between."""

import hmac
from contextlib import closing
from urllib.parse import urlsplit

from app.errors import InvalidInput
from app.providers.dialogues import Dialogue, NoAnswer, NotSent, Request, Response
from app.providers.requests_sender import RequestsSender
from app.providers.senders import CONNECT_TIMEOUT_SECONDS
from app.strictjson import loads

TIMEOUT_SECONDS = 10.0
_HEADERS = {"Accept": "application/json", "Connection": "close"}


class Outside:
    """Asks as the provider would have to: no redirects, no proxies of the environment, TLS verified."""

    def __init__(self, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds

    def ask(self, url: str, proof: str) -> str | None:
        """None if `url` answers with this proof; else what went wrong, in words for whoever runs the installation."""
        # On a connection of its own: what was repaired since the last, such as DNS or a certificate, is to be seen.
        with closing(RequestsSender(1, self._timeout_seconds, CONNECT_TIMEOUT_SECONDS)) as sender:
            return sender.start(_echo(url, proof)).result()


def _echo(url: str, proof: str) -> Dialogue[str | None]:
    try:
        response = yield Request(url, _HEADERS)
    except (NotSent, NoAnswer) as error:
        return str(error)
    return None if response.status == 200 and _holds(response.body, proof) else _in_words(response)


def _holds(body: bytes, proof: str) -> bool:
    try:
        value = loads(body)
    except InvalidInput:
        return False
    found = value.get("proof") if isinstance(value, dict) else None
    return isinstance(found, str) and hmac.compare_digest(found.encode(), proof.encode())


def _in_words(response: Response) -> str:
    status = response.status
    if 300 <= status < 400:
        # Without the path, which may repeat ours.
        target = urlsplit(response.headers.get("Location", ""))
        where = f"{target.scheme}://{target.hostname}" if target.hostname else "another path"
        return f"HTTP {status}: it redirects to {where}, and a callback is not sent on"
    if status == 200:
        return "HTTP 200 without this installation's proof: something else answers there"
    if status == 404:
        return "HTTP 404: something else answers there, or this service with another HIVEBATCH_SECRET_KEY"
    return f"HTTP {status}"
