"""Who is asking: an API key in `Authorization: Bearer` stands for its owner."""

from flask import Request, g

from app.api.context import runtime
from app.errors import NotAuthenticated
from app.services import keys
from app.states import Scope


def authenticate(request: Request, needed: Scope | None = None) -> None:
    """Let the request in as the owner of its key; without a word on what is `needed`, a GET reads, all else writes.

    Raises:
        NotAuthenticated: no key, or none that is valid.
        NotAllowed: a key without the scope.
    """
    secret = bearer(request)
    of_method = Scope.READ if request.method in {"GET", "HEAD"} else Scope.WRITE
    g.owner = keys.authenticate(runtime(), secret, needed or of_method)


def bearer(request: Request) -> str:
    """The key in the header (RFC 6750, section 2.1)."""
    given = request.authorization
    if given is None or given.type != "bearer" or not given.token:
        raise NotAuthenticated("Send an API key in the header 'Authorization: Bearer <key>'.")
    return given.token
