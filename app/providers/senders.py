"""The one place that puts a provider's bytes on the wire, and says for certain when nothing was sent."""

from concurrent.futures import Future
from typing import Protocol

from app.config import Settings
from app.errors import UnsafeConfiguration
from app.providers.dialogues import Dialogue, T
from app.providers.requests_sender import RequestsSender

CONNECT_TIMEOUT_SECONDS = 3.0


class Sender(Protocol):
    """Holds dialogues, so many at once, over connections that it keeps. Shared by threads.

    All exchanges of a dialogue share the submit time-out, however slowly the other end sends. Nothing is sent twice,
    redirected, or sent through a proxy of the environment; a connection that was idle for more than 5 s is not used
    again.
    """

    def start(self, dialogue: Dialogue[T], delay_seconds: float = 0.0) -> Future[T]:
        """Hold a dialogue once the delay is over and a connection is free; until it begins it can be cancelled."""

    def close(self) -> None:
        """Cancel what has not begun, wait for what has, close the connections."""


def new_sender(settings: Settings, at_once: int, submit_timeout_seconds: float) -> Sender:
    """The sender that the settings choose.

    Raises:
        UnsafeConfiguration: it isn't installed.
    """
    if settings.sender == "requests":
        return RequestsSender(at_once, submit_timeout_seconds, CONNECT_TIMEOUT_SECONDS)
    try:
        from app.providers.curl_sender import CurlSender  # noqa: PLC0415 - it is an extra
    except (ImportError, AttributeError) as error:  # the second: a libcurl that is too old for what we ask of it
        raise UnsafeConfiguration(
            f"HIVEBATCH_SENDER is pycurl, which can't be used here ({error}): pip install 'hivebatch[fast]'"
        ) from error
    return CurlSender(at_once, submit_timeout_seconds, CONNECT_TIMEOUT_SECONDS)
