"""The search box: whatever is pasted there leads to what it names."""

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app import ids
from app.admin.blueprint import admin
from app.admin.context import runtime
from app.services import searching
from app.services.searching import Hit

MAX_CHARS = 600


@admin.get("/search")
def search() -> Response | str:
    """The one thing that is found, or a list of several; for none, what was looked for."""
    sought = request.args.get("q", "").replace("\x00", "").strip()[:MAX_CHARS]
    hits = searching.find(runtime(), sought) if sought else ()
    if len(hits) == 1:
        return redirect(_url(hits[0]))
    return render_template("admin/search.html", sought=sought, hits=hits, url_of=_url, most=searching.MOST)


def _url(hit: Hit) -> str:
    return url_for(f"admin.{hit.kind}", shown=ids.show(hit.kind, hit.id))
