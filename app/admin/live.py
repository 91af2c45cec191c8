"""Live parts: the piece of a page that changes is fetched again by the same address with `?part=live`.

A template that has one begins with `{% extends layout() %}` and marks it as the block `live`.
"""

import hashlib
import json
import re

from flask import Response, request, url_for

_HTMX = {
    "allowEval": False,
    "allowScriptTags": False,
    "historyEnabled": False,
    "includeIndicatorStyles": False,
    "selfRequestsOnly": True,
    "timeout": 10_000,
    "responseHandling": [
        {"code": "200", "swap": True},
        {"code": "304", "swap": False},
        {"code": "...", "swap": False, "error": True},
    ],
}

_TOLD = re.compile(r"(<time [^>]*>)[^<]*")


def htmx_config() -> str:
    """What htmx may do, for the meta element that it reads: to fetch from us, and to put in place what came."""
    return json.dumps(_HTMX, separators=(",", ":"))


def is_part() -> bool:
    """Whether only the live part is wanted."""
    return request.args.get("part") == "live"


def layout() -> str:
    """The template around the page, or around its live part alone."""
    return "admin/part.html" if is_part() else "admin/base.html"


def part_url(**more: str) -> str:
    """Where the live part of this page is, with the filters of its address; `more` replaces or adds to them."""
    arguments = request.args.to_dict(flat=False) | (request.view_args or {}) | more | {"part": "live"}
    return url_for(request.endpoint or "", **arguments)


def answer(html: str) -> Response:
    """A page as it is; a live part with a tag, so that who has it already is told so without it (RFC 9110, 13.1.2).

    Relative times are not part of the tag: they are told anew where they are shown.
    """
    response = Response(html)
    if is_part():
        digest = hashlib.sha256(_TOLD.sub(r"\1", html).encode()).hexdigest()
        response.set_etag(digest[:32], weak=True)
        response.headers["Cache-Control"] = "private, no-cache"
        response.make_conditional(request)
    return response
