"""Who is asking: an API key in `Authorization: Bearer` stands for its owner."""

from flask import Request, g

from app.api.context import runtime
from app.errors import NotAuthenticated
from app.services import keys


def authenticate(request: Request) -> None:
    """Let the request in as the owner of its key.

    Raises:
        NotAuthenticated: no key, or none that is valid.
    """
    secret = bearer(request)
    g.owner = keys.authenticate(runtime(), secret)


def bearer(request: Request) -> str:
    """The key in the header (RFC 6750, section 2.1)."""
    given = request.authorization
    if given is None or given.type != "bearer" or not given.token:
        raise NotAuthenticated("Send an API key in the header 'Authorization: Bearer <key>'.")
    return given.token
