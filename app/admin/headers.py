"""The headers of every answer below /admin: no scripts, no frames, no copies."""

from flask import Response, request

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


def harden(response: Response) -> Response:
    """Add the headers by path, so that redirects and errors that never reach the blueprint carry them too."""
    if request.path == "/admin" or request.path.startswith("/admin/"):
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
    return response
