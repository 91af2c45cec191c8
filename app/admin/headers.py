"""The headers of every answer below /admin: no scripts but ours, no frames, no copies of what pages show."""

from flask import Response, request

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def harden(response: Response) -> Response:
    """Add the headers by path, so that redirects and errors that never reach the blueprint carry them too.

    Only live parts, which say so themselves, and the style sheet and its like may be kept: to be asked about each time.
    """
    if request.path == "/admin" or request.path.startswith("/admin/"):
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        if request.endpoint != "admin.static" and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
    return response
